"""Reading records backwards, in one pass, or as they come; in constant memory."""

from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manual_time import NOON
from trail_home import TrailHome, write_trail

from thunes_cli.audit import counting, reading
from thunes_cli.audit.checkpoint_file import DamagedNotes, read_notes
from thunes_cli.audit.counting import count_records
from thunes_cli.audit.events import Event
from thunes_cli.audit.lookup import find_records
from thunes_cli.audit.reading import Filter, follow, last_records
from thunes_cli.ledger.outbox import pending, read_head


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")), max_size=30),
    torn=st.binary(max_size=20),
)
def test_backwards_is_forwards_reversed(lines: list[bytes], torn: bytes) -> None:
    """Whatever the lines and wherever the blocks end; a torn end is left out."""
    torn = torn.replace(b"\n", b"")
    data = b"".join(line + b"\n" for line in lines) + torn
    block, reading._BLOCK = reading._BLOCK, 7
    try:
        with tempfile.TemporaryFile() as stream:
            stream.write(data)
            stream.flush()
            seen = list(reading._backwards(stream.fileno(), None))
    finally:
        reading._BLOCK = block

    assert seen == lines[::-1]


def test_filters(tmp_path: Path) -> None:
    """Event, reason and time, before the number; a record of the original system counts as UTC."""
    path = tmp_path / "trail.jsonl"
    write_trail(path, 60)
    files = [(path, None)]

    def seqs(count: int, wanted: Filter) -> list[int]:
        return [record["seq"] for record in last_records(files, (), wanted, count=count)]

    assert seqs(3, Filter()) == [58, 59, 60]
    assert seqs(0, Filter()) == []
    assert seqs(2, Filter(events=frozenset({"TRADE_APPROVED"}))) == [57, 60]
    assert seqs(2, Filter(events=frozenset({"TRADE_APPROVED"}), reason="cool_down_active")) == [51, 57]
    assert seqs(99, Filter(since=NOON + timedelta(seconds=58))) == [58, 59, 60]
    path.write_text('{"event": "A", "timestamp": "2026-03-10T12:00:00"}\nno record\n')
    assert len(last_records(files, (), Filter(since=NOON), count=9)) == 1


def test_a_name_in_another_place_is_no_event(tmp_path: Path) -> None:
    """A quick look at the bytes lets it pass; the record itself decides, and one without a time is of no time."""
    path = tmp_path / "trail.jsonl"
    lines = [
        {"event": "NOTE", "timestamp": "2026-03-10T12:00:00.000Z", "text": "TRADE_APPROVED"},
        {"event": "TRADE_APPROVED", "timestamp": "yesterday"},
        {"event": "TRADE_APPROVED", "timestamp": "2026-03-10T12:00:01.000Z"},
        {"event": "TRADE_APPROVED"},
    ]
    path.write_text("".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines))
    approved = frozenset({"TRADE_APPROVED"})

    assert last_records([(path, None)], (), Filter(events=approved), count=9) == lines[1:]
    assert last_records([(path, None)], (), Filter(events=approved, since=NOON), count=9) == lines[2:3]
    everything, since = (count_records([(path, None)], (), since=moment) for moment in (None, NOON))
    assert (everything.records, everything.events["TRADE_APPROVED"]) == (4, 3)
    assert (everything.first, everything.last) == (NOON, NOON + timedelta(seconds=1))
    assert (since.records, since.unreadable) == (2, 0)


def test_what_waits_is_found_by_the_same_question(tmp_path: Path) -> None:
    """Records that are in no file yet come last, and only those that fit: holding the word is not enough."""
    home = TrailHome(tmp_path / "home")
    home.record(3, symbol="BTCUSDT")
    with home.journal.change(drain=False) as change:
        change.record(Event.TRADE_REJECTED, symbol="ETHUSDT", text="BTCUSDT")
        change.record(Event.TRADE_REJECTED, symbol="BTCUSDT")
    with home.journal.read() as connection:
        head = read_head(connection)
        waiting = pending(connection, after=head.durable_seq)
    home.close()

    found = find_records(
        home.trail, waiting, head, needles=["BTCUSDT"], fits=lambda record: record["symbol"] == "BTCUSDT"
    )

    assert [record["seq"] for record in found.records] == [1, 2, 3, 5]
    assert (found.unreadable_lines, found.missing_bytes) == (0, 0)


def test_a_file_that_shrinks_while_it_is_counted(tmp_path: Path) -> None:
    """A crash's remains were set aside meanwhile: what was there is counted, and there is an end."""
    path = tmp_path / "trail.jsonl"
    write_trail(path, 6000)

    with path.open("rb") as stream:
        blocks = counting._blocks(stream.fileno(), None)
        first = next(blocks)
        os.truncate(path, len(first))

        assert list(blocks) == []


def test_a_line_without_end_is_nobodys_memory(tmp_path: Path) -> None:
    """A hundred megabytes in one line: passed over and counted, in the memory of a few blocks."""
    path = tmp_path / "trail.jsonl"
    write_trail(path, 3)
    sound = path.read_bytes()
    with path.open("ab") as stream:
        for _ in range(100):
            stream.write(b"x" * 1024 * 1024)
        stream.write(b"\n" + sound)
    tracemalloc.start()
    try:
        counts = count_records([(path, None)], (), since=None)
        newest = last_records([(path, None)], (), Filter(), count=9)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (counts.records, counts.unreadable) == (6, 1)
    assert [record["seq"] for record in newest] == [1, 2, 3, 1, 2, 3]
    assert peak < 4 * 1024 * 1024


def test_a_line_without_end_among_the_checkpoints(tmp_path: Path) -> None:
    """What is no note is said before it is read to its end."""
    path = tmp_path / "audit_trail.jsonl.ckpt"
    path.write_bytes(b"x" * 10_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(DamagedNotes):
            list(read_notes(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1024 * 1024


def test_follow_through_many_rotations(tmp_path: Path) -> None:
    """Who was stopped while segments were closed, one after the other, still sees every record once, in order."""
    home = TrailHome(tmp_path / "home")
    home.record(1)
    seen = follow(home.trail, start=0)
    first = next(seen)
    for _ in range(3):
        home.record(2)
        home.notary.rotate(why="operator")
    home.record(1)
    with home.journal.read() as connection:
        end = read_head(connection).seq

    numbers = [first["seq"], *(record["seq"] for record in islice(seen, end - 1))]
    home.close()

    assert numbers == list(range(1, end + 1))


def test_counts(tmp_path: Path) -> None:
    """Both ways of counting agree, line by line and whole blocks at once, and since a moment."""
    path, broken = tmp_path / "trail.jsonl", tmp_path / "broken.jsonl"
    write_trail(path, 6000)
    broken.write_bytes(b"no record\n" + path.read_bytes())

    whole = count_records([(path, None)], (), since=None)
    slow = count_records([(broken, None)], (), since=None)
    recent = count_records([(path, None)], (), since=NOON + timedelta(seconds=5001))

    assert whole.events == slow.events == {"TRADE_REJECTED": 4000, "TRADE_APPROVED": 2000}
    assert whole.reasons == slow.reasons == {"cool_down_active": 2000, "None": 2000}
    assert (whole.unreadable, slow.unreadable) == (0, 1)
    assert recent.records == 1000
    assert recent.first == datetime(2026, 3, 10, 13, 23, 21, tzinfo=UTC)
    assert count_records([(tmp_path / "gone", None)], (), since=None).records == 0


def test_follow_when_two_segments_are_closed_in_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking for the next closed file and opening the open one: nothing of the one between is missed."""
    home = TrailHome(tmp_path / "home")
    home.record(1)
    waits = iter(range(9))
    seen = follow(home.trail, start=0, wait=lambda _: next(waits))
    numbers = [next(seen)["seq"]]
    home.notary.rotate(why="operator")
    open_file, opened = os.open, []

    def rotate_first(path: Path, flags: int, *mode: int) -> int:
        if path == home.trail and not opened:
            opened.append(path)
            home.record(1)
            home.notary.rotate(why="operator")
            home.record(1)
        return open_file(path, flags, *mode)

    monkeypatch.setattr(reading.os, "open", rotate_first)
    while not opened or numbers[-1] < home.ledger_view().seq:
        numbers.append(next(seen)["seq"])
    home.close()

    assert numbers == list(range(1, len(numbers) + 1))


def test_follow_passes_over_what_is_no_record(tmp_path: Path) -> None:
    """Somebody else's line is not shown, and does not end the following."""
    path = tmp_path / "trail.jsonl"
    write_trail(path, 2)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"no record\n[1]\n" + second)

    assert [record["seq"] for record in islice(follow(path, start=0), 2)] == [1, 2]


def test_follow_through_a_rotation(tmp_path: Path) -> None:
    """Nothing is missed or shown twice: not when lines come in halves, nor when the file is closed under our eyes."""
    path = tmp_path / "trail.jsonl"
    whole = tmp_path / "whole"
    write_trail(whole, 5)
    lines = whole.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])

    def steps() -> Iterator[None]:
        with path.open("ab") as stream:
            stream.write(lines[1][:50])
        yield
        with path.open("ab") as stream:
            stream.write(lines[1][50:])
        yield
        with path.open("ab") as stream:
            stream.write(lines[2])
        path.rename(tmp_path / "trail-000001.jsonl")
        yield
        yield
        path.write_bytes(lines[3])
        yield
        path.write_bytes(lines[3] + lines[4])
        yield

    script = steps()
    records = follow(path, start=0, wait=lambda _: next(script))

    assert [next(records)["seq"] for _ in range(5)] == [1, 2, 3, 4, 5]

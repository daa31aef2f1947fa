"""A sound trail of any shape is never accused; and the quick check never passes what the reference would not."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manual_time import NOON
from trail_home import TrailHome, lines_of, rechain, write_lines

from thunes_cli.audit.chunks import Fault, Level, Place, inspect, summarize
from thunes_cli.audit.events import Event
from thunes_cli.audit.notes import find_notes
from thunes_cli.audit.record import FIRST_PREV, FIXED_KEYS, MAX_LINE, Fact, line_hash, make_line
from thunes_cli.audit.validation import Request, validate

TEXTS = st.text(max_size=30) | st.sampled_from(['"event":"SEGMENT_STARTED"', "\ud800", '\x00\x1f\x7f\\/"', "é" * 9000])
FACTS: st.SearchStrategy[dict[str, Fact]] = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda key: key not in FIXED_KEYS),
    st.one_of(
        TEXTS,
        st.integers(),
        st.integers(-(10**40), 10**40),
        st.booleans(),
        st.none(),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.datetimes(timezones=st.just(NOON.tzinfo)),
    ),
    max_size=6,
)
EVENTS = st.sampled_from([Event.TRADE_APPROVED, Event.FILL_BOOKED, Event.DAEMON_STARTED])


def record(home: TrailHome, records: list[tuple[Event, dict[str, Fact]]], *, drain: bool) -> None:
    with home.journal.change(drain=drain) as change:
        for event, facts in records:
            change.record(event, **facts)


def crash(home: TrailHome, remains: bytes) -> None:
    """What a writer that was killed leaves: bytes beyond the durable length, in either file."""
    if home.trail.exists():
        with home.trail.open("ab") as stream:
            stream.write(remains)


def half_a_note(home: TrailHome, remains: bytes) -> None:
    if home.notes.exists():
        with home.notes.open("ab") as stream:
            stream.write(b"thunes.audit/abcdef\n" + remains.replace(b"\n", b""))


def new_key(home: TrailHome) -> None:
    (home.path / "audit_key").unlink(missing_ok=True)
    home.notary = type(home.notary)(home.journal)


def set_clock_back(home: TrailHome) -> None:
    home.time.wall -= timedelta(days=3)


STEPS: st.SearchStrategy[Callable[[TrailHome], object]] = st.one_of(
    st.builds(
        lambda records, drain: lambda home: record(home, records, drain=drain),
        st.lists(st.tuples(EVENTS, FACTS), max_size=12),
        st.booleans(),
    ),
    st.just(lambda home: home.notary.checkpoint()),
    st.just(lambda home: home.notary.rotate(why="operator")),
    st.just(new_key),
    st.just(set_clock_back),
    # A copy alone cannot tell whole lines that no ledger knows from a forgery: half a line has no end.
    st.builds(lambda remains: lambda home: crash(home, remains.replace(b"\n", b"")), st.binary(max_size=50)),
    st.builds(lambda remains: lambda home: half_a_note(home, remains), st.binary(max_size=50)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=12))
def test_never_accused(steps: list[Callable[[TrailHome], object]]) -> None:
    """Whatever was recorded, signed, rotated and left by crashes: every mode, every witness says it is sound."""
    with tempfile.TemporaryDirectory() as place:
        home = TrailHome(Path(place) / "home")
        for step in steps:
            step(home)
            if home.ledger_view().length:
                assert home.look(ledger=home.ledger_view()).valid
        home.journal.drain()
        notes = home.notes.read_text(errors="replace") if home.notes.exists() else ""
        anchors = tuple(find_notes(notes))
        copy = home.copy(Path(place) / "copy")

        if home.trail.exists():
            for how in ({}, {"keys": ()}, {"deep": True}, {"anchors": anchors}):
                report = home.look(ledger=home.ledger_view() if home.trail.stat().st_size else None, **how)
                assert report.valid, report.first_bad
                assert not [remark for remark in report.remarks if remark.attention]
            assert validate(Request(copy)).valid
            assert validate(Request(copy, deep=True)).valid
        home.close()


def test_a_doubt_that_is_unfounded(home: TrailHome) -> None:
    """A line that only looks odd: the chain is read on behind it, record by record; its form is for a deep look."""
    bare = TrailHome(home.path / "other")
    bare.record(20)
    lines = lines_of(bare.trail)
    lines[6] = lines[6].replace(b'"v":1,', b'"v":1,\r')
    lines[7] = lines[7].replace(json.loads(lines[7])["prev"].encode(), line_hash(lines[6] + b"\n").encode())
    rechain(lines, first=8)
    write_lines(bare.trail, lines)

    report, deep = bare.look(keys=()), bare.look(keys=(), deep=True)
    bare.close()

    assert (report.valid, report.records, report.last_seq) == (True, 20, 20)
    assert deep.first_bad is not None
    assert deep.first_bad.fault.line == 7


@pytest.mark.parametrize("remains", [b"garbage\n", b"garbage\n" * 3 + b"and half", b'{"v":1}\n'])
def test_whole_lines_that_a_crash_left(home: TrailHome, remains: bytes) -> None:
    """Behind what the ledger knows they are no records, however they end: told, and set aside by the next write."""
    crash(home, remains)

    report = home.look(ledger=home.ledger_view())

    assert (report.valid, report.records, report.torn_bytes) == (True, 46, len(remains))
    assert [(remark.code, remark.attention) for remark in report.remarks] == [("torn_tail", False)]
    assert home.look().first_bad is not None, "without the ledger nobody knows that"


@pytest.mark.parametrize("missing", [50, 4000], ids=["in the last line", "below a checkpoint"])
def test_a_writer_half_way_through_a_line(
    home: TrailHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    """A copy that is still being made: what comes within a moment is read on, and nothing is torn."""
    whole = home.trail.read_bytes()
    copy = home.copy(tmp_path / "copy")
    copy.write_bytes(whole[:-missing])

    def come(_: float) -> None:
        copy.write_bytes(whole)

    monkeypatch.setattr("thunes_cli.audit.scan.time.sleep", come)

    report = validate(Request(copy, keys=home.keys))

    assert (report.valid, report.records, report.torn_bytes) == (True, 46, 0)
    assert report.remarks == ()


def chain(records: list[tuple[Event, dict[str, Fact]]]) -> list[bytes]:
    """Lines as the writer makes them."""
    lines, prev = [], FIRST_PREV
    for seq, (event, facts) in enumerate(records, start=1):
        lines.append(make_line(seq=seq, prev=prev, at=NOON, event=event, facts=facts))
        prev = line_hash(lines[-1])
    return lines


def reference(data: bytes, level: Level) -> Fault | Place:
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.flush()
        return inspect(stream.fileno(), Place(0, FIRST_PREV), end=len(data), level=level)


@given(records=st.lists(st.tuples(EVENTS, FACTS), min_size=1, max_size=8))
def test_what_is_written_passes_quickly(records: list[tuple[Event, dict[str, Fact]]]) -> None:
    """The writer's lines are in order for both checks, and no longer than a line may be."""
    lines = chain(records)
    data = b"".join(lines)

    assert max(map(len, lines)) <= MAX_LINE
    for level in Level:
        summary = summarize(data, level)
        place = reference(data, level)
        assert isinstance(place, Place)
        if summary is not None:
            assert (summary.count, summary.last_hash) == (place.seq, place.prev)


@settings(max_examples=400)
@given(
    records=st.lists(st.tuples(EVENTS, FACTS), min_size=1, max_size=5),
    at=st.floats(0, 1, exclude_max=True),
    old=st.integers(0, 3),
    new=st.binary(max_size=3) | st.sampled_from([b"\n", b"\r", b" ", b'"', b"\\", b",", b"0", b"{}", b"true", b"\xff"]),
)
def test_quick_check_passes_nothing_else(
    records: list[tuple[Event, dict[str, Fact]]], at: float, old: int, new: bytes
) -> None:
    """Any few bytes replaced: what the quick check passes, the reference passes; deep finds all but the last line's."""
    data = b"".join(chain(records))
    position = int(at * len(data))
    forged = data[:position] + new + data[position + old :]
    if not forged.endswith(b"\n"):
        return

    for level in (Level.LINKS, Level.DEEP):
        summary = summarize(forged, level)
        seen = reference(forged, level)
        if summary is not None and summary.first_seq == 1 and summary.first_prev == FIRST_PREV:
            assert isinstance(seen, Place)
            assert (summary.count, summary.last_hash) == (seen.seq, seen.prev)
        if isinstance(seen, Place) and forged != data:
            last = data.rfind(b"\n", 0, -1) + 1
            assert forged[:last] == data[:last]


def test_a_long_fact_is_cut_not_refused() -> None:
    """An exchange's novel of an error does not keep an exit from being recorded."""
    line = make_line(
        seq=1,
        prev=FIRST_PREV,
        at=NOON,
        event=Event.ORDER_UNKNOWN,
        facts={"why": "x" * 1_000_000, "control": "\x01" * 50_000, "price": Decimal(1)},
    )

    assert len(line) <= MAX_LINE
    assert b"(1000000 characters)" in line
    assert isinstance(reference(line, Level.DEEP), Place)


def test_validation_needs_no_ledger() -> None:
    """The validator can be carried elsewhere: it imports neither ledger nor settings."""
    code = "import sys, thunes_cli.audit.validation; print([m for m in sys.modules if m.startswith('thunes_cli')])"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "thunes_cli.audit.chunks" in modules
    assert "thunes_cli.ledger" not in modules
    assert "thunes_cli.config" not in modules

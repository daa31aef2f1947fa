"""Reading records backwards, in one pass, or as they come; with more than one process; in constant memory."""

from __future__ import annotations

import subprocess
import sys
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
from trail_home import TrailHome

from thunes_cli.audit import crew, reading
from thunes_cli.audit.checkpoint_file import DamagedNotes, read_notes
from thunes_cli.audit.counting import count_records
from thunes_cli.audit.events import Event
from thunes_cli.audit.reading import Filter, follow, last_records
from thunes_cli.audit.record import FIRST_PREV, line_hash, make_line
from thunes_cli.audit.report import Report
from thunes_cli.audit.validation import Request, validate
from thunes_cli.ledger.outbox import read_head


def write_trail(path: Path, count: int, *, padding: str = "") -> None:
    """A trail of so many records, a second apart."""
    prev = FIRST_PREV
    with path.open("wb") as stream:
        for seq in range(1, count + 1):
            line = make_line(
                seq=seq,
                prev=prev,
                at=NOON + timedelta(seconds=seq),
                event=Event.TRADE_REJECTED if seq % 3 else Event.TRADE_APPROVED,
                facts={"reason": "cool_down_active" if seq % 2 else None, "padding": padding},
            )
            prev = line_hash(line)
            stream.write(line)


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


# -- more than one process -----------------------------------------------------------------------------------------


@pytest.fixture
def long_trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trail of several ranges, and a crew for it."""
    monkeypatch.setattr(crew, "WORTH_BYTES", 100_000)
    monkeypatch.setattr(crew, "_MOST", 3)
    monkeypatch.setattr(crew.os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(crew.threading, "active_count", lambda: 1)  # whatever other tests left idle here
    path = tmp_path / "audit_trail.jsonl"
    write_trail(path, 9000, padding="x" * 200)
    return path


def alone(path: Path, *, deep: bool) -> Report:
    """What one process finds."""
    limit, crew.WORTH_BYTES = crew.WORTH_BYTES, 1 << 60
    try:
        return validate(Request(path, deep=deep))
    finally:
        crew.WORTH_BYTES = limit


@pytest.mark.parametrize("deep", [False, True], ids=["chain", "deep"])
@pytest.mark.parametrize("line", [None, 0, 1234, 4567, 8999], ids=["sound", "first", "early", "late", "last"])
def test_a_crew_finds_the_same(long_trail: Path, line: int | None, *, deep: bool) -> None:
    """With children or without: the same records, the same first fault."""
    if line is not None:
        lines = long_trail.read_bytes().splitlines(keepends=True)
        lines[line] = lines[line].replace(b"xxxx", b"xx\xff\xff", 1)
        long_trail.write_bytes(b"".join(lines))

    together, single = validate(Request(long_trail, deep=deep)), alone(long_trail, deep=deep)

    assert together.first_bad == single.first_bad
    assert (together.records, together.bytes) == (single.records, single.bytes) or line is not None
    assert together.valid is (line is None)
    if together.first_bad is not None and line is not None:
        assert together.first_bad.fault.line == line + 1


def test_a_crew_that_dies(long_trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that are killed cost time, not truth."""
    served: list[int] = []
    fork = crew.os.fork

    def short_lived() -> int:
        pid = fork()
        if pid == 0:
            crew.os._exit(0)
        served.append(pid)
        return pid

    monkeypatch.setattr(crew.os, "fork", short_lived)
    assert validate(Request(long_trail, deep=True)).valid
    assert len(served) == 2


def test_memory_does_not_grow_with_the_trail(tmp_path: Path) -> None:
    """A trail twenty times as long needs no more of it; children included."""
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    write_trail(small, 3_000)
    write_trail(large, 60_000)

    def peak(path: Path, how: str) -> float:
        code = (
            "import resource, sys; from pathlib import Path; import thunes_cli.audit.crew as crew;"
            "crew.WORTH_BYTES = 1 << 20;"
            "from thunes_cli.audit.validation import Request, validate;"
            f"assert validate(Request(Path(sys.argv[1]), deep={how == 'deep'})).valid;"
            # ru_maxrss of a process that was started counts what its parent weighed; VmHWM is its own.
            "status = Path('/proc/self/status').read_text();"
            "own = int(status.split('VmHWM:')[1].split()[0]);"
            "print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024)"
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        return float(done.stdout)

    for how in ("chain", "deep"):
        assert peak(large, how) < peak(small, how) + 6
        assert peak(large, how) < 64

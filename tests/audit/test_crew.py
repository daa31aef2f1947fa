"""Validation with more than one process: it finds the same, whatever becomes of the children, in constant memory."""

from __future__ import annotations

import errno
import gc
import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from trail_home import write_trail

from thunes_cli.audit import crew
from thunes_cli.audit.report import Report
from thunes_cli.audit.validation import Request, validate


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


def wait_for_its_end(pid: int) -> None:
    """Until a child is no more; it stays to be waited for."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def open_pipes() -> set[str]:
    """Those of this process."""
    open_files = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that this listing needed
            open_files.add(str(descriptor.readlink()))
    return {name for name in open_files if name.startswith("pipe:")}


def test_children_that_are_gone_before_they_are_asked(long_trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads the order: somebody else does what it was for."""
    children: list[int] = []
    fork = os.fork

    def short_lived() -> int:
        pid = fork()
        if pid == 0:
            os._exit(0)
        wait_for_its_end(pid)
        children.append(pid)
        return pid

    monkeypatch.setattr(crew.os, "fork", short_lived)

    report = validate(Request(long_trail, deep=True))

    assert (report.valid, report.records) == (True, 9000)
    assert len(children) == 2


@pytest.mark.parametrize(
    "answer",
    [b"", crew._LENGTH.pack(1000)[:2], crew._LENGTH.pack(1000), crew._LENGTH.pack(1000) + b"half"],
    ids=["without an answer", "within its length", "behind its length", "within it"],
)
def test_children_that_are_killed_over_an_order(
    long_trail: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """What they were asked for is given back and done by somebody else; what they began to say is no answer."""
    asked: list[crew.Hand] = []
    ask = crew.Hand.ask

    def die_over_it(_: int, orders: int, answers: int, **_others: tuple[int, int]) -> None:
        os.read(orders, crew._ORDER.size)
        os.write(answers, answer)
        os.kill(os.getpid(), signal.SIGKILL)

    def ask_and_wait(hand: crew.Hand, slot: Any) -> None:
        ask(hand, slot)
        wait_for_its_end(hand._pid)
        asked.append(hand)

    monkeypatch.setattr(crew, "_ORDERS", 1)
    monkeypatch.setattr(crew, "_serve", die_over_it)
    monkeypatch.setattr(crew.Hand, "ask", ask_and_wait)

    report = validate(Request(long_trail, deep=True))

    assert (report.valid, report.records) == (True, 9000)
    assert len(asked) == 2
    assert all(hand.gone and not hand.asked for hand in asked)


@pytest.mark.parametrize("made", [0, 1], ids=["the first", "the second"])
def test_a_child_that_cannot_be_had(long_trail: Path, monkeypatch: pytest.MonkeyPatch, made: int) -> None:
    """A machine that has no room for another process: it is done with those there are, and no pipe stays open."""
    fork, asked = os.fork, itertools.count()

    def refused() -> int:
        if next(asked) < made:
            return fork()
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(crew.os, "fork", refused)
    before = open_pipes()

    report = validate(Request(long_trail, deep=True))

    assert (report.valid, report.records) == (True, 9000)
    assert open_pipes() <= before


def test_garbage_that_nobody_collects_stays_there(long_trail: Path) -> None:
    """A caller that switched collection off finds it so."""
    gc.disable()
    try:
        assert validate(Request(long_trail)).valid
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert validate(Request(long_trail)).valid
    assert gc.isenabled()


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

"""Closing segments: chained, once, and sound whatever the instant of a crash."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from trail_home import TrailHome, lines_of

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.notary import Notary
from thunes_cli.audit.rotation import open_segment, rotate, rotation_due
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.clock import Clock
from thunes_cli.errors import AuditTampered, Unavailable
from thunes_cli.ledger import outbox
from thunes_cli.ledger.connection import Ledger

FORK = multiprocessing.get_context("fork")
FAULTS = ("pwrite", "fdatasync", "fsync", "rename", "ftruncate")


def fresh(tmp_path: Path) -> TrailHome:
    home = TrailHome(tmp_path / "home")
    home.record(5)
    return home


def test_rotation_chains_the_segments(tmp_path: Path) -> None:
    """The new segment goes on with seq and prev, and names the file before, its length and its hash."""
    home = fresh(tmp_path)

    closed = rotate(home.journal, why="operator", uid=7)
    home.record(3)

    assert closed is not None
    assert home.closed.stat().st_size == closed.length
    report = home.look(keys=(), deep=True, ledger=home.ledger_view())
    assert report.valid
    assert (report.records, report.segments, report.last_seq) == (9, 2, 9)
    assert b'"event":"SEGMENT_STARTED","segment":2,"predecessor":"audit_trail-000001.jsonl"' in lines_of(home.trail)[0]
    assert lines_of(home.trail)[0].endswith(b'"why":"operator","uid":7}')
    home.close()


def test_a_line_of_thousands_of_brackets_is_a_changed_trail(tmp_path: Path) -> None:
    """What no reader of JSON gets through is no record of ours: the rotation says so and closes nothing."""
    home = fresh(tmp_path)
    home.trail.write_bytes(b"[" * 5000 + b"\n")

    with pytest.raises(AuditTampered):
        rotate(home.journal, why="operator")

    assert not home.closed.exists()
    home.close()


def test_nothing_to_rotate(tmp_path: Path) -> None:
    """A segment that only speaks of itself stays open; doing it twice changes nothing."""
    home = TrailHome(tmp_path / "home")
    assert rotate(home.journal, why="operator") is None
    home.record(1)
    assert home.notary.rotate(why="operator") is not None
    with home.journal.read() as connection:
        before = outbox.read_head(connection)

    assert home.notary.rotate(why="operator") is None

    with home.journal.read() as connection:
        assert outbox.read_head(connection) == before
    home.close()


def test_rotation_takes_what_waits_along(tmp_path: Path) -> None:
    """Records committed but not written belong to the segment in which they were made."""
    home = fresh(tmp_path)
    with home.journal.change(drain=False) as change:
        change.record(Event.TRADE_REJECTED, number=5)

    rotate(home.journal, why="operator")

    assert len(lines_of(home.closed)) == 6
    assert home.look(keys=()).valid
    home.close()


def test_rotation_sets_remains_aside(tmp_path: Path) -> None:
    """A crash's remains do not get into the closed segment."""
    home = fresh(tmp_path)
    with home.trail.open("ab") as stream:
        stream.write(b'{"v":1,"seq"')

    rotate(home.journal, why="operator")

    assert home.look(keys=(), ledger=home.ledger_view()).valid
    assert list(home.path.glob("*.remains-*"))
    home.close()


def test_rotation_refuses_a_tampered_trail(home: TrailHome) -> None:
    """What is not ours is not closed, and its hash not put on the trail."""
    data = home.trail.read_bytes()
    home.trail.write_bytes(data.replace(b"duplicate_position", b"kill_switch_active", 1))

    with pytest.raises(AuditTampered):
        home.notary.rotate(why="operator")

    assert not (home.path / "audit_trail-000002.jsonl").exists()


def test_rotation_waits_for_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who writes without end is no reason to write beside him."""
    home = fresh(tmp_path)
    monkeypatch.setattr("thunes_cli.audit.lock._POLL_SECONDS", 0.5)
    descriptor = os.open(home.path / "audit.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    with pytest.raises(Unavailable, match="another process"):
        rotate(home.journal, why="operator")

    os.close(descriptor)
    home.close()


def test_due(tmp_path: Path) -> None:
    """By size at once when it is reached, by day from midnight of market time on."""
    home = fresh(tmp_path)
    segment = open_segment(home.journal)
    now = home.time.wall

    assert rotation_due(segment, now=now, size=segment.length + 1, daily=True) is None
    assert rotation_due(segment, now=now, size=segment.length, daily=False) == "size"
    assert rotation_due(segment, now=now + timedelta(hours=12), size=None, daily=True) == "day"
    home.close()


def test_the_notary_rotates_by_size(tmp_path: Path) -> None:
    """So that no checkpoint has to hash more than a segment's worth."""
    home = fresh(tmp_path)

    assert home.notary.rotate_if_due(size=10_000) is None
    assert home.notary.rotate_if_due(size=500) is not None
    assert home.notary.rotate_if_due(size=500) is None
    assert home.look().valid
    home.close()


class Killer:
    """Kills its own process at the n-th call that changes a file."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def guard(self, name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        setattr(os, name, call)


def _rotate_and_die(path: Path, calls: int) -> None:
    killer = Killer(calls)
    for name in FAULTS:
        killer.guard(name)
    ledger = Ledger(path / "thunes.db")
    Notary(Journal(ledger, path / "audit_trail.jsonl", Clock())).rotate(why="operator")


@pytest.mark.parametrize("half_written", [False, True], ids=["whole writes", "half writes"])
def test_killed_at_each_step(tmp_path: Path, *, half_written: bool) -> None:
    """kill -9 before any step of checkpoint, rotation and checkpoint: the next drain makes the trail whole."""
    finished = False
    for calls in range(1, 60):
        home = fresh(tmp_path / str(calls))
        with home.journal.change(drain=False) as change:
            change.record(Event.TRADE_REJECTED, number=5)
        home.close()
        child = FORK.Process(target=_rotate_and_die, args=(home.path, calls))
        child.start()
        child.join()
        if half_written and home.trail.exists() and child.exitcode:
            with home.trail.open("ab") as stream:
                stream.write(b'{"v":1,')

        outcome = home.journal.drain()
        home.record(2)
        home.notary.checkpoint()

        assert outcome is DrainOutcome.CLEAN
        report = home.look(deep=True, ledger=home.ledger_view())
        assert report.valid, (calls, report.first_bad)
        assert not [remark for remark in report.remarks if remark.attention]
        texts = b"".join(path.read_bytes() for path in sorted(home.path.glob("audit_trail*.jsonl")))
        assert texts.count(b'"number":') == 8
        home.close()
        if child.exitcode == 0:
            finished = True
            break
    assert finished
    assert calls > 10


def _rotate_often(path: Path, times: int) -> None:
    journal = Journal(Ledger(path / "thunes.db"), path / "audit_trail.jsonl", Clock())
    for _ in range(times):
        with journal.change() as change:
            change.record(Event.TRADE_APPROVED)
        Notary(journal).rotate(why="operator")
    journal.close()


def _record_often(path: Path, times: int) -> None:
    journal = Journal(Ledger(path / "thunes.db"), path / "audit_trail.jsonl", Clock())
    for number in range(times):
        with journal.change() as change:
            change.record(Event.TRADE_REJECTED, pid=os.getpid(), number=number)
    journal.close()


def test_rotating_while_others_write_and_validate(tmp_path: Path) -> None:
    """Writers, rotations and validations at once: nothing lost, nothing doubled, nobody accused."""
    home = fresh(tmp_path)
    workers = [FORK.Process(target=_record_often, args=(home.path, 60)) for _ in range(3)]
    workers.append(FORK.Process(target=_rotate_often, args=(home.path, 8)))
    for worker in workers:
        worker.start()
    looks = 0
    while any(worker.is_alive() for worker in workers):
        view = home.ledger_view()
        if view.length:
            for how in ({"ledger": view}, {"deep": True}):
                report = home.look(**how)
                assert report.valid, report.first_bad
        looks += 1
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0

    assert home.journal.drain() is DrainOutcome.CLEAN
    report = home.look(deep=True, ledger=home.ledger_view())
    assert report.valid
    assert report.segments == 9
    texts = b"".join(path.read_bytes() for path in sorted(home.path.glob("audit_trail*.jsonl")))
    assert texts.count(b'"pid":') == 180
    assert looks > 3
    home.close()

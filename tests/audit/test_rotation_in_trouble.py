"""Closing a segment where something is in the way, was taken away, or happens at the same time."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from trail_home import TrailHome

from thunes_cli.audit import rotation
from thunes_cli.audit.events import Event
from thunes_cli.audit.reading import Filter, last_records
from thunes_cli.audit.rotation import open_segment, rotate, rotate_despite_damage, rotation_due
from thunes_cli.audit.segments import trail_files
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.errors import AuditTampered, Unavailable
from thunes_cli.ledger.outbox import Head, Pending, pending, read_head


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[TrailHome]:
    """A home with five records."""
    home = TrailHome(tmp_path / "home")
    home.record(5)
    yield home
    home.close()


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, step: str) -> Iterator[None]:
    """A disk that fails at one step of a rotation; what the ledger says is committed by then."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as disk, pytest.raises(Unavailable, match="Input/output error"):
        disk.setattr(f"thunes_cli.audit.trail.{step}", fail)
        yield


def head_of(home: TrailHome) -> Head:
    with home.journal.read() as connection:
        return read_head(connection)


def test_a_trail_that_is_gone(begun: TrailHome) -> None:
    """That is no file that cannot be read now: it was taken away, and nothing is put in its place."""
    size = begun.trail.stat().st_size
    begun.trail.unlink()

    for ask in (open_segment, lambda journal: rotate(journal, why="operator"), lambda _: begun.notary.checkpoint()):
        with pytest.raises(AuditTampered, match="it is gone"):
            ask(begun.journal)
    assert begun.journal.drain() is DrainOutcome.TAMPERED
    assert f"{begun.trail} was changed from outside: it is gone, {size} bytes" in (head_of(begun).problem or "")
    assert not begun.trail.exists()


def test_a_trail_that_another_process_just_closed(begun: TrailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has another name by the time it is opened: the next segment is looked at, nobody is accused."""
    look, looked = rotation._look, []

    def look_too_late(path: Path, head: Head) -> object:
        if not looked:
            looked.append(head)
            with failing(monkeypatch, "_sync_directory"):
                rotate(begun.journal, why="operator")
            assert not path.exists()
        return look(path, head)

    monkeypatch.setattr(rotation, "_look", look_too_late)

    segment = open_segment(begun.journal)

    assert (segment.number, segment.length, segment.empty) == (2, 0, False)
    assert begun.journal.drain() is DrainOutcome.CLEAN
    assert begun.look(keys=(), ledger=begun.ledger_view()).valid


@pytest.mark.parametrize("name", ["audit_trail.jsonl", "audit.lock"])
def test_a_directory_in_the_way(tmp_path: Path, name: str) -> None:
    """Could not be done now; nothing is closed."""
    home = TrailHome(tmp_path / "home")
    home.record(5)
    (home.path / name).rename(home.path / "aside")
    (home.path / name).mkdir()

    with pytest.raises(Unavailable, match="Is a directory"):
        rotate(home.journal, why="operator")

    assert head_of(home).segment == 1
    home.close()


def test_a_line_with_a_strange_event(begun: TrailHome) -> None:
    """What stands for the event's name may be anything in a file that somebody wrote."""
    begun.trail.write_bytes(b'{"event":["SEGMENT_STARTED"],"timestamp":7}\n')

    with pytest.raises(AuditTampered):
        rotate(begun.journal, why="operator")


def test_a_segment_that_only_speaks_of_itself_is_never_due(begun: TrailHome) -> None:
    """However small the size asked for and however long ago it began: days without a record make no files."""
    begun.notary.rotate(why="operator")
    segment = open_segment(begun.journal)

    assert (segment.number, segment.length > 100) == (2, True)
    assert rotation_due(segment, now=begun.time.wall + timedelta(days=3), size=1, daily=True) is None


def test_a_record_that_comes_at_the_last_moment(begun: TrailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Committed after what waited was written, before the ledger is locked: it belongs to the segment of its time."""
    drain = begun.journal.trail.drain_held
    came = []

    def drain_and_record() -> DrainOutcome:
        outcome = drain()
        if not came:
            came.append(outcome)
            with begun.journal.change(drain=False) as change:
                change.record(Event.TRADE_REJECTED, number=5)
        return outcome

    monkeypatch.setattr(begun.journal.trail, "drain_held", drain_and_record)

    closed = rotate(begun.journal, why="operator")

    assert closed is not None
    assert closed.last_seq == 6
    assert begun.closed.read_bytes().count(b"\n") == 6
    assert begun.look(keys=(), ledger=begun.ledger_view()).valid


def test_somebody_appends_while_it_is_closed(begun: TrailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is not what would be signed for: it stays open, and the next who closes it sets that aside."""
    write = begun.journal.trail.write_waiting

    def write_and_append(head: Head, waiting: list[Pending]) -> int:
        length = write(head, waiting)
        with begun.trail.open("ab") as stream:
            stream.write(b"somebody's\n")
        return length

    with monkeypatch.context() as moment, pytest.raises(AuditTampered, match=r"it has \d+ bytes"):
        moment.setattr(begun.journal.trail, "write_waiting", write_and_append)
        rotate(begun.journal, why="operator")
    assert head_of(begun).segment == 1

    assert rotate(begun.journal, why="operator") is not None
    assert begun.look(keys=(), ledger=begun.ledger_view()).valid


def test_going_on_behind_damage_with_nothing_waiting(begun: TrailHome) -> None:
    """The file is closed as it is, byte for byte, and entries may go on; the damage stays visible."""
    forged = begun.trail.read_bytes().replace(b"duplicate_position", b"kill_switch_active", 1)
    begun.trail.write_bytes(forged)
    with pytest.raises(AuditTampered):
        begun.notary.checkpoint()

    rotate_despite_damage(begun.journal, reason="disk failure, file kept")
    begun.record(2)

    assert begun.closed.read_bytes() == forged
    assert begun.journal.drain() is DrainOutcome.CLEAN
    assert head_of(begun).tampered is None
    bad = begun.look(keys=(), ledger=begun.ledger_view()).first_bad
    assert bad is not None
    assert bad.file == begun.closed


def test_closed_and_not_yet_renamed(begun: TrailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger knows it for closed, its file bears the old name: read whole, and renamed by the next who drains."""
    with failing(monkeypatch, "os.rename"):
        rotate(begun.journal, why="operator")
    head = head_of(begun)

    files = trail_files(begun.trail, segment=head.segment, length=head.durable_length)

    with begun.journal.read() as connection:
        waiting = [item.line for item in pending(connection, after=head.durable_seq)]
    assert files == [(begun.trail, None)]
    assert [record["seq"] for record in last_records(files, waiting, Filter(), count=99)] == [1, 2, 3, 4, 5, 6]
    assert begun.journal.drain() is DrainOutcome.CLEAN
    assert begun.look(keys=(), ledger=begun.ledger_view()).valid


def test_closed_and_taken_away_before_it_was_renamed(begun: TrailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as what it was to be, with what it held."""
    with failing(monkeypatch, "os.rename"):
        rotate(begun.journal, why="operator")
    size = begun.trail.stat().st_size
    begun.trail.unlink()

    assert begun.journal.drain() is DrainOutcome.TAMPERED

    assert f"{begun.closed} was changed from outside: it is gone, {size} bytes" in (head_of(begun).problem or "")

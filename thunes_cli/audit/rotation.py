"""Closing a segment of the trail and opening the next.

One transaction of the ledger writes what still waits, closes the segment and queues ``SEGMENT_STARTED``, which names
the file it follows, its length and its SHA-256. The file is renamed afterwards. A crash before the commit changes
nothing; after it, whoever drains next renames the file and goes on.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.audit.lock import trail_lock
from thunes_cli.audit.reading import parsed, time_of
from thunes_cli.audit.record import Fact
from thunes_cli.audit.segments import closed_path
from thunes_cli.audit.trail import advance, write_all
from thunes_cli.clock import utc_midnight
from thunes_cli.errors import AuditTampered, Unavailable
from thunes_cli.ledger.outbox import Head, outbox_size, pending, read_head, save_problem, save_tampered
from thunes_cli.ledger.segments import Segment, close_segment

SEGMENT_BYTES = 64 * 1024 * 1024  # a quarter of a million records; a checkpoint hashes no more than this
_OWN_EVENTS = frozenset({Event.SEGMENT_STARTED, Event.CHECKPOINT_SIGNED, Event.AUDIT_KEY_IN_USE})
_OWN_BYTES = 16 * 1024
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The segment that is written to: its bytes on disk, and the market time of its first record."""

    number: int
    length: int
    begun_at: datetime | None
    empty: bool


def open_segment(journal: Journal) -> OpenSegment:
    """What a rotation would close. ``empty``: it holds nothing but records about the trail itself.

    Raises:
        AuditTampered: the file is gone (5). Unavailable: it cannot be read (13).
    """
    with journal.read() as connection:
        head = read_head(connection)
        waiting = outbox_size(connection)
    try:
        first, only_own = _look(journal.trail.path, head)
    except FileNotFoundError as error:
        with journal.read() as connection:
            rotated = read_head(connection).segment != head.segment
        if rotated:  # by another process, between looking here and there
            return open_segment(journal)
        raise AuditTampered(journal.trail.path, f"it is gone, {head.durable_length} bytes were written") from error
    except OSError as error:
        raise Unavailable(f"{journal.trail.path}: {error.strerror or error}") from error
    return OpenSegment(head.segment, head.durable_length, first, only_own and not waiting)


def rotation_due(segment: OpenSegment, *, now: datetime, size: int | None, daily: bool) -> str | None:
    """Why a segment should be closed: ``size``, ``day`` (it began on an earlier UTC day), or not at all."""
    if segment.empty:
        return None
    if size is not None and segment.length >= size:
        return "size"
    if daily and segment.begun_at is not None and utc_midnight(segment.begun_at) < utc_midnight(now):
        return "day"
    return None


def rotate(journal: Journal, *, why: str, **facts: Fact) -> Segment | None:
    """Close the open segment, begin the next; None when there is nothing in it.

    Args:
        journal: of the home.
        why: for the record: ``operator``, ``size`` or ``day``.
        facts: more for the record, such as who.

    Raises:
        AuditTampered: the trail is not what was written (5). Unavailable: it cannot be written now (13).
    """
    if open_segment(journal).empty:
        return None
    return _rotate(journal, why=why, despite_damage=False, facts=facts)


def rotate_despite_damage(journal: Journal, *, reason: str, **facts: Fact) -> Segment:
    """Close a segment that was tampered with, as it is, so that recording can go on.

    Records that wait are appended to it; the damage stays, visible to every validation. ``reason`` and ``facts`` go on
    the trail.

    Raises:
        Unavailable: a file cannot be written now (13).
    """
    return _rotate(journal, why="damage", despite_damage=True, facts={"reason": reason, **facts})


def _rotate(journal: Journal, *, why: str, despite_damage: bool, facts: dict[str, Fact]) -> Segment:
    trail = journal.trail
    try:
        with trail_lock(trail.path) as held:
            if not held:
                raise Unavailable("the audit trail is being written by another process", hint="try again")
            if not despite_damage:
                trail.drain_held()
            with journal.change(drain=False) as change:
                segment = _seal(change, journal) if despite_damage else _close(change, journal)
                close_segment(change.connection, segment, at=change.at)
                change.record(
                    Event.SEGMENT_STARTED,
                    segment=segment.number + 1,
                    predecessor=closed_path(trail.path, segment.number).name,
                    predecessor_bytes=segment.length,
                    predecessor_sha256=segment.sha256,
                    why=why,
                    **facts,
                )
            trail.drain_held()
    except OSError as error:
        raise Unavailable(f"{trail.path}: {error.strerror or error}") from error
    return segment


def _close(change: Change, journal: Journal) -> Segment:
    """Everything that waits is written first: the ledger is locked, so that nothing can be added."""
    head = read_head(change.connection)
    waiting = pending(change.connection, after=head.durable_seq, limit=outbox_size(change.connection) + 1)
    length = journal.trail.write_waiting(head, waiting)  # with nothing waiting it only sets a crash's remains aside
    if waiting:
        advance(change.connection, waiting, length=length)
        head = read_head(change.connection)
    descriptor = os.open(journal.trail.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size, digest = _hash(descriptor)
    finally:
        os.close(descriptor)
    if size != head.durable_length:
        raise AuditTampered(journal.trail.path, f"it has {size} bytes, {head.durable_length} were written")
    return Segment(head.segment, head.durable_seq, head.durable_hash, head.durable_last_bytes, size, digest)


def _seal(change: Change, journal: Journal) -> Segment:
    """The file as it is, with what waits at its end; what the ledger knows of its last record stays the truth."""
    head = read_head(change.connection)
    waiting = pending(change.connection, after=head.durable_seq, limit=outbox_size(change.connection) + 1)
    descriptor = os.open(journal.trail.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        write_all(descriptor, b"\n" * torn + b"".join(item.line for item in waiting), offset=size)
        os.fsync(descriptor)
        size, digest = _hash(descriptor)
    finally:
        os.close(descriptor)
    if waiting:
        advance(change.connection, waiting, length=size)
    save_tampered(change.connection, None)
    save_problem(change.connection, None, at_wall="")
    return Segment(head.segment, head.seq, head.hash, 0, size, digest)


def _hash(descriptor: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while block := os.pread(descriptor, _BLOCK, size):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()


def _look(path: Path, head: Head) -> tuple[datetime | None, bool]:
    """When the open segment's first record was made, and whether it only speaks of the trail itself."""
    if head.durable_length == 0:
        return None, True
    with path.open("rb") as stream:
        first = _event_and_time(stream.readline(_OWN_BYTES))
        if head.durable_length > _OWN_BYTES:
            return first[1], False
        stream.seek(0)
        lines = stream.read(head.durable_length).splitlines()
    return first[1], all(_event_and_time(line)[0] in _OWN_EVENTS for line in lines)


def _event_and_time(line: bytes) -> tuple[str, datetime | None]:
    record = parsed(line) or {}
    return str(record.get("event")), time_of(record)

"""Bringing committed records into the file: appended at the durable length, synced, then forgotten by the ledger.

Whoever drains holds ``audit.lock``. Bytes beyond the durable length are what a crash left between writing and
recording it: they are set aside when they are not ours, and rewritten from the outbox. Bytes before it that do not
end in the recorded hash mean that somebody changed the file: nothing is written then.
"""

from __future__ import annotations

import contextlib
import enum
import os
import sqlite3
from pathlib import Path

from thunes_cli.audit.lock import LOCK_WAIT_SECONDS, trail_lock
from thunes_cli.audit.record import line_hash
from thunes_cli.audit.segments import closed_path
from thunes_cli.clock import to_text, utc_now
from thunes_cli.errors import AuditTampered, Unavailable
from thunes_cli.ledger import outbox
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.segments import read_segment


class DrainOutcome(enum.StrEnum):
    """What became of an attempt to bring the trail up to date."""

    CLEAN = "clean"
    LOCKED = "locked"
    UNWRITABLE = "unwritable"
    TAMPERED = "tampered"


class Trail:
    """The file ``audit_trail.jsonl`` of one home."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        self.path = path
        self.ledger = ledger

    def drain(self, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> DrainOutcome:
        """Append everything that waits. Never raises for a trail that cannot be written: exits must go on."""
        try:
            with trail_lock(self.path, wait_seconds=wait_seconds) as held:
                return self.drain_held() if held else DrainOutcome.LOCKED
        except AuditTampered as error:
            self._remember(error.message)
            return DrainOutcome.TAMPERED
        except OSError as error:
            self._remember(f"{self.path}: {error.strerror or error}")
        except (Unavailable, sqlite3.Error) as error:
            self._remember(str(error))
        return DrainOutcome.UNWRITABLE

    def drain_held(self) -> DrainOutcome:
        """:meth:`drain` for whoever holds the lock; CLEAN, or TAMPERED when older bytes were found changed before.

        Raises:
            AuditTampered: the file's end is not what was written. OSError, sqlite3.Error: it cannot be written.
        """
        while True:
            with self.ledger.read() as connection:
                head = outbox.read_head(connection)
                waiting = outbox.pending(connection, after=head.durable_seq)
            self._finish_rotation(head)
            if waiting:
                length = self.write_waiting(head, waiting)
                # Unsynced: undone by a power failure, the file is longer than the ledger knows, by what still waits.
                with self.ledger.write_unsynced() as connection:
                    advance(connection, waiting, length=length)
                    more = outbox.outbox_size(connection)
                if more:
                    continue
            else:
                self._check_and_clear(head)
            return DrainOutcome.CLEAN if head.tampered is None else DrainOutcome.TAMPERED

    def write_waiting(self, head: outbox.Head, waiting: list[outbox.Pending]) -> int:
        """Put records into the file and sync it; returns the length it has then. The lock must be held.

        Raises:
            AuditTampered, OSError: as :meth:`drain_held`.
        """
        blob = b"".join(item.line for item in waiting)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._check_end(descriptor, head)
            self._set_remains_aside(descriptor, head.durable_length, expected=blob)
            write_all(descriptor, blob, offset=head.durable_length)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if head.durable_length == 0:
            _sync_directory(self.path.parent)
        return head.durable_length + len(blob)

    def _finish_rotation(self, head: outbox.Head) -> None:
        """The ledger closed a segment; the file gets its number before anything is written to the next one."""
        if head.segment == 1 or head.durable_length:
            return
        closed = closed_path(self.path, head.segment - 1)
        if closed.exists():
            return
        with self.ledger.read() as connection:
            segment = read_segment(connection, head.segment - 1)
        assert segment is not None
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise AuditTampered(closed, f"it is gone, {segment.length} bytes were written") from error
        try:
            _check_last_line(
                descriptor,
                self.path,
                length=segment.length,
                last_bytes=segment.last_bytes,
                last_hash=segment.last_hash,
                seq=segment.last_seq,
            )
            self._set_remains_aside(descriptor, segment.length, expected=b"")
        finally:
            os.close(descriptor)
        os.rename(self.path, closed)  # noqa: PTH104 - the one step of a rotation that a test kills by name
        _sync_directory(self.path.parent)

    def _check_and_clear(self, head: outbox.Head) -> None:
        """Nothing waits: an entry still wants to know that the file could be written and is the one we wrote."""
        if head.durable_length == 0 and not self.path.exists():
            return
        descriptor = self._open_existing(head)
        try:
            self._check_end(descriptor, head)
        finally:
            os.close(descriptor)
        if head.problem is None:
            return
        with self.ledger.write() as connection:
            outbox.save_problem(connection, None, at_wall=to_text(utc_now()))

    def _open_existing(self, head: outbox.Head) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise AuditTampered(self.path, f"it is gone, {head.durable_length} bytes were written") from error

    def _check_end(self, descriptor: int, head: outbox.Head) -> None:
        if head.durable_length:
            _check_last_line(
                descriptor,
                self.path,
                length=head.durable_length,
                last_bytes=head.durable_last_bytes,
                last_hash=head.durable_hash,
                seq=head.durable_seq,
            )

    def _set_remains_aside(self, descriptor: int, length: int, *, expected: bytes) -> None:
        size = os.fstat(descriptor).st_size
        if size == length:
            return
        remains = os.pread(descriptor, size - length, length)
        if not expected.startswith(remains):
            aside = self.path.with_name(f"{self.path.name}.remains-{utc_now():%Y%m%dT%H%M%S%fZ}")
            with open(aside, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
                stream.write(remains)
                stream.flush()
                os.fsync(stream.fileno())
        os.ftruncate(descriptor, length)

    def _remember(self, problem: str) -> None:
        with contextlib.suppress(sqlite3.Error), self.ledger.write() as connection:
            if outbox.read_head(connection).problem != problem:
                outbox.save_problem(connection, problem, at_wall=to_text(utc_now()))


def advance(connection: sqlite3.Connection, written: list[outbox.Pending], *, length: int) -> None:
    """Record that records are in the file, which has ``length`` bytes now."""
    last = written[-1]
    outbox.advance(connection, seq=last.seq, line_hash=line_hash(last.line), length=length, last_bytes=len(last.line))


def _check_last_line(descriptor: int, path: Path, *, length: int, last_bytes: int, last_hash: str, seq: int) -> None:
    """Without a last line to compare (0 bytes: a damaged segment that was closed as it is) only the length counts."""
    size = os.fstat(descriptor).st_size
    if size < length:
        raise AuditTampered(path, f"it has {size} bytes, {length} were written")
    start = length - last_bytes
    if last_bytes and line_hash(os.pread(descriptor, last_bytes, start)) != last_hash:
        raise AuditTampered(path, f"record {seq} at byte {start} is not the one that was written")


def write_all(descriptor: int, blob: bytes, *, offset: int) -> None:
    """Write bytes at a place, however many calls it takes."""
    view = memoryview(blob)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _sync_directory(path: Path) -> None:
    """As :func:`thunes_cli.config.private_file.sync_directory`, whose module would slow the kill switch down."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

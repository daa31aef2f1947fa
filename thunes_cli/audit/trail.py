"""Bringing committed records into the file: appended at the durable length, synced, then forgotten by the ledger.

Whoever drains holds ``audit.lock``. Bytes beyond the durable length are what a crash left between writing and
recording it: they are set aside when they are not ours, and rewritten from the outbox. Bytes before it that do not
end in the recorded hash mean that somebody changed the file: nothing is written then.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from thunes_cli.audit.record import line_hash
from thunes_cli.clock import to_text, utc_now
from thunes_cli.errors import AuditTampered, Unavailable
from thunes_cli.ledger import outbox
from thunes_cli.ledger.connection import Ledger

LOCK_WAIT_SECONDS = 2.0
_LOCK_POLL_SECONDS = 0.01


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
            with self._locked(wait_seconds) as held:
                if not held:
                    return DrainOutcome.LOCKED
                while self._drain_batch():
                    pass
        except AuditTampered as error:
            self._remember(error.message)
            return DrainOutcome.TAMPERED
        except OSError as error:
            self._remember(f"{self.path}: {error.strerror or error}")
            return DrainOutcome.UNWRITABLE
        except Unavailable as error:
            self._remember(error.message)
            return DrainOutcome.UNWRITABLE
        return DrainOutcome.CLEAN

    @contextlib.contextmanager
    def _locked(self, wait_seconds: float) -> Iterator[bool]:
        descriptor = os.open(self.path.with_name("audit.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + wait_seconds
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        yield False
                        return
                    time.sleep(_LOCK_POLL_SECONDS)
                else:
                    yield True
                    return
        finally:
            os.close(descriptor)

    def _drain_batch(self) -> bool:
        """Write one batch; False when nothing waits."""
        with self.ledger.read() as connection:
            head = outbox.read_head(connection)
            waiting = outbox.pending(connection, after=head.durable_seq)
        if not waiting:
            self._check_and_clear(head)
            return False
        blob = b"".join(item.line for item in waiting)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._check_end(descriptor, head)
            self._set_remains_aside(descriptor, head, expected=blob)
            _write_all(descriptor, blob, offset=head.durable_length)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if head.durable_length == 0:
            _sync_directory(self.path.parent)
        last = waiting[-1]
        with self.ledger.write() as connection:
            outbox.advance(
                connection,
                seq=last.seq,
                line_hash=line_hash(last.line),
                length=head.durable_length + len(blob),
                last_bytes=len(last.line),
            )
        return True

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
        size = os.fstat(descriptor).st_size
        if size < head.durable_length:
            raise AuditTampered(self.path, f"it has {size} bytes, {head.durable_length} were written")
        if head.durable_length == 0:
            return
        start = head.durable_length - head.durable_last_bytes
        last = os.pread(descriptor, head.durable_last_bytes, start)
        if line_hash(last) != head.durable_hash:
            raise AuditTampered(self.path, f"record {head.durable_seq} at byte {start} is not the one that was written")

    def _set_remains_aside(self, descriptor: int, head: outbox.Head, *, expected: bytes) -> None:
        size = os.fstat(descriptor).st_size
        if size == head.durable_length:
            return
        remains = os.pread(descriptor, size - head.durable_length, head.durable_length)
        if not expected.startswith(remains):
            aside = self.path.with_name(f"{self.path.name}.remains-{utc_now():%Y%m%dT%H%M%S%fZ}")
            with open(aside, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
                stream.write(remains)
                stream.flush()
                os.fsync(stream.fileno())
        os.ftruncate(descriptor, head.durable_length)

    def _remember(self, problem: str) -> None:
        with contextlib.suppress(sqlite3.Error), self.ledger.write() as connection:
            if outbox.read_head(connection).problem != problem:
                outbox.save_problem(connection, problem, at_wall=to_text(utc_now()))


def _write_all(descriptor: int, blob: bytes, *, offset: int) -> None:
    view = memoryview(blob)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

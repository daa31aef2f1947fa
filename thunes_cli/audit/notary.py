"""Making checkpoints: the trail is verified up to its end, signed, and the signature written beside it.

Nothing is signed unseen. What earlier checkpoints cover must still have their hash, and every link behind the last one
must hold: an edit behind our back is found here at the latest, and never signed.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.key import announce_key, ensure_audit_key
from thunes_cli.audit.lock import trail_lock
from thunes_cli.audit.notes import NO_NOTE, Checkpoint, Note, SigningKey, parse_note
from thunes_cli.audit.record import FIRST_PREV, Fact
from thunes_cli.audit.rotation import SEGMENT_BYTES, open_segment, rotate
from thunes_cli.audit.segments import checkpoint_path
from thunes_cli.audit.trail import write_all
from thunes_cli.clock import to_text
from thunes_cli.config.private_file import sync_directory
from thunes_cli.errors import AuditTampered, Unavailable
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.outbox import Head, read_head, save_tampered
from thunes_cli.ledger.segments import CheckpointRow, Segment, read_checkpoint, read_segment, save_checkpoint

EVERY_RECORDS = 1000
EVERY = timedelta(hours=1)
_RETRY_S = 60.0
_SEPARATOR = b"\n"


class Notary:
    """Signs the trail of one home. ``credentials``: the directory of systemd's credentials."""

    def __init__(self, journal: Journal, *, credentials: Path | None = None) -> None:
        self.journal = journal
        self._credentials = credentials
        self._path = journal.trail.path
        self._file = checkpoint_path(self._path)
        self._key: SigningKey | None = None
        self._not_before_mono = 0.0

    @property
    def key(self) -> SigningKey:
        """The home's key, made when there is none.

        Raises:
            ConfigError: it cannot be used. Unavailable: it cannot be read or written.
        """
        if self._key is None:
            with self.journal.read() as connection:
                instance = read_identity(connection).instance
            try:
                self._key = ensure_audit_key(self._path.parent, instance=instance, credentials=self._credentials)
            except OSError as error:
                raise Unavailable(f"the audit key cannot be had: {error.strerror} ({error.filename})") from error
        return self._key

    def checkpoint_if_due(self) -> CheckpointRow | None:
        """A checkpoint after so many records, or after an hour with any; None when none is due.

        Raises: as :meth:`checkpoint`; after a failure it is not tried again for a minute.
        """
        clock = self.journal.clock
        with self.journal.read() as connection:
            head, last = read_head(connection), read_checkpoint(connection)
        fresh = head.seq - (last.announced_seq if last is not None else 0)
        old = last is None or abs(clock.wall() - last.at_wall) >= EVERY
        if not (fresh >= EVERY_RECORDS or (fresh > 0 and old) or head.tampered is not None):
            return None
        if clock.monotonic() < self._not_before_mono:
            return None
        self._not_before_mono = clock.monotonic() + _RETRY_S
        made = self.checkpoint()
        self._not_before_mono = 0.0
        return made

    def checkpoint(self) -> CheckpointRow | None:
        """Verify and sign the trail up to its durable end; None when nothing is new since the last time.

        Raises:
            AuditTampered: the trail, or the file of checkpoints, is not what was written; nothing is signed (5).
            ConfigError: the key cannot be used (78). Unavailable: a file cannot be read or written now (13).
        """
        try:
            self.journal.drain()
            while True:
                with self.journal.read() as connection:
                    head, last = read_head(connection), read_checkpoint(connection)
                nothing_new = last is not None and head.durable_seq <= last.announced_seq
                if head.durable_length == 0 or (nothing_new and head.tampered is None):
                    return None
                digest = self._verify(head, last)
                if digest is None:
                    continue
                if nothing_new:
                    self._remember(None)
                    return None
                made = self._sign(head, last, digest)
                if made is not None:
                    self.journal.drain()
                    return made
        except OSError as error:
            raise Unavailable(f"{self._file}: {error.strerror or error}") from error

    def rotate(self, *, why: str, **facts: Fact) -> Segment | None:
        """Close the open segment; a checkpoint before looks at it, one after it signs what it was.

        None when there is nothing in it. Raises: as :meth:`checkpoint`.
        """
        if open_segment(self.journal).empty:
            return None
        self.checkpoint()
        closed = rotate(self.journal, why=why, **facts)
        self.checkpoint()
        return closed

    def rotate_if_due(self, *, size: int = SEGMENT_BYTES) -> Segment | None:
        """Close the open segment when it has grown to so many bytes. Raises: as :meth:`checkpoint`."""
        with self.journal.read() as connection:
            if read_head(connection).durable_length < size:
                return None
        return self.rotate(why="size")

    # -- looking before signing ------------------------------------------------------------------------------------

    def _verify(self, head: Head, last: CheckpointRow | None) -> bytes | None:
        """The hash of the open segment up to its durable end, once all of it was seen to be ours; None: look again."""
        from thunes_cli.audit.chunks import Level, Place  # noqa: PLC0415 - msgspec: not on the way of a status command
        from thunes_cli.audit.scan import Order, SegmentFile, SegmentScan  # noqa: PLC0415 - as above
        from thunes_cli.audit.witness import Mark, Marks  # noqa: PLC0415 - as above

        marks, trusted = [], 0
        if last is not None and last.segment == head.segment:
            digest = bytes.fromhex(last.sha256)
            marks = [Mark(head.segment, last.length, last.seq, "the last checkpoint", digest, last.line_hash)]
            trusted = last.length
        with self.journal.read() as connection:
            before = read_segment(connection, head.segment - 1)
        start = Place(before.last_seq, before.last_hash) if before is not None else Place(0, FIRST_PREV)
        marks.append(Mark(head.segment, head.durable_length, head.durable_seq, "the ledger", None, head.durable_hash))
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._unless_rotated(head, "it is gone")
            return None
        try:
            file = SegmentFile(head.segment, self._path, descriptor, closed=True, length=head.durable_length)
            order = Order(Level.LINKS, trusted)
            seen = SegmentScan(file, Marks(marks), order, start=start).run()
        finally:
            os.close(descriptor)
        if seen.fault is not None:
            fault = seen.fault
            self._unless_rotated(head, f"line {fault.line} at byte {fault.offset}: {fault.problem}")
            return None
        assert seen.sha256 is not None
        return seen.sha256

    def _unless_rotated(self, head: Head, what: str) -> None:
        """Another process may have closed the segment between reading the ledger and opening the file.

        Raises:
            AuditTampered: it did not, so the file is not what was written.
        """
        with self.journal.read() as connection:
            if read_head(connection).segment != head.segment:
                return
        self._remember(what)
        raise AuditTampered(self._path, what)

    def _remember(self, what: str | None) -> None:
        """Entries stay stopped until a later look finds the trail sound again."""
        with self.journal.ledger.write() as connection:
            save_tampered(connection, what)

    # -- signing ---------------------------------------------------------------------------------------------------

    def _sign(self, head: Head, last: CheckpointRow | None, digest: bytes) -> CheckpointRow | None:
        """Write and record the note; None when another process made one meanwhile."""
        key = self.key
        checkpoint = Checkpoint(
            origin=key.public.name,
            segment=head.segment,
            seq=head.durable_seq,
            length=head.durable_length,
            sha256=digest,
            previous=NO_NOTE if last is None else parse_note(last.note.encode()).hash,
            at=to_text(self.journal.clock.now())[:19] + "Z",
        )
        note = key.sign(checkpoint)
        with trail_lock(self._path) as held:
            if not held:
                raise Unavailable("the audit trail is being written by another process")
            with self.journal.read() as connection:
                if read_checkpoint(connection) != last:
                    return None
            length = self._append(note, last)
            with self.journal.change(drain=False) as change:
                announce_key(change, key)
                change.record(
                    Event.CHECKPOINT_SIGNED,
                    segment=checkpoint.segment,
                    covers_seq=checkpoint.seq,
                    bytes=checkpoint.length,
                    sha256=digest.hex(),
                    note_sha256=note.hash.hex(),
                    key_id=key.public.key_id.hex(),
                )
                row = CheckpointRow(
                    segment=checkpoint.segment,
                    seq=checkpoint.seq,
                    length=checkpoint.length,
                    sha256=digest.hex(),
                    line_hash=head.durable_hash,
                    note=note.raw.decode(),
                    announced_seq=read_head(change.connection).seq,
                    file_length=length,
                    at_wall=change.at_wall,
                )
                save_checkpoint(change.connection, row)
                save_tampered(change.connection, None)
        return row

    def _append(self, note: Note, last: CheckpointRow | None) -> int:
        """Put a note behind the last one, over what a crash may have left there; returns the file's length then."""
        length = last.file_length if last is not None else 0
        try:
            flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if last is None else 0)
            descriptor = os.open(self._file, flags, 0o600)
        except FileNotFoundError as error:
            raise AuditTampered(self._file, "it is gone") from error
        try:
            if last is not None:
                raw = last.note.encode() + _SEPARATOR
                if os.pread(descriptor, len(raw), length - len(raw)) != raw:
                    raise AuditTampered(self._file, "it does not hold the last checkpoint any more")
            os.ftruncate(descriptor, length)
            write_all(descriptor, note.raw + _SEPARATOR, offset=length)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if length == 0:
            sync_directory(self._file.parent)
        return length + len(note.raw) + len(_SEPARATOR)

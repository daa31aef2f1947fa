"""What a backup holds, taken under a running daemon: the ledger first, then the trail up to where that ledger saw it.

The ledger is copied by SQLite's own backup in one read transaction. Its head says how many bytes of which segment are
durable; exactly those are taken, so that both agree whatever is written meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.record import line_hash
from thunes_cli.audit.segments import checkpoint_path, closed_path, public_key_path
from thunes_cli.counts import count
from thunes_cli.errors import IntegrityError, LedgerCorrupt
from thunes_cli.ledger.copying import copy_ledger
from thunes_cli.ledger.identity import Identity, read_identity
from thunes_cli.ledger.outbox import Head, read_head
from thunes_cli.ledger.segments import Segment, read_checkpoint, read_segment
from thunes_cli.ops.backups.archive import LEDGER, Source

_TRIES = 3
_CACHE_KIB = (
    12 * 1024
)  # indexes are looked up at random: with SQLite's usual two MiB the check takes half as long again


class Proof:
    """SQLite's check of a copied ledger, on a thread of its own while the archive is written."""

    def __init__(self, copy: Path, shown: Path) -> None:
        self._copy, self._shown = copy, shown
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="integrity", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with closing(sqlite3.connect(f"{self._copy.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                prove_ledger(connection, self._shown)
        except Exception as error:  # noqa: BLE001 - raised by whoever waits for it
            self._failed = error

    def demand(self) -> None:
        """Wait for the answer.

        Raises:
            LedgerCorrupt: the copy is damaged, and so is what it was made of (5).
        """
        self._thread.join()
        if self._failed is not None:
            raise self._failed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copied ledger and the open files of its trail. ``rows`` counts the ledger's rows by table.

    ``proof``: whether the copy is sound; must be asked before a backup is taken for one.
    """

    identity: Identity
    head: Head
    schema: int
    rows: dict[str, int]
    sources: tuple[Source, ...]
    proof: Proof

    @property
    def bytes(self) -> int:
        """All members together."""
        return sum(source.length for source in self.sources)


class TrailDiffers(IntegrityError):
    """the audit trail is not what the ledger says was written: {0}"""

    code = "audit_tampered"
    hint = "thunes audit validate; a backup of what is there all the same: copy the home's files"


def prove_ledger(connection: sqlite3.Connection, shown: Path | str) -> None:
    """SQLite's own checks. Raises: LedgerCorrupt (5)."""
    try:
        told = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        lost = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        raise LedgerCorrupt(shown, error) from error
    if told != ["ok"]:
        raise LedgerCorrupt(shown, "; ".join(told))
    if lost:
        raise LedgerCorrupt(shown, f"{count(len(lost), 'reference')} to rows that are not there")


@contextmanager
def snapshot(ledger: Path, trail: Path, staging: Path) -> Iterator[Snapshot]:
    """Take it; its files are open while the block runs.

    Raises:
        LedgerCorrupt, TrailDiffers: what is there must not be taken for good (5). sqlite3.Error, OSError.
    """
    copy = staging / LEDGER
    copy_ledger(ledger, copy, durable=False)  # it is read into the archive and goes
    proof = Proof(copy, ledger)
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True)) as connection, ExitStack() as stack:
        connection.row_factory = sqlite3.Row
        head, notes = read_head(connection), read_checkpoint(connection)
        closed = [read_segment(connection, number) for number in range(1, head.segment)]
        sources = [Source(LEDGER, copy.stat().st_size, stack.enter_context(copy.open("rb")))]
        sources += [_closed(stack, trail, segment) for segment in closed if segment is not None]
        if head.durable_length:
            sources.append(_open(stack, trail, head))
        if notes is not None:
            sources.append(_part(stack, checkpoint_path(trail), notes.file_length))
        keys = public_key_path(trail)
        if keys.exists():
            sources.append(_part(stack, keys, keys.stat().st_size))
        yield Snapshot(
            identity=read_identity(connection),
            head=head,
            schema=int(connection.execute("PRAGMA user_version").fetchone()[0]),
            rows=count_rows(connection),
            sources=tuple(sources),
            proof=proof,
        )


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows by table."""
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    return {
        name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608 - the schema's own
        for name in sorted(names)
    }


def _closed(stack: ExitStack, trail: Path, segment: Segment) -> Source:
    """A closed segment; in the instant of a rotation it still bears the open one's name."""
    path = closed_path(trail, segment.number)
    source = _part(stack, path if path.exists() else trail, segment.length)
    return Source(path.name, source.length, source.stream)


def _open(stack: ExitStack, trail: Path, head: Head) -> Source:
    """The segment that was open when the ledger was copied; it may have been closed since."""
    for _ in range(_TRIES):
        path = closed_path(trail, head.segment)
        source = _part(stack, path if path.exists() else trail, head.durable_length)
        if _ends_so(source, head):
            return Source(trail.name, source.length, source.stream)
    raise TrailDiffers(f"record {head.durable_seq} is not where it was written")


def _ends_so(source: Source, head: Head) -> bool:
    if not head.durable_last_bytes:
        return True
    last = os.pread(source.stream.fileno(), head.durable_last_bytes, head.durable_length - head.durable_last_bytes)
    return line_hash(last) == head.durable_hash


def _part(stack: ExitStack, path: Path, length: int) -> Source:
    try:
        stream = stack.enter_context(path.open("rb"))
    except FileNotFoundError as error:
        raise TrailDiffers(f"{path.name} is gone") from error
    size = os.fstat(stream.fileno()).st_size
    if size < length:
        raise TrailDiffers(f"{path.name} has {size} bytes, {length} were written")
    return Source(path.name, length, stream)

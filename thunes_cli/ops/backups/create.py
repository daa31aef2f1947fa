"""Making a backup: snapshot, archive, manifest, signature; it has its name only when all of it is on the disk."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from thunes_cli import __version__
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.notes import SigningKey
from thunes_cli.clock import to_text
from thunes_cli.config.private_file import sync_directory, write_private_file
from thunes_cli.errors import Unavailable
from thunes_cli.ledger.reserve import free_bytes
from thunes_cli.ops.backups.archive import SETTINGS, ArchiveWriter
from thunes_cli.ops.backups.catalog import Backup, find_backup, new_path, working_in
from thunes_cli.ops.backups.faults import NoRoom
from thunes_cli.ops.backups.manifest import NAME, SIGNATURE, Manifest, TrailEnd, sign
from thunes_cli.ops.backups.sealing import sealed_for_writing
from thunes_cli.ops.backups.snapshot import Snapshot, snapshot
from thunes_cli.ops.backups.workplace import workplace

_MIB = 1024 * 1024
_SPARE = 8 * _MIB

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backup shall be. ``settings`` is text without secrets; ``secrets`` are members of that name, if any."""

    directory: Path
    recipients: Sequence[Any]
    settings: str
    secrets: Mapping[str, bytes]

    def __post_init__(self) -> None:
        """Raises: ValueError: nobody is named who could decrypt the secrets."""
        if self.secrets and not self.recipients:
            raise ValueError("secrets are never written unencrypted")


def create_backup(journal: Journal, wanted: Wanted, key: SigningKey, progress: Progress) -> tuple[Backup, Manifest]:
    """Make one, durable when this returns.

    Raises:
        NoRoom: the disk has not room for it (13). Locked: another one is being made (11).
        LedgerCorrupt, TrailDiffers: what is there must not be taken for good (5). Unavailable: it cannot be written.
    """
    home, directory = journal.ledger.path.parent, wanted.directory
    with working_in(directory):
        need_room(directory, _estimate(home))
        try:
            with (
                workplace(directory) as staging,
                snapshot(journal.ledger.path, journal.trail.path, staging) as taken,
            ):
                path, manifest = _write(journal, wanted, taken, staging=staging, key=key, progress=progress)
        except sqlite3.Error as error:
            raise Unavailable(f"the ledger cannot be copied: {error}") from error
        except OSError as error:
            raise Unavailable(f"the backup cannot be written: {error.strerror or error}", hint="df -h") from error
        return find_backup(directory, str(path)), manifest


def need_room(directory: Path, needed: int) -> None:
    """Raises: NoRoom: there is not as much (13)."""
    free = free_bytes(directory)
    if free < needed + _SPARE:
        raise NoRoom(directory, free // _MIB, (needed + _SPARE) // _MIB + 1)


def _estimate(home: Path) -> int:
    """The ledger's copy, and an archive that does not get smaller."""
    files = [home / "thunes.db", *home.glob("audit_trail*")]
    sizes = [path.stat().st_size for path in files if path.is_file()]
    return sizes[0] + sum(sizes) if sizes else 0


def _write(
    journal: Journal, wanted: Wanted, taken: Snapshot, *, staging: Path, key: SigningKey, progress: Progress
) -> tuple[Path, Manifest]:
    wall = journal.clock.wall()
    path = new_path(wanted.directory, instance=taken.identity.instance, wall=wall, encrypted=bool(wanted.recipients))
    draft = staging / path.name
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress(done, taken.bytes)

    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        hashing = _Hashed(out)
        with sealed_for_writing(hashing, wanted.recipients) as stream:
            manifest = _fill(
                ArchiveWriter(stream, step), journal, wanted, taken, key, name=_id(path), made=to_text(wall)
            )
        out.flush()
        os.fsync(out.fileno())
    taken.proof.demand()
    write_private_file(path.with_name(path.name + ".sha256"), f"{hashing.sha256.hexdigest()}  {path.name}\n")
    draft.rename(path)
    sync_directory(wanted.directory)
    return path, manifest


def _id(path: Path) -> str:
    return path.name.split("-", 2)[2].partition(".")[0]


def _fill(
    archive: ArchiveWriter, journal: Journal, wanted: Wanted, taken: Snapshot, key: SigningKey, *, name: str, made: str
) -> Manifest:
    for source in taken.sources:
        archive.add(source)
    archive.add_bytes(SETTINGS, wanted.settings.encode())
    for member, raw in wanted.secrets.items():
        archive.add_bytes(member, raw)
    identity, head = taken.identity, taken.head
    manifest = Manifest(
        id=name,
        made_at=made,
        market_at=to_text(journal.clock.now()),
        environment=str(identity.environment),
        instance=identity.instance,
        epoch=identity.epoch,
        schema=taken.schema,
        thunes=__version__,
        secrets=bool(wanted.secrets),
        trail=TrailEnd(head.segment, head.durable_length, head.durable_seq, head.durable_hash),
        rows=taken.rows,
        members=tuple(archive.members),
    )
    raw = manifest.to_json()
    archive.add_bytes(NAME, raw)
    archive.add_bytes(SIGNATURE, sign(raw, key))
    archive.close()
    return manifest


class _Hashed:
    """A file that knows the hash of what was written to it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        self.sha256.update(chunk)
        return self._out.write(chunk)

    def flush(self) -> None:
        self._out.flush()

"""The backups of a directory, by the names of their files alone: what is not finished has another name."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from thunes_cli.config.tilde import expanded
from thunes_cli.errors import Locked, Unavailable
from thunes_cli.ledger.backups import BackupRow
from thunes_cli.ops.backups.faults import BackupMissing
from thunes_cli.ops.backups.manifest import Manifest
from thunes_cli.ops.backups.workplace import clear_left

MODE = 0o700
_LOCK = ".lock"
_NAME = re.compile(r"thunes-(?P<instance>[a-z0-9]{6})-(?P<id>\d{8}T\d{6}Z(?:-\d+)?)\.tar\.zst(?P<age>\.age)?")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup. ``made_at`` is wall time, UTC."""

    id: str
    path: Path
    instance: str
    encrypted: bool
    bytes: int
    made_at: datetime

    @property
    def checksum_path(self) -> Path:
        """Its SHA-256 beside it, as ``sha256sum -c`` reads it."""
        return self.path.with_name(self.path.name + ".sha256")


def row_of(backup: Backup, manifest: Manifest, *, looked_wall: datetime, problem: str | None = None) -> BackupRow:
    """What a ledger remembers of a backup that was looked at."""
    return BackupRow(
        id=backup.id,
        made_wall=backup.made_at,
        path=str(backup.path),
        bytes=backup.bytes,
        encrypted=backup.encrypted,
        audit_seq=manifest.trail.seq,
        verified_wall=looked_wall if problem is None else None,
        problem=problem,
    )


def new_path(directory: Path, *, instance: str, wall: datetime, encrypted: bool) -> Path:
    """Where the next backup will stand; two within one second are told apart."""
    stamp, ending = wall.strftime(_STAMP), ".tar.zst.age" if encrypted else ".tar.zst"
    taken = {backup.id for backup in list_backups(directory)}
    name, number = stamp, 1
    while name in taken:
        number += 1
        name = f"{stamp}-{number}"
    return directory / f"thunes-{instance}-{name}{ending}"


def list_backups(directory: Path) -> list[Backup]:
    """Every finished backup, newest first; none where there is no such directory.

    Raises:
        Unavailable: the directory cannot be read (13).
    """
    try:
        entries = [entry for entry in os.scandir(directory) if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unavailable(f"{directory} cannot be read: {error.strerror}") from error
    found = [_backup(Path(entry.path), entry.stat().st_size) for entry in entries if _NAME.fullmatch(entry.name)]
    return sorted(found, key=lambda backup: (backup.made_at, len(backup.id), backup.id), reverse=True)


def _backup(path: Path, size: int) -> Backup:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    made = datetime.strptime(match["id"][:16], _STAMP).replace(tzinfo=UTC)
    return Backup(match["id"], path, match["instance"], match["age"] is not None, size, made)


def find_backup(directory: Path, named: str | None) -> Backup:
    """The backup of an id (or the file at a path); without one the newest.

    Raises:
        BackupMissing: there is none (10).
    """
    if named is not None and ("/" in named or named.endswith((".zst", ".age"))):
        path = expanded(named)
        if not path.is_file() or _NAME.fullmatch(path.name) is None:
            raise BackupMissing(named, hint="a backup's file is named thunes-INSTANCE-ID.tar.zst[.age]")
        return _backup(path, path.stat().st_size)
    backups = list_backups(directory)
    if named is None:
        if not backups:
            raise BackupMissing(f"in {directory}", hint="make one: thunes backup")
        return backups[0]
    for backup in backups:
        if backup.id == named:
            return backup
    raise BackupMissing(named)


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    """Nobody else makes or removes backups there meanwhile; what a killed process left unfinished is cleared away.

    Raises:
        Locked: somebody does (11). Unavailable: the directory cannot be made or written (13).
    """
    try:
        directory.mkdir(mode=MODE, parents=True, exist_ok=True)
        descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"{directory} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(
                pid="unknown",
                command="thunes backup",
                since="a moment ago",
                hint="it ends by itself; try again",
            ) from None
        except OSError as error:
            raise Unavailable(
                f"nothing can be locked in {directory}: {error.strerror}", hint="set BACKUP_DIR"
            ) from error
        clear_left(directory)
        yield
    finally:
        os.close(descriptor)

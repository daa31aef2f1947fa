"""Eight megabytes that are given up when the disk is full, so that what an exit needs can still be written down.

Only the standard library is imported: every command that writes passes here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from thunes_cli.config.home import RESERVE

SIZE = 8 * 1024 * 1024
_HARDLY_ANY = 1024 * 1024


def is_full(error: BaseException | None, home: Path) -> bool:
    """Whether SQLite failed because the disk (or the quota) has no room: it says so, or there is none."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    # Opening a ledger makes files of its own, and their failing is told as any other.
    return code == sqlite3.SQLITE_FULL or (
        code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and free_bytes(home) < _HARDLY_ANY
    )


def free_bytes(home: Path) -> int:
    """What may still be written there."""
    disk = os.statvfs(home)
    return disk.f_bavail * disk.f_frsize


def has_reserve(home: Path) -> bool:
    """Whether it is there, in its full size."""
    try:
        return (home / RESERVE).stat().st_size >= SIZE
    except OSError:
        return False


def make_reserve(home: Path, *, leave: int = SIZE) -> bool:
    """Take the room while there is some, leaving so many bytes to others; whether it is there now. Never raises."""
    if has_reserve(home):
        return True
    path = home / RESERVE
    try:
        if free_bytes(home) < SIZE + leave:
            return False
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        finally:
            os.close(descriptor)
    except OSError:
        free_reserve(home)
        return False
    return True


def free_reserve(home: Path) -> None:
    """Give the room back; doing it twice is harmless. Never raises."""
    with contextlib.suppress(OSError):
        (home / RESERVE).unlink(missing_ok=True)


def make_room(home: Path) -> bool:
    """Before a start, which writes a lot before it looks after exits: give the reserve up when there is hardly room."""
    try:
        short = free_bytes(home) < _HARDLY_ANY
    except OSError:
        return False
    if short:
        free_reserve(home)
    return short

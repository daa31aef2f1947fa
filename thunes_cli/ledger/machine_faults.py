"""What is wrong with the machine and not with us: a full disk, a lock that is kept, an error of a device.

It passes by itself, or the operator mends it; the ledger is not damaged by it. Only the standard library is imported.
"""

from __future__ import annotations

import errno
import shlex
import sqlite3
from pathlib import Path

from thunes_cli.errors import Unavailable

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
_MASK = 0xFF  # SQLite's extended codes carry the plain one in their lowest byte


def is_machine_fault(error: BaseException) -> bool:
    """Whether SQLite or the disk could not do what they were told, for reasons that pass."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) or 0) & _MASK in _PASSING
    return isinstance(error, OSError) and error.errno in _DISK


def unavailable(error: Exception, path: Path, *, verb: str) -> Unavailable:
    """What to tell the operator; ``verb`` is what could not be done with the ledger: opened, read or written."""
    hint = f"try again; if it stays so, look at the disk: df -h {shlex.quote(str(path.parent))}"
    return Unavailable(f"the ledger {path} cannot be {verb}: {error}", hint=hint)

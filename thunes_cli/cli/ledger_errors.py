"""SQLite's errors as errors of the contract: what passes by itself is 13, what does not is a damaged ledger, 5."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

from thunes_cli.errors import LedgerCorrupt, ThunesError, Unavailable

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


def ledger_error(error: sqlite3.Error, path: Path, *, verb: str = "read") -> ThunesError:
    """What to tell the operator; ``verb`` is what could not be done: read or written."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:
        hint = f"try again; if it stays so, look at the disk: df -h {shlex.quote(str(path.parent))}"
        return Unavailable(f"the ledger {path} cannot be {verb}: {error}", hint=hint)
    return LedgerCorrupt(path, error)

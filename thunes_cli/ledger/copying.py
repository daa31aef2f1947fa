"""A copy of a ledger that may be in use, made by SQLite's own backup in one read transaction."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def copy_ledger(ledger: Path, copy: Path, *, durable: bool) -> None:
    """Copy it to a new file, for its owner alone; one file, without a log beside it.

    Args:
        ledger: somebody may be writing to it.
        copy: must not exist; what is there after an error is no copy.
        durable: whether it survives the loss of power once this returns.

    Raises:
        sqlite3.Error, OSError: it could not be made.
    """
    with closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True)) as source:
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as target:
                target.execute("PRAGMA synchronous=OFF")
                target.execute("PRAGMA journal_mode=OFF")
                source.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""What SQLite is told of a ledger: whose file it is, which schema it has, how it is written."""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x54484E53  # "THNS": file(1) and we recognise our own
SCHEMA_VERSION = 1


def configure(connection: sqlite3.Connection) -> None:
    """The settings every writer uses: nothing acknowledged is lost, not even with the power."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")

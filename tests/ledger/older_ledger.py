"""A version of the product whose schema is one further than today's, made for a test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from thunes_cli.ledger import connection, schema

VERSION = schema.SCHEMA_VERSION
NEXT = VERSION + 1


def add_a_column(db: Database) -> None:
    """What a migration usually does."""
    db.execute("ALTER TABLE kill_switch ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'")
    db.execute(f"PRAGMA user_version = {NEXT}")


def become_newer(monkeypatch: pytest.MonkeyPatch, migration: Callable[[Database], None] = add_a_column) -> None:
    """From here on the ledgers that are there are older ones."""
    monkeypatch.setattr(schema.migrations, "_migrations", [*schema.migrations._migrations])
    schema.migrations(name="one more")(migration)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", NEXT)
    monkeypatch.setattr(connection, "SCHEMA_VERSION", NEXT)


def dump(path: Path) -> list[str]:
    """All that a ledger holds, and its schema's number."""
    with closing(sqlite3.connect(path)) as ledger:
        return [*ledger.iterdump(), f"version {ledger.execute('PRAGMA user_version').fetchone()[0]}"]

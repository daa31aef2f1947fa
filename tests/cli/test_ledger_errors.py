"""SQLite's errors in the operator's words: which pass by themselves, and where to look."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from thunes_cli.cli.ledger_errors import ledger_error
from thunes_cli.errors import ExitCode


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    """Nothing is lost, and the hint names the disk that is meant."""
    path = tmp_path / "a bot" / "thunes.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x BLOB)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")

    error = ledger_error(caught.value, path, verb="written")

    assert error.exit_code is ExitCode.UNAVAILABLE
    assert error.message == f"the ledger {path} cannot be written: database or disk is full"
    assert error.hint == f"try again; if it stays so, look at the disk: df -h '{path.parent}'"


def test_what_is_no_database_does_not_pass(tmp_path: Path) -> None:
    """Trying again would not help."""
    path = tmp_path / "thunes.db"
    path.write_bytes(b"no database at all" * 100)
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError) as caught:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()

    assert ledger_error(caught.value, path).exit_code is ExitCode.INTEGRITY

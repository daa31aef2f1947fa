"""The ledger's tables and how an older ledger becomes today's.

Money is TEXT (``Decimal`` in plain notation), times are TEXT (RFC 3339 UTC, three decimals, so they sort), every
state has a CHECK. Columns ending in ``_wall`` hold network time, the others market time.
"""

from __future__ import annotations

import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from thunes_cli.clock import to_text
from thunes_cli.config.private_file import sync_directory
from thunes_cli.errors import Unavailable
from thunes_cli.ledger.copying import copy_ledger
from thunes_cli.ledger.pragmas import APPLICATION_ID, SCHEMA_VERSION, configure
from thunes_cli.ledger.tables import VERSION_1

migrations = Migrations("thunes")


@migrations(name="0001 the first ledger")
def _first(db: Database) -> None:
    for statement in VERSION_1:
        db.execute(statement)
    db.execute("PRAGMA user_version = 1")


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an older ledger to today's schema, after a copy of it was put beside it. All or nothing.

    Of two processes that do it at once, the second waits and finds it done.

    Raises:
        Unavailable: it cannot be done now; the ledger is as it was (13).
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version < SCHEMA_VERSION:
            _keep_copy(path, path.with_name(f"{path.name}.schema-{version}"))
            _apply(connection)
        connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        connection.rollback()
        raise Unavailable(
            f"the ledger {path} cannot be brought to schema {SCHEMA_VERSION}: {error}; it is as it was",
            hint="look at the disk (df -h) and try again; the version before still reads it",
        ) from error


def _keep_copy(path: Path, copy: Path) -> None:
    """What bears a copy's name is whole: a killed or failed attempt leaves none."""
    draft = copy.with_name(f"{copy.name}.new")
    draft.unlink(missing_ok=True)
    try:
        copy_ledger(path, draft, durable=True)
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def _apply(connection: sqlite3.Connection) -> None:
    """In the transaction that is open: a migration that fails, or that forgets to say what it made, is undone."""
    migrations.apply(Database(connection, execute_plugins=False))
    made = connection.execute("PRAGMA user_version").fetchone()[0]
    if made != SCHEMA_VERSION:
        raise RuntimeError(f"the migrations made schema {made}, not {SCHEMA_VERSION}")


def create_ledger(path: Path, *, environment: str, instance: str, epoch: str, wall: datetime) -> None:
    """Make a new ledger with its identity row; it appears under its name only when it is complete.

    Args:
        path: where; must not exist.
        environment: ``sim``, ``testnet`` or ``live``, for ever.
        instance: drawn by the caller (see :mod:`thunes_cli.ledger.identity`), part of every client order id.
        epoch: three characters, drawn anew by restore and rebuild.
        wall: wall time now; also the first anchor of market time.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        configure(connection)
        now = to_text(wall)
        connection.execute("BEGIN IMMEDIATE")
        _apply(connection)
        connection.execute(
            "INSERT INTO identity (id, environment, instance, epoch, created_wall, anchor_wall, anchor_market,"
            " anchor_speed) VALUES (1, ?, ?, ?, ?, ?, ?, '1')",
            (environment, instance, epoch, now, now, now),
        )
        connection.execute("INSERT INTO epochs (epoch, drawn_wall, why) VALUES (?, ?, 'init')", (epoch, now))
        connection.execute("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, ?)", ("0" * 64,))
        connection.execute("INSERT INTO kill_switch (id, active) VALUES (1, 0)")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    draft.chmod(0o600)
    shutil.move(draft, path)

"""Backups as the ledger knows them: when they were made, and when they were last found good."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text


class BackupRow(NamedTuple):
    """One backup; times are wall times. ``problem``: what was wrong with it when it was looked at last."""

    id: str
    made_wall: datetime
    path: str
    bytes: int
    encrypted: bool
    audit_seq: int
    verified_wall: datetime | None = None
    problem: str | None = None

    @property
    def good(self) -> bool:
        """Whether it was found good when it was looked at last."""
        return self.verified_wall is not None and self.problem is None


def save_backup(connection: sqlite3.Connection, row: BackupRow) -> None:
    """Remember a backup that was made."""
    connection.execute(
        "INSERT OR REPLACE INTO backups (id, made_wall, path, bytes, encrypted, audit_seq, verified_wall, problem)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.id,
            to_text(row.made_wall),
            row.path,
            row.bytes,
            int(row.encrypted),
            row.audit_seq,
            None if row.verified_wall is None else to_text(row.verified_wall),
            row.problem,
        ),
    )


def save_verdict(connection: sqlite3.Connection, backup_id: str, *, wall: datetime, problem: str | None) -> bool:
    """Remember what looking at a backup has shown; False when it is not one of this ledger's."""
    good = None if problem is not None else to_text(wall)
    changed = connection.execute(
        "UPDATE backups SET verified_wall = coalesce(?, verified_wall), problem = ? WHERE id = ?",
        (good, problem, backup_id),
    )
    return changed.rowcount > 0


def save_removed(connection: sqlite3.Connection, backup_id: str, *, wall: datetime) -> None:
    """The file is no longer kept."""
    connection.execute("UPDATE backups SET removed_wall = ? WHERE id = ?", (to_text(wall), backup_id))


def read_backups(connection: sqlite3.Connection) -> dict[str, BackupRow]:
    """Those that are kept, by id."""
    rows = connection.execute("SELECT * FROM backups WHERE removed_wall IS NULL ORDER BY made_wall DESC")
    return {row["id"]: _row(row) for row in rows}


def newest_backup(connection: sqlite3.Connection) -> BackupRow | None:
    """The one made last; None before the first."""
    row = connection.execute(
        "SELECT * FROM backups WHERE removed_wall IS NULL ORDER BY made_wall DESC LIMIT 1"
    ).fetchone()
    return None if row is None else _row(row)


def last_good_backup(connection: sqlite3.Connection, *, until: datetime | None = None) -> BackupRow | None:
    """The newest one that was found good when it was looked at last.

    ``until`` (wall time) leaves those out that seem to come from the future: the clock was wrong then, or is now.
    """
    row = connection.execute(
        "SELECT * FROM backups WHERE removed_wall IS NULL AND verified_wall IS NOT NULL AND problem IS NULL"
        " AND (?1 IS NULL OR made_wall <= ?1) ORDER BY made_wall DESC LIMIT 1",
        (None if until is None else to_text(until),),
    ).fetchone()
    return None if row is None else _row(row)


def _row(row: sqlite3.Row) -> BackupRow:
    return BackupRow(
        id=row["id"],
        made_wall=from_text(row["made_wall"]),
        path=row["path"],
        bytes=row["bytes"],
        encrypted=bool(row["encrypted"]),
        audit_seq=row["audit_seq"],
        verified_wall=from_text(row["verified_wall"]) if row["verified_wall"] else None,
        problem=row["problem"],
    )

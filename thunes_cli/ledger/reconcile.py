"""What comparisons of ledger and exchange found: each run, and each finding as long as it lasts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from thunes_cli.clock import from_text, to_text

KEPT_RUNS = 2000  # twelve weeks of hours


@dataclass(frozen=True, slots=True)
class Run:
    """One comparison. ``findings`` are JSON objects as the command prints them."""

    at: datetime
    clean: bool
    findings: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding of an earlier run. ``accepted_at``: the operator looked, and lives with it."""

    key: str
    kind: str
    severity: str
    first_seen: datetime
    accepted_at: datetime | None


def insert_run(
    connection: sqlite3.Connection,
    *,
    at: datetime,
    clean: bool,
    checked: Mapping[str, int],
    findings: Sequence[Mapping[str, Any]],
) -> None:
    """Write a comparison down; the oldest of more than ``KEPT_RUNS`` are forgotten."""
    connection.execute(
        "INSERT INTO reconcile_runs (at, clean, checked, findings) VALUES (?, ?, ?, ?)",
        (to_text(at), int(clean), json.dumps(dict(checked)), json.dumps([dict(item) for item in findings])),
    )
    connection.execute("DELETE FROM reconcile_runs WHERE id <= (SELECT max(id) FROM reconcile_runs) - ?", (KEPT_RUNS,))


def last_run(connection: sqlite3.Connection) -> Run | None:
    """The newest comparison."""
    row = connection.execute("SELECT at, clean, findings FROM reconcile_runs ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else Run(from_text(row["at"]), bool(row["clean"]), tuple(json.loads(row["findings"])))


def runs_made(connection: sqlite3.Connection) -> int:
    """How many comparisons were ever written down."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM reconcile_runs").fetchone()[0])


def known_findings(connection: sqlite3.Connection, *, exchange_epoch: int) -> dict[str, KnownFinding]:
    """What the last run left, and what was ever accepted, by key."""
    rows = connection.execute("SELECT * FROM reconcile_findings WHERE exchange_epoch = ?", (exchange_epoch,)).fetchall()
    return {
        row["key"]: KnownFinding(
            key=row["key"],
            kind=row["kind"],
            severity=row["severity"],
            first_seen=from_text(row["first_seen"]),
            accepted_at=from_text(row["accepted_at"]) if row["accepted_at"] else None,
        )
        for row in rows
    }


def is_known(connection: sqlite3.Connection, key: str, *, exchange_epoch: int) -> bool:
    """Whether the last run left this finding, or it was accepted."""
    row = connection.execute(
        "SELECT 1 FROM reconcile_findings WHERE exchange_epoch = ? AND key = ?", (exchange_epoch, key)
    ).fetchone()
    return row is not None


def begin_finding(
    connection: sqlite3.Connection, key: str, *, kind: str, severity: str, exchange_epoch: int, at: datetime
) -> bool:
    """Note a finding; False when an earlier run had it already."""
    cursor = connection.execute(
        "INSERT INTO reconcile_findings (exchange_epoch, key, kind, severity, first_seen) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (exchange_epoch, key, kind, severity, to_text(at)),
    )
    return cursor.rowcount == 1


def end_finding(connection: sqlite3.Connection, key: str, *, exchange_epoch: int) -> None:
    """Forget a finding that is gone; what was accepted stays accepted."""
    connection.execute(
        "DELETE FROM reconcile_findings WHERE exchange_epoch = ? AND key = ? AND accepted_at IS NULL",
        (exchange_epoch, key),
    )


def accept_finding(connection: sqlite3.Connection, key: str, *, exchange_epoch: int, reason: str, at: datetime) -> bool:
    """The operator lives with it; False when that is written down already."""
    cursor = connection.execute(
        "UPDATE reconcile_findings SET accepted_at = ?, accepted_reason = ? WHERE exchange_epoch = ? AND key = ?"
        " AND accepted_at IS NULL",
        (to_text(at), reason, exchange_epoch, key),
    )
    return cursor.rowcount == 1

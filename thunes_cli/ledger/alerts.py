"""The alert outbox: rows written in the transaction that caused them. A lasting condition alerts once."""

from __future__ import annotations

import enum
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import from_text, to_text


class Severity(enum.StrEnum):
    """How loud an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message for the operator."""

    id: int
    kind: str
    key: str
    severity: Severity
    text: str
    created_at: datetime


def raise_alert(
    connection: sqlite3.Connection,
    kind: str,
    text: str,
    *,
    severity: Severity,
    at: datetime,
    at_wall: datetime,
    key: str = "",
    lasting: bool = False,
) -> bool:
    """Queue an alert; a ``lasting`` condition that is already reported is only counted (then False)."""
    if lasting:
        row = connection.execute(
            "INSERT INTO alert_conditions (kind, key, since, count) VALUES (?, ?, ?, 1)"
            " ON CONFLICT (kind, key) DO UPDATE SET count = count + 1 RETURNING count",
            (kind, key, to_text(at)),
        ).fetchone()
        if row["count"] > 1:
            return False
    connection.execute(
        "INSERT INTO alerts (kind, key, severity, text, created_at, created_wall) VALUES (?, ?, ?, ?, ?, ?)",
        (kind, key, severity, text, to_text(at), to_text(at_wall)),
    )
    return True


def end_condition(connection: sqlite3.Connection, kind: str, *, key: str = "") -> bool:
    """A lasting condition is over; True when it was on."""
    return connection.execute("DELETE FROM alert_conditions WHERE kind = ? AND key = ?", (kind, key)).rowcount == 1


def pending_alerts(connection: sqlite3.Connection, *, limit: int = 100) -> list[Alert]:
    """Alerts not yet delivered, oldest first."""
    rows = connection.execute("SELECT * FROM alerts WHERE state = 'pending' ORDER BY id LIMIT ?", (limit,)).fetchall()
    return [
        Alert(row["id"], row["kind"], row["key"], Severity(row["severity"]), row["text"], from_text(row["created_at"]))
        for row in rows
    ]


def mark_sent(connection: sqlite3.Connection, alert_id: int, *, wall: datetime) -> None:
    """An alert was delivered."""
    connection.execute("UPDATE alerts SET state = 'sent', sent_wall = ? WHERE id = ?", (to_text(wall), alert_id))

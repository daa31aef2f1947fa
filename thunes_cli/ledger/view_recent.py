"""What is new since somebody last looked: for those who watch a daemon at work."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import from_text


@dataclass(frozen=True, slots=True)
class RecentDecision:
    """A decision as it was written down; ``reason`` is empty when it was approved."""

    id: int
    at: datetime
    symbol: str
    side: str
    decision: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecentAlert:
    """An alert as it was raised, delivered or not."""

    id: int
    at: datetime
    kind: str
    severity: str
    text: str


def decisions_after(connection: sqlite3.Connection, decision_id: int) -> list[RecentDecision]:
    """Decisions written after a row id, oldest first."""
    rows = connection.execute(
        "SELECT id, at, symbol, side, decision, reason FROM decisions WHERE id > ? ORDER BY id", (decision_id,)
    ).fetchall()
    return [
        RecentDecision(row["id"], from_text(row["at"]), row["symbol"], row["side"], row["decision"], row["reason"])
        for row in rows
    ]


def alerts_after(connection: sqlite3.Connection, alert_id: int) -> list[RecentAlert]:
    """Alerts raised after a row id, oldest first."""
    rows = connection.execute(
        "SELECT id, created_at, kind, severity, text FROM alerts WHERE id > ? ORDER BY id", (alert_id,)
    ).fetchall()
    return [
        RecentAlert(row["id"], from_text(row["created_at"]), row["kind"], row["severity"], row["text"]) for row in rows
    ]

"""What waits in a ledger to be told to somebody."""

from __future__ import annotations

import sqlite3

from thunes_cli.ledger.alerts import Alert, alerts_of


def pending_alerts(connection: sqlite3.Connection) -> list[Alert]:
    """Alerts that not every channel has yet, oldest first."""
    return alerts_of(connection.execute("SELECT * FROM alerts WHERE state = 'pending' ORDER BY id").fetchall())

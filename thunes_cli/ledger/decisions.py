"""What was decided about each signal. The same refusal of the same signal is written only once."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from thunes_cli.clock import to_text
from thunes_cli.model import ClientOrderId, Decision, Signal


def insert_decision(
    connection: sqlite3.Connection,
    signal: Signal,
    decision: Decision,
    *,
    at: datetime,
    client_order_id: ClientOrderId | None = None,
) -> bool:
    """Write a decision down; False when this signal already has the same one."""
    cursor = connection.execute(
        "INSERT INTO decisions (signal_id, symbol, strategy, side, candle_open_time, decision, reason, facts,"
        " client_order_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (signal_id, decision, reason) DO NOTHING",
        (
            signal.id,
            signal.symbol,
            signal.strategy,
            signal.side,
            to_text(signal.candle_open_time),
            "approved" if decision.approved else "rejected",
            decision.reason or "",
            json.dumps(decision.facts, sort_keys=True),
            client_order_id,
            to_text(at),
        ),
    )
    return cursor.rowcount == 1

"""How far our own orders and trades of a symbol reach, as ids of the exchange: from where its lists must be read."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import to_text


@dataclass(frozen=True, slots=True)
class Marks:
    """``older_*``: the last id before a moment; ``filled_order``: the last that executed anything; None without any."""

    older_order: int | None
    filled_order: int | None
    older_trade: int | None
    last_trade: int | None


def read_marks(connection: sqlite3.Connection, symbol: str, *, exchange_epoch: int, since: datetime) -> Marks:
    """The marks of one symbol; the moment is ``since``, or when its oldest unfinished order was made."""
    row = connection.execute(
        "WITH made AS (SELECT * FROM orders WHERE exchange_epoch = :epoch AND symbol = :symbol),"
        " bound AS (SELECT min(:since, coalesce((SELECT min(created_at) FROM orders WHERE symbol = :symbol"
        "  AND state IN ('INTENT', 'SENT', 'UNKNOWN', 'ACKED')), :since)) AS at)"
        " SELECT (SELECT max(exchange_order_id) FROM made, bound WHERE created_at < bound.at) AS older_order,"
        " (SELECT max(exchange_order_id) FROM made WHERE executed_qty <> '0') AS filled_order,"
        " (SELECT max(trade_id) FROM fills, bound WHERE exchange_epoch = :epoch AND symbol = :symbol"
        "  AND source = 'exchange' AND traded_at < bound.at) AS older_trade,"
        " (SELECT max(trade_id) FROM fills WHERE exchange_epoch = :epoch AND symbol = :symbol"
        "  AND source = 'exchange') AS last_trade",
        {"epoch": exchange_epoch, "symbol": symbol, "since": to_text(since)},
    ).fetchone()
    return Marks(row["older_order"], row["filled_order"], row["older_trade"], row["last_trade"])

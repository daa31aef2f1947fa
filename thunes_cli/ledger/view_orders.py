"""What a list of orders shows besides the orders themselves."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal

from thunes_cli.clock import to_text
from thunes_cli.model import OrderState


def fees_by_order(connection: sqlite3.Connection, *, since: datetime) -> dict[int, Decimal]:
    """Fees, valued in quote, of the orders made since a market time, by the order's row id."""
    rows = connection.execute(
        "SELECT fills.order_id, fills.fee_quote FROM fills JOIN orders ON orders.id = fills.order_id"
        " WHERE orders.created_at >= ?",
        (to_text(since),),
    )
    fees: dict[int, Decimal] = {}
    for row in rows:
        fees[row["order_id"]] = fees.get(row["order_id"], Decimal(0)) + Decimal(row["fee_quote"])
    return fees


def count_orders(connection: sqlite3.Connection, *, before: datetime, state: OrderState | None = None) -> int:
    """How many orders are older than a market time."""
    row = connection.execute(
        "SELECT count(*) FROM orders WHERE created_at < :before AND (:state IS NULL OR state = :state)",
        {"before": to_text(before), "state": state},
    ).fetchone()
    return int(row[0])


def count_rows(connection: sqlite3.Connection, *, since: datetime | None) -> int:
    """Orders and fills since a market time (None: all): about what a comparison has to read."""
    begin = to_text(since) if since is not None else ""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM orders WHERE created_at >= :begin)"
        " + (SELECT count(*) FROM fills WHERE traded_at >= :begin)",
        {"begin": begin},
    ).fetchone()
    return int(row[0])

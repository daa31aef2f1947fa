"""How far the exchange's lists of orders and trades were read, by symbol."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to ``order_id``/``trade_id`` was compared; what is not above the floor is older than we are."""

    symbol: str
    base: str
    quote: str
    order_id: int
    trade_id: int
    floor_order_id: int
    floor_trade_id: int


def read_cursors(connection: sqlite3.Connection, *, exchange_epoch: int) -> dict[str, Cursor]:
    """The cursor of every symbol that was ever compared in that epoch."""
    rows = connection.execute("SELECT * FROM cursors WHERE exchange_epoch = ?", (exchange_epoch,)).fetchall()
    return {
        row["symbol"]: Cursor(
            symbol=row["symbol"],
            base=row["base"],
            quote=row["quote"],
            order_id=row["order_id"],
            trade_id=row["trade_id"],
            floor_order_id=row["floor_order_id"],
            floor_trade_id=row["floor_trade_id"],
        )
        for row in rows
    }


def save_cursor(connection: sqlite3.Connection, cursor: Cursor, *, exchange_epoch: int) -> None:
    """Move a symbol's cursor; its floor stays."""
    connection.execute(
        "INSERT INTO cursors (exchange_epoch, symbol, base, quote, order_id, trade_id, floor_order_id, floor_trade_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (exchange_epoch, symbol) DO UPDATE SET"
        " order_id = excluded.order_id, trade_id = excluded.trade_id",
        (
            exchange_epoch,
            cursor.symbol,
            cursor.base,
            cursor.quote,
            cursor.order_id,
            cursor.trade_id,
            cursor.floor_order_id,
            cursor.floor_trade_id,
        ),
    )

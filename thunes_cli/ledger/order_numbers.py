"""Numbers that orders were given: the exchange's, and those of the attempts of an exit."""

from __future__ import annotations

import sqlite3


def exchange_numbers(connection: sqlite3.Connection, *, exchange_epoch: int) -> frozenset[tuple[str, int]]:
    """Symbol and exchange's number of every order that has one."""
    rows = connection.execute(
        "SELECT symbol, exchange_order_id FROM orders WHERE exchange_epoch = ? AND exchange_order_id IS NOT NULL",
        (exchange_epoch,),
    )
    return frozenset((row[0], row[1]) for row in rows)


def last_exchange_ids(connection: sqlite3.Connection, *, exchange_epoch: int) -> dict[str, int]:
    """By symbol, the youngest of our orders by the exchange's own number."""
    rows = connection.execute(
        "SELECT symbol, max(exchange_order_id) AS last FROM orders WHERE exchange_epoch = ? GROUP BY symbol",
        (exchange_epoch,),
    ).fetchall()
    return {row["symbol"]: row["last"] for row in rows if row["last"] is not None}


def last_attempt(connection: sqlite3.Connection, position_id: int) -> int:
    """Number of the last exit attempt of a position; 0 before the first."""
    row = connection.execute(
        "SELECT max(attempt) FROM orders WHERE position_id = ? AND attempt IS NOT NULL", (position_id,)
    ).fetchone()
    return int(row[0] or 0)


def failed_attempts(connection: sqlite3.Connection, position_id: int) -> int:
    """How many exit attempts of a position sold nothing since the last one that sold anything."""
    row = connection.execute(
        "SELECT count(*) FROM orders WHERE position_id = :id AND attempt > coalesce("
        "(SELECT max(attempt) FROM orders WHERE position_id = :id AND executed_qty <> '0'), 0)",
        {"id": position_id},
    ).fetchone()
    return int(row[0])


def last_refusal(connection: sqlite3.Connection, position_id: int) -> int | None:
    """The exchange's code for refusing the last exit attempt of a position; None when it did not, or there is none."""
    row = connection.execute(
        "SELECT error_code FROM orders WHERE position_id = ? AND attempt IS NOT NULL ORDER BY attempt DESC LIMIT 1",
        (position_id,),
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])

"""Every row of one signal, order or position: what ``thunes explain`` puts beside the trail's records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_TIMES = {
    "decisions": "at",
    "orders": "created_at",
    "fills": "traded_at",
    "positions": "entry_time",
    "dust_moves": "at",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about, by row ids and names: the trail's records name the same things."""

    kind: str
    orders: frozenset[int]
    client_order_ids: frozenset[str]
    signals: frozenset[str]
    positions: frozenset[int]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row as it is stored; ``at`` is the market time it belongs to, RFC 3339."""

    table: str
    at: str
    values: dict[str, Any]


def _in(values: Iterable[object]) -> tuple[str, list[object]]:
    found = sorted(values, key=str)
    return f"({', '.join('?' * len(found))})", found


def subject_of_position(connection: sqlite3.Connection, position_id: int) -> Subject | None:
    """The position, its orders and the signals that led to them; None when there is no such position."""
    if connection.execute("SELECT 1 FROM positions WHERE id = ?", (position_id,)).fetchone() is None:
        return None
    rows = connection.execute(
        "SELECT id, client_order_id, signal_id FROM orders WHERE position_id = :id"
        " OR id IN (SELECT order_id FROM fills WHERE position_id = :id)",
        {"id": position_id},
    ).fetchall()
    return _subject("position", rows, positions=[position_id])


def subject_of_client_id(connection: sqlite3.Connection, client_order_id: str) -> Subject | None:
    """The order with that client id and the signal that led to it."""
    rows = connection.execute(
        "SELECT id, client_order_id, signal_id FROM orders WHERE client_order_id = ?", (client_order_id,)
    ).fetchall()
    return _subject("order", rows) if rows else None


def subject_of_exchange_id(connection: sqlite3.Connection, exchange_order_id: int) -> Subject | None:
    """The orders to which the exchange gave that number (it counts anew for each symbol)."""
    rows = connection.execute(
        "SELECT id, client_order_id, signal_id FROM orders WHERE exchange_order_id = ?", (exchange_order_id,)
    ).fetchall()
    return _subject("order", rows) if rows else None


def subject_of_signal(connection: sqlite3.Connection, signal_id: str) -> Subject | None:
    """The signal and every order made of it; None when nothing was ever decided about it."""
    rows = connection.execute(
        "SELECT id, client_order_id, signal_id FROM orders WHERE signal_id = ?", (signal_id,)
    ).fetchall()
    known = connection.execute("SELECT 1 FROM decisions WHERE signal_id = ?", (signal_id,)).fetchone()
    return _subject("signal", rows, signals=[signal_id]) if rows or known else None


def _subject(
    kind: str, rows: Iterable[sqlite3.Row], *, signals: Iterable[str] = (), positions: Iterable[int] = ()
) -> Subject:
    rows = list(rows)
    return Subject(
        kind=kind,
        orders=frozenset(row["id"] for row in rows),
        client_order_ids=frozenset(row["client_order_id"] for row in rows),
        signals=frozenset(signals) | {row["signal_id"] for row in rows if row["signal_id"]},
        positions=frozenset(positions),
    )


def rows_of(connection: sqlite3.Connection, subject: Subject) -> list[LedgerRow]:
    """Every row of it, in order of market time. Of a position that an order belongs to, the row itself only."""
    signals, signal_values = _in(subject.signals)
    ids, id_values = _in(subject.orders)
    held, held_values = _in(subject.positions)
    asked = (
        ("decisions", f"signal_id IN {signals}", signal_values),
        ("orders", f"id IN {ids}", id_values),
        ("fills", f"order_id IN {ids}", id_values),
        (
            "positions",
            f"id IN {held} OR id IN (SELECT position_id FROM orders WHERE id IN {ids})",  # noqa: S608 - question marks only
            [*held_values, *id_values],
        ),
        ("dust_moves", f"position_id IN {held}", held_values),
    )
    found = []
    for table, condition, values in asked:
        cursor = connection.execute(f"SELECT * FROM {table} WHERE {condition} ORDER BY id", values)  # noqa: S608 - constant names
        found += [LedgerRow(table, row[_TIMES[table]], _values(row)) for row in cursor]
    return sorted(found, key=lambda row: row.at)  # stable: rows of one instant stay in the tables' order


def _values(row: sqlite3.Row) -> dict[str, Any]:
    values = dict(row)
    if "facts" in values:
        values["facts"] = json.loads(values["facts"])
    return values

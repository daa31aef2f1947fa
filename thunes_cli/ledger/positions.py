"""Positions in the ledger: stored beside the fills they are folded from, in the same transaction."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.model import ExitReason, Order, Position, PositionStatus, plain


class DustMove(NamedTuple):
    """A remainder too small to sell. ``quantity`` > 0 left its position for the dust account, < 0 came back."""

    position_id: int
    symbol: str
    quantity: Decimal
    cost: Decimal


def _time(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)


def _position(row: sqlite3.Row) -> Position:
    return Position(
        id=row["id"],
        exchange_epoch=row["exchange_epoch"],
        symbol=row["symbol"],
        base=row["base"],
        quote=row["quote"],
        strategy=row["strategy"],
        stop_loss_pct=Decimal(row["stop_loss_pct"]),
        status=PositionStatus(row["status"]),
        quantity=Decimal(row["quantity"]),
        cost=Decimal(row["cost"]),
        bought_qty=Decimal(row["bought_qty"]),
        bought_quote=Decimal(row["bought_quote"]),
        sold_qty=Decimal(row["sold_qty"]),
        sold_quote=Decimal(row["sold_quote"]),
        realized=Decimal(row["realized"]),
        fees=Decimal(row["fees"]),
        entry_time=from_text(row["entry_time"]),
        exit_time=_time(row["exit_time"]),
        exit_wanted=ExitReason(row["exit_wanted"]) if row["exit_wanted"] else None,
        exit_wanted_since=_time(row["exit_wanted_since"]),
        exit_next_try_wall=_time(row["exit_next_try_wall"]),
        exit_problem=row["exit_problem"],
    )


def open_position(connection: sqlite3.Connection, order: Order, *, entry_time: datetime) -> int:
    """Make the row that an entry's first fill is booked on; strategy and stop come from the order, for good."""
    row = connection.execute(
        "INSERT INTO positions (exchange_epoch, symbol, base, quote, strategy, stop_loss_pct, status, quantity, cost,"
        " bought_qty, bought_quote, sold_qty, sold_quote, realized, fees, entry_time)"
        " VALUES (?, ?, ?, ?, ?, ?, 'OPEN', '0', '0', '0', '0', '0', '0', '0', '0', ?) RETURNING id",
        (
            order.exchange_epoch,
            order.symbol,
            order.base,
            order.quote,
            order.strategy,
            plain(order.stop_loss_pct),
            to_text(entry_time),
        ),
    ).fetchone()
    return int(row["id"])


def save_position(connection: sqlite3.Connection, position: Position) -> None:
    """Store what the fold gave; closing also takes back the wish to exit."""
    closed = position.status is PositionStatus.CLOSED
    connection.execute(
        "UPDATE positions SET status = ?, quantity = ?, cost = ?, bought_qty = ?, bought_quote = ?, sold_qty = ?,"
        " sold_quote = ?, realized = ?, fees = ?, entry_time = ?, exit_time = ? WHERE id = ?",
        (
            position.status,
            plain(position.quantity),
            plain(position.cost),
            plain(position.bought_qty),
            plain(position.bought_quote),
            plain(position.sold_qty),
            plain(position.sold_quote),
            plain(position.realized),
            plain(position.fees),
            to_text(position.entry_time),
            to_text(position.exit_time) if position.exit_time else None,
            position.id,
        ),
    )
    if closed:
        connection.execute(
            "UPDATE positions SET exit_wanted = NULL, exit_wanted_since = NULL, exit_next_try_wall = NULL,"
            " exit_problem = NULL WHERE id = ?",
            (position.id,),
        )


def read_position(connection: sqlite3.Connection, position_id: int) -> Position:
    """The position with that row id; none is ever deleted."""
    return _position(connection.execute("SELECT * FROM positions WHERE id = ?", (position_id,)).fetchone())


def open_positions(connection: sqlite3.Connection) -> list[Position]:
    """What is held, oldest first."""
    rows = connection.execute("SELECT * FROM positions WHERE status = 'OPEN' ORDER BY id").fetchall()
    return [_position(row) for row in rows]


def all_positions(connection: sqlite3.Connection) -> list[Position]:
    """Open and closed, oldest first."""
    return [_position(row) for row in connection.execute("SELECT * FROM positions ORDER BY id").fetchall()]


def traded_quote(connection: sqlite3.Connection) -> str:
    """The one quote asset of all positions there ever were; nothing when there are several, or none."""
    quotes = connection.execute("SELECT DISTINCT quote FROM positions LIMIT 2").fetchall()
    return str(quotes[0]["quote"]) if len(quotes) == 1 else ""


def move_to_epoch(connection: sqlite3.Connection, position_id: int, *, exchange_epoch: int) -> None:
    """A position belongs to another life of the exchange."""
    connection.execute("UPDATE positions SET exchange_epoch = ? WHERE id = ?", (exchange_epoch, position_id))


def position_of_symbol(connection: sqlite3.Connection, symbol: str) -> Position | None:
    """The open position of a symbol."""
    row = connection.execute("SELECT * FROM positions WHERE symbol = ? AND status = 'OPEN'", (symbol,)).fetchone()
    return None if row is None else _position(row)


def last_closed(connection: sqlite3.Connection) -> Position | None:
    """The position closed last, of any symbol, in this life of the exchange: what the cool-down is derived from."""
    row = connection.execute(
        "SELECT * FROM positions WHERE status = 'CLOSED' AND exchange_epoch = (SELECT exchange_epoch FROM identity)"
        " ORDER BY exit_time DESC, id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else _position(row)


def want_exit(connection: sqlite3.Connection, position_id: int, reason: ExitReason, *, since: datetime) -> bool:
    """Ask for a position to be sold; the first reason stays. False when it is wanted already or not open."""
    cursor = connection.execute(
        "UPDATE positions SET exit_wanted = ?, exit_wanted_since = ? WHERE id = ? AND status = 'OPEN'"
        " AND exit_wanted IS NULL",
        (reason, to_text(since), position_id),
    )
    return cursor.rowcount == 1


def set_exit_back_off(
    connection: sqlite3.Connection, position_id: int, *, next_try_wall: datetime | None, problem: str | None
) -> None:
    """When the next exit attempt may go out, and why the last one did not succeed."""
    connection.execute(
        "UPDATE positions SET exit_next_try_wall = ?, exit_problem = ? WHERE id = ?",
        (to_text(next_try_wall) if next_try_wall else None, problem, position_id),
    )


def insert_dust_move(connection: sqlite3.Connection, move: DustMove, *, position: Position, at: datetime) -> None:
    """Move a remainder between a position and the dust account, at cost."""
    connection.execute(
        "INSERT INTO dust_moves (exchange_epoch, symbol, base, position_id, quantity, cost, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            position.exchange_epoch,
            move.symbol,
            position.base,
            move.position_id,
            plain(move.quantity),
            plain(move.cost),
            to_text(at),
        ),
    )


def dust_moves_of_position(connection: sqlite3.Connection, position_id: int) -> list[DustMove]:
    """A position's dust moves in order."""
    rows = connection.execute("SELECT * FROM dust_moves WHERE position_id = ? ORDER BY id", (position_id,)).fetchall()
    return [DustMove(row["position_id"], row["symbol"], Decimal(row["quantity"]), Decimal(row["cost"])) for row in rows]


def dust_of_symbol(connection: sqlite3.Connection, symbol: str, *, exchange_epoch: int) -> tuple[Decimal, Decimal]:
    """Quantity and cost of a symbol's dust account: what was left since everything in it was taken back last."""
    rows = connection.execute(
        "SELECT quantity, cost FROM dust_moves WHERE symbol = :symbol AND exchange_epoch = :epoch AND id > coalesce("
        "(SELECT id FROM dust_moves WHERE symbol = :symbol AND exchange_epoch = :epoch AND quantity LIKE '-%'"
        " ORDER BY id DESC LIMIT 1), 0)",
        {"symbol": symbol, "epoch": exchange_epoch},
    ).fetchall()
    return (
        sum((Decimal(row["quantity"]) for row in rows), Decimal(0)),
        sum((Decimal(row["cost"]) for row in rows), Decimal(0)),
    )

"""Orders in the ledger. Every change of state is compare-and-set: it happens from the expected state, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.clock import from_text, to_ms, to_text
from thunes_cli.model import LIVE_STATES, ClientOrderId, Order, OrderState, Side, SignalId, plain
from thunes_cli.process import ProcessIdentity

# As the partial index one_live_order is written, so that SQLite sees that it answers.
_LIVE_SQL = "('INTENT', 'SENT', 'UNKNOWN', 'ACKED')"
assert set(_LIVE_SQL.strip("()").replace("'", "").split(", ")) == LIVE_STATES


class NewOrder(NamedTuple):
    """What an INTENT row says; ``requested_base`` for a SELL, ``requested_quote`` for a BUY."""

    client_order_id: ClientOrderId
    exchange_epoch: int
    symbol: str
    base: str
    quote: str
    side: Side
    strategy: str
    stop_loss_pct: Decimal
    requested_base: Decimal | None = None
    requested_quote: Decimal | None = None
    signal_id: SignalId | None = None
    position_id: int | None = None
    attempt: int | None = None
    reason: str | None = None


class Sending(NamedTuple):
    """When and by whom an order was sent, and what asking for it has shown so far."""

    order: Order
    sent_mono: float | None
    sent_boot: str | None
    owner: ProcessIdentity | None
    next_try_wall: datetime | None
    absences: int
    last_absence_mono: float | None
    last_absence_boot: str | None


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _order(row: sqlite3.Row) -> Order:
    return Order(
        id=row["id"],
        client_order_id=ClientOrderId(row["client_order_id"]),
        exchange_epoch=row["exchange_epoch"],
        exchange_order_id=row["exchange_order_id"],
        symbol=row["symbol"],
        base=row["base"],
        quote=row["quote"],
        side=Side(row["side"]),
        state=OrderState(row["state"]),
        strategy=row["strategy"],
        stop_loss_pct=Decimal(row["stop_loss_pct"]),
        requested_base=_decimal(row["requested_base"]),
        requested_quote=_decimal(row["requested_quote"]),
        executed_qty=Decimal(row["executed_qty"]),
        executed_quote=Decimal(row["executed_quote"]),
        signal_id=SignalId(row["signal_id"]) if row["signal_id"] else None,
        position_id=row["position_id"],
        attempt=row["attempt"],
        reason=row["reason"],
        created_at=from_text(row["created_at"]),
        updated_at=from_text(row["updated_at"]),
        sent_timestamp_ms=row["sent_timestamp_ms"],
        recv_window_ms=row["recv_window_ms"],
        error=row["error"],
    )


def _sending(row: sqlite3.Row) -> Sending:
    owner = None
    if row["owner_pid"] is not None:
        owner = ProcessIdentity(row["owner_pid"], row["owner_boot"], row["owner_started"])
    return Sending(
        order=_order(row),
        sent_mono=row["sent_mono"],
        sent_boot=row["sent_boot"],
        owner=owner,
        next_try_wall=from_text(row["next_try_wall"]) if row["next_try_wall"] else None,
        absences=row["absences"],
        last_absence_mono=row["last_absence_mono"],
        last_absence_boot=row["last_absence_boot"],
    )


def insert_intent(connection: sqlite3.Connection, order: NewOrder, *, at: datetime, owner: ProcessIdentity) -> Order:
    """Write an order down before anything is sent.

    Raises:
        sqlite3.IntegrityError: the symbol has a live order, or the signal or attempt already has one.
    """
    return _insert(
        connection,
        order,
        at=at,
        state=OrderState.INTENT,
        owner_pid=owner.pid,
        owner_boot=owner.boot_id,
        owner_started=owner.started,
    )


def insert_found(
    connection: sqlite3.Connection,
    order: NewOrder,
    *,
    exchange_order_id: int,
    placed_at: datetime,
    recv_window_ms: int,
    at: datetime,
) -> Order:
    """Write down an order of ours that only the exchange remembers; as SENT, so that booking takes it from there.

    Raises:
        sqlite3.IntegrityError: the symbol has a live order now, or the id is known.
    """
    return _insert(
        connection,
        order,
        at=at,
        state=OrderState.SENT,
        exchange_order_id=exchange_order_id,
        created_at=to_text(placed_at),
        sent_timestamp_ms=to_ms(placed_at),
        recv_window_ms=recv_window_ms,
    )


def insert_word(
    connection: sqlite3.Connection, order: NewOrder, *, quantity: Decimal, value: Decimal, at: datetime
) -> Order:
    """Write down coins that moved by the operator's word, as an order that is done; it was never sent."""
    return _insert(
        connection,
        order,
        at=at,
        state=OrderState.FILLED,
        type="WORD",
        requested_base=plain(quantity),
        executed_qty=plain(quantity),
        executed_quote=plain(value),
    )


def _insert(connection: sqlite3.Connection, order: NewOrder, *, at: datetime, **columns: str | int | None) -> Order:
    asked = {name: plain(value) if isinstance(value, Decimal) else value for name, value in order._asdict().items()}
    values = asked | {"created_at": to_text(at), "updated_at": to_text(at)} | columns
    row = connection.execute(
        f"INSERT INTO orders ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) RETURNING *",  # noqa: S608 - constant names
        tuple(values.values()),
    ).fetchone()
    return _order(row)


def move_to_epoch(connection: sqlite3.Connection, order_id: int, *, exchange_epoch: int) -> None:
    """An order belongs to another life of the exchange."""
    connection.execute("UPDATE orders SET exchange_epoch = ? WHERE id = ?", (exchange_epoch, order_id))


def change_state(
    connection: sqlite3.Connection,
    order_id: int,
    *,
    expected: Collection[OrderState],
    to: OrderState,
    at: datetime,
    **columns: str | float | None,
) -> bool:
    """Move an order on, with any other columns at once; False when it was not in an expected state (any more)."""
    assignments = "".join(f", {name} = :{name}" for name in columns)
    places = ", ".join(f":expected{index}" for index in range(len(expected)))
    cursor = connection.execute(
        f"UPDATE orders SET state = :to, updated_at = :at{assignments} WHERE id = :id AND state IN ({places})",  # noqa: S608
        {"to": to, "at": to_text(at), "id": order_id, **columns}
        | {f"expected{index}": state for index, state in enumerate(expected)},
    )
    return cursor.rowcount == 1


def set_position(connection: sqlite3.Connection, order_id: int, position_id: int) -> None:
    """Tie an entry to the position that its first fill opened."""
    connection.execute("UPDATE orders SET position_id = ? WHERE id = ?", (position_id, order_id))


def read_order(connection: sqlite3.Connection, order_id: int) -> Order:
    """The order with that row id; none is ever deleted."""
    return _order(connection.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone())


def find_order(connection: sqlite3.Connection, client_order_id: str) -> Order | None:
    """The order with that client id."""
    row = connection.execute("SELECT * FROM orders WHERE client_order_id = ?", (client_order_id,)).fetchone()
    return None if row is None else _order(row)


def order_of_signal(connection: sqlite3.Connection, signal_id: SignalId) -> Order | None:
    """The entry that a signal has already led to."""
    row = connection.execute("SELECT * FROM orders WHERE signal_id = ? AND side = 'BUY'", (signal_id,)).fetchone()
    return None if row is None else _order(row)


def live_order(connection: sqlite3.Connection, symbol: str) -> Order | None:
    """The one order of a symbol that the exchange may still be working on."""
    row = connection.execute(
        f"SELECT * FROM orders WHERE symbol = ? AND state IN {_LIVE_SQL}",  # noqa: S608
        (symbol,),
    ).fetchone()
    return None if row is None else _order(row)


def live_entries(connection: sqlite3.Connection) -> list[Order]:
    """BUYs that may still become positions."""
    rows = connection.execute(
        f"SELECT * FROM orders WHERE side = 'BUY' AND state IN {_LIVE_SQL}",  # noqa: S608
    ).fetchall()
    return [_order(row) for row in rows]


def unfinished(connection: sqlite3.Connection) -> list[Sending]:
    """Every live order with what is known of its sending, oldest first."""
    # The plus keeps SQLite from walking through all orders by id instead of the few by the index.
    rows = connection.execute(f"SELECT * FROM orders WHERE state IN {_LIVE_SQL} ORDER BY +id").fetchall()  # noqa: S608
    return [_sending(row) for row in rows]


def count_unresolved(connection: sqlite3.Connection) -> int:
    """Orders of which we do not know what became of them."""
    row = connection.execute(
        f"SELECT count(*) FROM orders WHERE state IN {_LIVE_SQL} AND state IN ('SENT', 'UNKNOWN')"  # noqa: S608
    ).fetchone()
    return int(row[0])


def note_absence(
    connection: sqlite3.Connection, order_id: int, *, absences: int, mono: float, boot: str, next_try_wall: datetime
) -> None:
    """Count one answer "no such order"; alone it proves nothing."""
    connection.execute(
        "UPDATE orders SET absences = ?, last_absence_mono = ?, last_absence_boot = ?, next_try_wall = ? WHERE id = ?",
        (absences, mono, boot, to_text(next_try_wall), order_id),
    )


def postpone(connection: sqlite3.Connection, order_id: int, *, next_try_wall: datetime) -> None:
    """Ask for this order again not before a wall time."""
    connection.execute("UPDATE orders SET next_try_wall = ? WHERE id = ?", (to_text(next_try_wall), order_id))


def list_orders(
    connection: sqlite3.Connection,
    *,
    state: OrderState | None = None,
    since: datetime | None = None,
    position_id: int | None = None,
) -> list[Order]:
    """Orders, oldest first, narrowed by state, creation (market time) or position."""
    rows = connection.execute(
        "SELECT * FROM orders WHERE (:state IS NULL OR state = :state) AND (:since IS NULL OR created_at >= :since)"
        " AND (:position IS NULL OR position_id = :position) ORDER BY id",
        {"state": state, "since": to_text(since) if since else None, "position": position_id},
    ).fetchall()
    return [_order(row) for row in rows]


def symbols_ordered(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Base and quote of every symbol that was ever ordered."""
    rows = connection.execute("SELECT symbol, max(base) AS base, max(quote) AS quote FROM orders GROUP BY symbol")
    return {row["symbol"]: (row["base"], row["quote"]) for row in rows}

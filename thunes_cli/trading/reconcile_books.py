"""Reading the ledger's side of a comparison, and from where on the exchange's lists must be read for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import Clock
from thunes_cli.ledger import fills, order_numbers, orders, positions, view_marks
from thunes_cli.ledger.baseline import baseline_taken, read_not_ours
from thunes_cli.ledger.cursors import Cursor, read_cursors
from thunes_cli.ledger.external import ExternalOrder, read_external
from thunes_cli.ledger.identity import (
    Identity,
    parse_client_order_id,
    read_epochs,
    read_identity,
    read_next_order,
)
from thunes_cli.ledger.orders import Sending
from thunes_cli.ledger.reconcile import known_findings
from thunes_cli.model import Fill, Order, OrderState
from thunes_cli.process import boot_id, is_alive, this_process
from thunes_cli.trading.reconcile_inputs import Books, Window

IN_FLIGHT_S = 15.0  # a request may take its time-out (10 s), and booking a moment


def read_books(connection: sqlite3.Connection, clock: Clock) -> Books:
    """Everything of the exchange epoch in force, in the open transaction."""
    epoch = read_identity(connection).exchange_epoch
    return _books(connection, clock, orders.list_orders(connection), fills.all_fills(connection, exchange_epoch=epoch))


def read_books_about(connection: sqlite3.Connection, clock: Clock, client_order_id: str) -> Books:
    """What says whose an order is: the same with that order alone and no fills, quick in a long life."""
    order = orders.find_order(connection, client_order_id)
    return _books(connection, clock, [] if order is None else [order], [])


def _books(connection: sqlite3.Connection, clock: Clock, rows: Sequence[Order], booked: Sequence[Fill]) -> Books:
    identity = read_identity(connection)
    epoch = identity.exchange_epoch
    mine = [order for order in rows if parse_client_order_id(order.client_order_id) is not None]
    found = known_findings(connection, exchange_epoch=epoch).values()
    return Books(
        environment=identity.environment,
        instance=identity.instance,
        epoch=identity.epoch,
        epochs=read_epochs(connection),
        next_order=read_next_order(connection),
        entries_from=identity.entries_from,
        baseline_at=baseline_taken(connection, exchange_epoch=epoch) or clock.now(),
        not_ours=read_not_ours(connection, exchange_epoch=epoch),
        orders=tuple(order for order in mine if order.exchange_epoch == epoch),
        fills=tuple(booked),
        positions=tuple(positions.open_positions(connection)),
        assets={order.symbol: (order.base, order.quote) for order in rows},
        in_flight=frozenset(each.order.id for each in orders.unfinished(connection) if _in_flight(each, clock)),
        other_ids=frozenset(order.client_order_id for order in mine if order.exchange_epoch != epoch),
        external=tuple(read_external(connection, exchange_epoch=epoch)),
        accepted=frozenset(finding.key for finding in found if finding.accepted_at is not None),
    )


def _in_flight(sending: Sending, clock: Clock) -> bool:
    """Whether another living process is at it right now: what it has not booked yet is no difference."""
    if sending.order.state not in {OrderState.INTENT, OrderState.SENT}:
        return False
    owner = sending.owner
    if owner is None or owner == this_process() or not is_alive(owner):
        return False
    if sending.sent_mono is None or sending.sent_boot != boot_id():
        return True
    return clock.monotonic() - sending.sent_mono < IN_FLIGHT_S


@dataclass(frozen=True, slots=True)
class Before:
    """What must be known before the exchange is asked: of each symbol ever compared its base and quote and cursor.

    ``numbers`` are the orders whose maker is known; ``baseline_at`` is None before the first contact.
    """

    identity: Identity
    baseline_at: datetime | None
    assets: Mapping[str, tuple[str, str]]
    cursors: Mapping[str, Cursor]
    external: tuple[ExternalOrder, ...]
    numbers: frozenset[tuple[str, int]]


def read_before(connection: sqlite3.Connection) -> Before:
    """The part of the ledger that says what to ask for."""
    identity = read_identity(connection)
    epoch = identity.exchange_epoch
    cursors = read_cursors(connection, exchange_epoch=epoch)
    external = tuple(read_external(connection, exchange_epoch=epoch))
    ours = order_numbers.exchange_numbers(connection, exchange_epoch=epoch)
    return Before(
        identity=identity,
        baseline_at=baseline_taken(connection, exchange_epoch=epoch),
        assets=orders.symbols_ordered(connection) | {name: (each.base, each.quote) for name, each in cursors.items()},
        cursors=cursors,
        external=external,
        numbers=ours | {(order.symbol, order.order_id) for order in external},
    )


def windows_for(
    connection: sqlite3.Connection, before: Before, symbols: Mapping[str, tuple[str, str]], *, since: datetime | None
) -> list[Window]:
    """The window of each symbol (with its base and quote); ``since`` None is everything of our time.

    It begins where nothing is known any more (the cursor), or earlier: at ``since``, at the oldest order that is not
    finished, at the newest order that filled for us. That last one shows whether the exchange still knows us. Of a
    symbol never looked at nor ordered, only what is younger than the baseline matters.
    """
    ordered = {symbol for symbol, _ in before.numbers}
    epoch = before.identity.exchange_epoch
    windows = []
    for symbol, (base, quote) in sorted(symbols.items()):
        cursor = before.cursors.get(symbol)
        floor_order, floor_trade = (cursor.floor_order_id, cursor.floor_trade_id) if cursor else (-1, -1)
        first_order, first_trade = floor_order + 1, floor_trade + 1
        if since is not None and cursor is not None:
            marks = view_marks.read_marks(connection, symbol, exchange_epoch=epoch, since=since)
            first_order = _first(floor_order, cursor.order_id, marks.older_order, marks.filled_order)
            first_trade = _first(floor_trade, cursor.trade_id, marks.older_trade, marks.last_trade)
        unknown = cursor is None and symbol not in ordered
        newest_from = before.baseline_at if unknown else None
        windows.append(Window(symbol, base, quote, first_order, first_trade, newest_from))
    return windows


def _first(floor: int, cursor: int, older: int | None, newest: int | None) -> int:
    bounds = [cursor + 1, (floor if older is None else older) + 1]
    return min(bounds if newest is None else [*bounds, newest])

"""Reading the ledger's side of a comparison, and from where on the exchange's lists must be read for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import Clock
from thunes_cli.ledger import fills, orders, positions
from thunes_cli.ledger.baseline import baseline_taken, read_not_ours
from thunes_cli.ledger.cursors import Cursor, read_cursors
from thunes_cli.ledger.external import read_external
from thunes_cli.ledger.identity import parse_client_order_id, read_epochs, read_identity, read_next_order
from thunes_cli.ledger.orders import Sending
from thunes_cli.ledger.reconcile import known_findings
from thunes_cli.model import Fill, FillSource, Order, OrderState
from thunes_cli.process import boot_id, is_alive, this_process
from thunes_cli.trading.reconcile_inputs import Books, Window

IN_FLIGHT_S = 15.0  # a request may take its time-out (10 s), and booking a moment


def read_books(connection: sqlite3.Connection, clock: Clock) -> Books:
    """Everything of the exchange epoch in force, in the open transaction."""
    identity = read_identity(connection)
    epoch = identity.exchange_epoch
    rows = orders.list_orders(connection)
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
        fills=tuple(fills.all_fills(connection, exchange_epoch=epoch)),
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
class Reach:
    """How far back a comparison looks: ``since`` market time, None for everything of our time."""

    since: datetime | None


def windows_for(
    connection: sqlite3.Connection, books: Books, symbols: Mapping[str, tuple[str, str]], reach: Reach
) -> list[Window]:
    """The window of each symbol (with its base and quote).

    It begins where nothing is known any more (the cursor), or earlier: at ``since``, at the oldest order that is not
    finished, at the newest order that filled for us. That last one shows whether the exchange still knows us.
    """
    cursors = read_cursors(connection, exchange_epoch=read_identity(connection).exchange_epoch)
    made: dict[str, list[Order]] = {}
    for order in books.orders:
        made.setdefault(order.symbol, []).append(order)
    traded: dict[str, list[Fill]] = {}
    for fill in books.fills:
        if fill.source is FillSource.EXCHANGE:
            traded.setdefault(fill.symbol, []).append(fill)
    return [
        _window(
            symbol,
            assets,
            cursors.get(symbol),
            made=made.get(symbol, []),
            traded=traded.get(symbol, []),
            reach=reach,
        )
        for symbol, assets in sorted(symbols.items())
    ]


def _window(
    symbol: str,
    assets: tuple[str, str],
    cursor: Cursor | None,
    *,
    made: Sequence[Order],
    traded: Sequence[Fill],
    reach: Reach,
) -> Window:
    floor_order = cursor.floor_order_id if cursor else -1
    floor_trade = cursor.floor_trade_id if cursor else -1
    first_order, first_trade = floor_order + 1, floor_trade + 1
    if reach.since is not None and cursor is not None:
        since = min([reach.since, *(order.created_at for order in made if order.state.live)])
        numbers = [(order.exchange_order_id, order) for order in made if order.exchange_order_id is not None]
        older_orders = [number for number, order in numbers if order.created_at < since]
        older_trades = [fill.trade_id for fill in traded if fill.traded_at < since]
        filled = [number for number, order in numbers if order.executed_qty > 0]
        first_order = _first(floor_order, cursor.order_id, older_orders, filled)
        first_trade = _first(floor_trade, cursor.trade_id, older_trades, [fill.trade_id for fill in traded])
    return Window(
        symbol=symbol,
        base=assets[0],
        quote=assets[1],
        first_order=first_order,
        first_trade=first_trade,
        floor_order=floor_order,
        floor_trade=floor_trade,
    )


def _first(floor: int, cursor: int, older: Iterable[int], filled: Iterable[int]) -> int:
    bounds = [cursor + 1, max(older, default=floor) + 1]
    newest = max(filled, default=None)
    return min(bounds if newest is None else [*bounds, newest])

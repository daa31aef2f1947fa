"""``thunes orders list``: what was ordered, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.durations import Since, parse_since
from thunes_cli.cli.figures import moment, price, rounded, short_moment
from thunes_cli.cli.folding import folded, width_for
from thunes_cli.cli.reading import Book, read_book, typed
from thunes_cli.cli.result import Result, Table
from thunes_cli.clock import EPOCH, to_text
from thunes_cli.counts import count
from thunes_cli.errors import UsageFault
from thunes_cli.ledger.orders import list_orders
from thunes_cli.ledger.view_orders import count_orders, fees_by_order
from thunes_cli.model import Order, OrderState, plain

if TYPE_CHECKING:
    import typer  # without options of its own this command is called without it: thunes_cli.cli.quick

SINCE = "24h"
_EXTERNAL = "thunes orders list --external --since 7d"


@dataclass(frozen=True, slots=True)
class _Listed:
    since: datetime
    orders: list[Order]
    fees: dict[int, Decimal]
    older: int


@command(
    examples=("thunes orders list", "thunes orders list --since 7d", "thunes orders list --external --since 7d"),
    exits=((0, "listed, an empty list included"), 5, 10, 13, 78),
)
def orders_list(
    call: Call,
    *,
    state: Annotated[
        OrderState | None, typer.Option("--state", case_sensitive=False, help="Only orders in this state.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="Made since: 24h, 7d, today, all, or a time.")
    ] = SINCE,
    external: Annotated[
        bool, typer.Option("--external", help="Instead, orders of the account that this home did not make.")
    ] = False,
) -> Result:
    """What was ordered, and what came of it.

    EXPIRED and CANCELED may carry fills: the executed quantity is the truth. Fees are valued in the quote asset.
    --external lists what comparisons with the exchange have seen: orders of somebody else, of another home, of a copy.
    """
    begin = parse_since(since, option="--since")
    if external:
        from thunes_cli.cli.orders_external import external_result

        if state is not None:
            raise UsageFault("--state is ours to know; it does not go with --external", hint=_EXTERNAL)
        return external_result(call, begin)
    listed = read_book(call, lambda book: _read(book, begin, state))
    return Result(
        data={"orders": [order_data(order, listed.fees) for order in listed.orders]},
        text=(
            _table(listed) if listed.orders else "no orders",
            *(folded(note, width=width_for(call)) for note in _notes(call, listed)),
        ),
    )


def _read(book: Book, since: Since, state: OrderState | None) -> _Listed:
    begin = since.begins(book.now)
    found = list_orders(book.connection, state=state, since=begin)
    older = 0 if begin == EPOCH else count_orders(book.connection, before=begin, state=state)
    return _Listed(begin, found, fees_by_order(book.connection, since=begin), older)


def average_price(order: Order) -> Decimal | None:
    """What was paid or received for one unit, rounded to eight places; None before the first fill."""
    if order.executed_qty == 0 or order.executed_quote < 0:
        return None
    return rounded(order.executed_quote / order.executed_qty)


def order_data(order: Order, fees: dict[int, Decimal]) -> dict[str, Any]:
    """The contract's keys of an order, and more; ``fees`` by row id, in quote."""
    requested = order.requested_quote if order.requested_quote is not None else order.requested_base
    average = average_price(order)
    assert requested is not None
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "symbol": order.symbol,
        "side": str(order.side),
        "state": str(order.state),
        "requested": plain(requested),
        "requested_asset": _asset(order),
        "executed_qty": plain(order.executed_qty),
        "avg_price": None if average is None else plain(average),
        "fees": plain(fees.get(order.id, Decimal(0))),
        "signal_id": order.signal_id,
        "attempt": order.attempt,
        "created_at": to_text(order.created_at),
        "updated_at": to_text(order.updated_at),
        "position": order.position_id,
        "reason": order.reason,
        "error": order.error,
    }


def _asset(order: Order) -> str:
    return order.quote if order.requested_quote is not None else order.base


def _table(listed: _Listed) -> Table:
    columns = ("at", "order", "what", "executed", "price", "state")
    return Table(columns=columns, rows=tuple(_cells(order) for order in listed.orders))


def _cells(order: Order) -> tuple[str, ...]:
    again = f" #{order.attempt}" if order.attempt and order.attempt > 1 else ""
    return (
        short_moment(order.created_at),
        order.client_order_id,
        f"{order.side} {order.symbol}",
        plain(order.executed_qty),
        price(average_price(order)),
        f"{order.state}{again}",
    )


def _notes(call: Call, listed: _Listed) -> list[str]:
    notes = [_reason(error, orders) for error, orders in _by_error(listed.orders).items()]
    if listed.older:
        verb = "is" if listed.older == 1 else "are"
        more = typed(call, "orders list --since all")
        notes.append(f"since {moment(listed.since)}; {count(listed.older, 'order')} {verb} older: {more}")
    return notes


def _by_error(orders: list[Order]) -> dict[str, list[Order]]:
    found: dict[str, list[Order]] = {}
    for order in orders:
        if order.error:
            found.setdefault(order.error, []).append(order)
    return found


def _reason(error: str, orders: list[Order]) -> str:
    more = f" and {len(orders) - 1} before it" if len(orders) > 1 else ""
    return f"{orders[-1].client_order_id}{more}: {error}"

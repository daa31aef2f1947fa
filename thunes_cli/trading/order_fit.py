"""Whether what the exchange tells belongs to an order of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from thunes_cli.clock import from_ms
from thunes_cli.model import ZERO, Order, OrderReport, Trade


def is_ours(order: Order, report: OrderReport, *, slack: timedelta) -> bool:
    """Whether an answer fits what was sent; client ids are unique only among open orders.

    Once the exchange's own number of an order is known, that decides: a cancelled order carries its cancel's client id.
    ``slack`` is how much earlier than the time we sent with it (market time) the exchange may say it got the order.
    That time the exchange has checked; when the order was made we may have had the clock wrong.
    """
    sent = _sent_at(order)
    if (report.symbol, report.side) != (order.symbol, order.side) or not names(order, report):
        return False
    if report.time < sent - slack:
        return False
    if order.requested_base is not None:
        return report.orig_qty == order.requested_base
    if report.orig_quote_qty == order.requested_quote:
        return True
    # Not every answer repeats the quote amount; then no more than it can have been spent.
    return report.orig_quote_qty == 0 and report.executed_quote <= (order.requested_quote or ZERO)


def names(order: Order, report: OrderReport) -> bool:
    """Whether an answer carries an order's name: the exchange's number where it is known, else our client id."""
    if order.exchange_order_id is not None:
        return report.order_id == order.exchange_order_id
    return report.client_order_id == order.client_order_id


def order_in_doubt(orders: Iterable[Order], trades: Sequence[Trade], *, slack: timedelta) -> Order | None:
    """The order whose outcome nobody knows yet, if these trades (of one order) may be what became of it.

    The exchange's list of orders may lag behind that of trades: as long as it does not name the order, nobody else is
    to be accused of it. It proves nothing.
    """
    for order in orders:
        waits = order.state.live and order.exchange_order_id is None and order.sent_timestamp_ms is not None
        if waits and order.symbol == trades[0].symbol and _may_be_of(order, trades, slack=slack):
            return order
    return None


def _may_be_of(order: Order, trades: Sequence[Trade], *, slack: timedelta) -> bool:
    if trades[0].time < _sent_at(order) - slack or any(trade.side is not order.side for trade in trades):
        return False
    if order.requested_base is not None:
        return sum((trade.quantity for trade in trades), ZERO) <= order.requested_base
    return sum((trade.quote_quantity for trade in trades), ZERO) <= (order.requested_quote or ZERO)


def _sent_at(order: Order) -> datetime:
    """Market time it was sent with; what was never sent: when it was made."""
    return order.created_at if order.sent_timestamp_ms is None else from_ms(order.sent_timestamp_ms)

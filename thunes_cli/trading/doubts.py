"""Telling the operator of an order that stays in doubt, and what became of it when that is known."""

from __future__ import annotations

from thunes_cli.audit.journal import Change, Journal
from thunes_cli.clock import Clock
from thunes_cli.ledger import alerts, orders
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.orders import Sending
from thunes_cli.model import ZERO, OrderState, plain
from thunes_cli.process import boot_id

PATIENCE_S = 30.0  # most doubts are settled by the second question; one that is not keeps the symbol from being sold


def tell_doubts(journal: Journal) -> None:
    """Say which orders are unresolved for half a minute now, each once, and which of them are settled."""
    with journal.read() as connection:
        doubtful = {
            sending.order.client_order_id: sending
            for sending in orders.unfinished(connection)
            if sending.order.state is OrderState.UNKNOWN
        }
        told = {each.key for each in alerts.read_conditions(connection) if each.kind == Kind.ORDER_UNRESOLVED}
    fresh = [each for key, each in doubtful.items() if key not in told and _lasts(each, journal.clock)]
    settled = told - doubtful.keys()
    if not fresh and not settled:
        return
    with journal.change() as change:
        for sending in fresh:
            _tell(change, sending)
        for client_order_id in sorted(settled):
            _tell_settled(change, client_order_id)


def _lasts(sending: Sending, clock: Clock) -> bool:
    """A monotonic reading of an earlier boot says nothing, but a reboot takes longer than our patience."""
    if sending.sent_mono is None or sending.sent_boot != boot_id():
        return True
    return clock.monotonic() - sending.sent_mono >= PATIENCE_S


def _tell(change: Change, sending: Sending) -> None:
    order = sending.order
    amount = plain(order.requested_base or order.requested_quote or ZERO)
    asset = order.base if order.requested_base is not None else order.quote
    text = (
        f"Nobody knows yet what became of order {order.client_order_id} ({order.side} {order.symbol}, {amount} {asset},"
        f" sent {order.created_at:%Y-%m-%d %H:%M:%S}Z): {order.error or 'no answer'}. Until it is known no other order"
        f" of {order.symbol} is sent; the exchange is asked again and again."
        f" Next: thunes explain {order.client_order_id}"
    )
    change.alert(Kind.ORDER_UNRESOLVED, text, alerts.Severity.WARNING, key=order.client_order_id, lasting=True)


def _tell_settled(change: Change, client_order_id: str) -> None:
    order = orders.find_order(change.connection, client_order_id)
    became = "gone" if order is None else f"{order.state}, executed {plain(order.executed_qty)} {order.base}"
    text = f"Order {client_order_id} is settled: {became}. Next: thunes explain {client_order_id}"
    change.alert_over(Kind.ORDER_UNRESOLVED, text, key=client_order_id)

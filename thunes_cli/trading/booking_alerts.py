"""What booking tells the operator: a stop that sells, an order found late, a trade id that two trades carry."""

from __future__ import annotations

from decimal import Decimal

from thunes_cli.audit.journal import Change
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity
from thunes_cli.model import ExitReason, Order, OrderState, Position, Trade, plain


def tell_late_order(change: Change, order: Order, before: Order) -> None:
    """The exchange executed more of an order than was believed; ``before`` is what was believed."""
    negative = before.state in {OrderState.NOT_PLACED, OrderState.REJECTED}
    taken_for = "not placed" if negative else f"finished with {plain(before.executed_qty)}"
    text = (
        f"Order {order.client_order_id} ({order.side} {order.symbol}) was taken for {taken_for}, but the exchange"
        f" executed {plain(order.executed_qty)}; it is booked. Next: thunes explain {order.client_order_id}"
    )
    change.alert(Kind.LATE_ORDER, text, Severity.CRITICAL)


def tell_stop(change: Change, position: Position, price: Decimal) -> None:
    """Say that a stop-loss asks for an exit."""
    stop = plain(round(position.stop_price, 8))
    text = (
        f"Stop-loss of {position.symbol}: last price {plain(price)} is at or below {stop};"
        f" selling {plain(position.quantity)} {position.base}. Next: thunes positions list"
    )
    change.alert(Kind.STOP_LOSS, text, Severity.WARNING)


def tell_reused_trade_id(change: Change, order: Order, trade: Trade) -> None:
    """Nothing can be booked under an id that is taken: as long as it lasts, the order stays unfinished."""
    text = (
        f"The exchange gives trade {trade.trade_id} of {trade.symbol} to order {order.client_order_id}, but it is"
        f" booked on another order: was the exchange wiped? Next: thunes reconcile"
    )
    change.alert(Kind.TRADE_ID_REUSED, text, Severity.CRITICAL, key=order.symbol, lasting=True)


def tell_closed(change: Change, position: Position, *, reason: str | None) -> None:
    """A stop-loss is told with its result, and a blocked exit is over; other sales are routine."""
    price = "-" if position.exit_price is None else plain(round(position.exit_price, 8))
    result = (
        f"{position.symbol} is sold at {price}: {plain(round(position.realized, 8))} {position.quote}, fees taken off"
    )
    following = f"Next: thunes explain position:{position.id}"
    if reason == ExitReason.STOP_LOSS:
        change.alert(Kind.STOP_LOSS, f"Stop-loss done, {result}. {following}", Severity.INFO)
    change.alert_over(Kind.EXIT_BLOCKED, f"{result}. {following}", key=position.symbol)

"""What the matching engine refuses by rules of its own, behind the filters and before anything has changed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from thunes_cli.sim.market import Listing
from thunes_cli.sim.new_orders import would_trigger
from thunes_cli.sim.orders import OrderRequest, SimOrder
from thunes_cli.sim.rejection import ApiError, cancel_rejected, order_rejected

_CLOSED = "Market is closed."
# Cancels are taken while a symbol trades, and in the status that is made for them.
_CANCELABLE = frozenset({"TRADING", "CANCEL_ONLY"})


def refuse_order(listing: Listing, request: OrderRequest, opened: Iterable[SimOrder], now: int) -> None:
    """Refuse a new order beside those that are open.

    Raises:
        ApiError: −2010, with the engine's words.
    """
    if listing.status(now) != "TRADING":
        raise order_rejected(_CLOSED)
    if any(each.client_order_id == request.client_order_id and each.symbol == request.symbol for each in opened):
        raise order_rejected("Duplicate order sent.")
    if request.iceberg_qty is not None and request.quantity is not None and request.iceberg_qty > request.quantity:
        raise order_rejected("IcebergQty exceeds QTY.")
    if would_trigger(request, listing.price(now)):
        raise order_rejected("Order would trigger immediately.")


def refuse_cancel(listing: Listing, now: int) -> None:
    """Refuse to take an order off the book of a symbol that is closed.

    Raises:
        ApiError: −2011.
    """
    if listing.status(now) not in _CANCELABLE:
        raise cancel_rejected(_CLOSED)


def refuse_amendment(listing: Listing, order: SimOrder, quantity: Decimal, *, earlier: int) -> None:
    """Refuse a new quantity that is no reduction, or one reduction too many; ``earlier`` counts those there were.

    Raises:
        ApiError: −2038, or −1130 for less than was executed.
    """
    if quantity == order.orig_qty:
        raise ApiError(-2038, "The requested action would change no state; rejecting")
    if quantity > order.orig_qty:
        raise ApiError(-2038, "Order amend (quantity increase) is not supported.")
    if quantity <= order.executed_qty:
        raise ApiError(-1130, "Data sent for parameter 'newQty' is not valid.")
    if earlier >= listing.most_amendments:
        raise ApiError(-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")

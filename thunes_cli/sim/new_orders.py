"""From a request to an order: what it looks like when it is new, what it must be able to pay, when it may not wait."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from thunes_cli.exchange.filters import OrderDraft
from thunes_cli.model import Side
from thunes_cli.sim.accounts import InsufficientBalance, Wallet
from thunes_cli.sim.amounts import EXACT, ZERO, floor, multiply
from thunes_cli.sim.market import Listing
from thunes_cli.sim.matching import Match
from thunes_cli.sim.orders import NOT_YET, STOP_TYPES, OrderRequest, SimOrder
from thunes_cli.sim.resting import waits_above


def draft_of(request: OrderRequest) -> OrderDraft:
    """The order as the filters see it."""
    return OrderDraft(
        side=request.side,
        type=request.type,
        quantity=request.quantity,
        quote_quantity=request.quote_quantity,
        price=request.price,
        stop_price=request.stop_price,
        iceberg_qty=request.iceberg_qty,
        trailing_delta=request.trailing_delta,
    )


def draft_of_reduced(order: SimOrder, quantity: Decimal) -> OrderDraft:
    """An open order of another quantity as the filters see it."""
    return OrderDraft(
        side=order.side,
        type=order.type,
        quantity=quantity,
        price=order.price or None,
        stop_price=order.stop_price or None,
        iceberg_qty=order.iceberg_qty or None,
        trailing_delta=order.trailing_delta,
    )


def would_trigger(request: OrderRequest, last: Decimal) -> bool:
    """Whether the price that an order wants to wait for is there already."""
    if request.type not in STOP_TYPES or request.stop_price is None:
        return False
    above = waits_above(request.type, request.side)
    return request.stop_price <= last if above else request.stop_price >= last


def demand_funds(wallet: Wallet, listing: Listing, request: OrderRequest) -> None:
    """The whole amount must be there before the first level is taken, whatever better prices would save.

    Raises:
        InsufficientBalance: it is not.
    """
    spec = listing.spec
    if request.side is Side.SELL:
        asset, needed = spec.base, request.quantity
    elif request.quote_quantity is not None:
        asset, needed = spec.quote, request.quote_quantity
    elif request.price is not None and request.quantity is not None:
        asset, needed = spec.quote, multiply(request.price, request.quantity)
    else:
        asset, needed = spec.quote, None
    if needed is not None and wallet.holding(asset).free < needed:
        raise InsufficientBalance(asset)


def new_order(
    listing: Listing, request: OrderRequest, number: int, now: int, *, match: Match | None = None
) -> SimOrder:
    """The order before anything of it was executed; ``match``: what the book will give, for an order by amount."""
    waits = request.type in STOP_TYPES
    last = listing.price(now)
    return SimOrder(
        symbol=request.symbol,
        order_id=number,
        client_order_id=request.client_order_id or generated_id(request.symbol, number),
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force or "GTC",
        status="NEW",
        price=request.price or ZERO,
        orig_qty=_quantity(listing, request, match),
        orig_quote_qty=request.quote_quantity or ZERO,
        executed_qty=ZERO,
        executed_quote=ZERO,
        stop_price=request.stop_price or ZERO,
        iceberg_qty=request.iceberg_qty or ZERO,
        time=now,
        update_time=now,
        working_time=NOT_YET if waits else now,
        strategy_id=request.strategy_id,
        strategy_type=request.strategy_type,
        trailing_delta=request.trailing_delta,
        # Without a price to wait for it tracks the market at once.
        trailing_time=now if request.trailing_delta is not None and request.stop_price is None else None,
        lock_price=request.price or request.stop_price or last,
        self_trade_mode=request.self_trade_mode,
    )


def _quantity(listing: Listing, request: OrderRequest, match: Match | None) -> Decimal:
    """What was asked for; of an order by amount what the amount buys."""
    if request.quantity is not None:
        return request.quantity
    assert request.quote_quantity is not None
    assert match is not None
    quantity = match.quantity
    if match.dry:  # what the rest of the amount would have bought at the last price that was on offer
        left = EXACT.subtract(request.quote_quantity, match.quote)
        step = listing.spec.step
        quantity += max(floor(EXACT.divide(left, match.takes[-1].price), step), step)
    return quantity


def generated_id(prefix: str, number: int) -> str:
    """The client id the exchange gives an order that came without: the same for the same order, run after run."""
    return hashlib.sha256(f"{prefix}:{number}".encode()).hexdigest()[:22]

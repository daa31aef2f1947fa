"""What an order wants of the book at the moment it meets it, and what it gets: pure functions of order and book."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from thunes_cli.model import Side
from thunes_cli.sim.amounts import EXACT, floor
from thunes_cli.sim.book import Level
from thunes_cli.sim.matching import Match, take_quantity, take_quote, within
from thunes_cli.sim.orders import OrderRequest, SimOrder
from thunes_cli.sim.rejection import order_rejected

_AT_MARKET = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT"})
_TOO_THIN = "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
_NO_BOOK = "Order book liquidity is less than symbol minimum quantity."
# How much of what an order asks for a book has that runs dry to order.
_THIN = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Demand:
    """An order at the moment it meets the book: ``limit`` None is a market order; one of the amounts is set."""

    side: Side
    quantity: Decimal | None
    quote_quantity: Decimal | None
    limit: Decimal | None
    time_in_force: str
    maker_only: bool = False

    @classmethod
    def of_request(cls, request: OrderRequest) -> Self:
        """A new order that does not wait for a price."""
        return cls(
            side=request.side,
            quantity=request.quantity,
            quote_quantity=request.quote_quantity,
            limit=request.price,
            time_in_force=request.time_in_force or "GTC",
            maker_only=request.type == "LIMIT_MAKER",
        )

    @classmethod
    def of_order(cls, order: SimOrder) -> Self:
        """An order whose price has come."""
        limit = None if order.type in _AT_MARKET else order.price
        return cls(order.side, order.left, None, limit, order.time_in_force)

    @property
    def rests(self) -> bool:
        """Whether what the book cannot give waits there, rather than expires."""
        return self.limit is not None and self.time_in_force == "GTC"


def may_expire(request: OrderRequest) -> bool:
    """Whether what the book cannot give of a new order expires at once."""
    return request.type == "MARKET" or (request.type == "LIMIT" and request.time_in_force in {"IOC", "FOK"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the book gave; ``expiry``: why the rest of the order expires, None where it rests or nothing is left."""

    match: Match
    expiry: str | None


def meet(
    demand: Demand,
    levels: tuple[Level, ...],
    *,
    step: Decimal,
    permitted: tuple[Decimal, Decimal] | None = None,
    thin: bool = False,
) -> Outcome:
    """Let an order take from the opposite levels, best first.

    Args:
        step: grid of quantities. ``permitted``: least and greatest price an execution rule allows.
        thin: the book runs dry before an order that cannot rest has half of what it wants.

    Raises:
        ApiError: −2010, the matching engine refuses.
    """
    if demand.limit is not None:
        levels = within(levels, demand.side, demand.limit)
    if demand.maker_only and levels:
        raise order_rejected("Order would immediately match and take.")
    allowed = levels
    if permitted is not None:
        allowed = tuple(each for each in levels if permitted[0] <= each.price <= permitted[1])
    match = _take(demand, allowed, step)
    if thin and not demand.rests:
        match = _cut_short(match, step)
    if not match.dry:
        return Outcome(match, None)
    if len(allowed) < len(levels):
        return Outcome(match, "EXECUTION_RULE_PRICE_RANGE_EXCEEDED")
    if demand.limit is None:
        return Outcome(match, "INSUFFICIENT_LIQUIDITY")
    if demand.time_in_force == "FOK":
        return Outcome(Match((), dry=True), "UNFILLED_FOK_ORDER_EXPIRED")
    return Outcome(match, "UNFILLED_IOC_QUANTITY_EXPIRED" if demand.time_in_force == "IOC" else None)


def _take(demand: Demand, levels: tuple[Level, ...], step: Decimal) -> Match:
    if demand.quantity is not None:
        return take_quantity(levels, demand.quantity)
    assert demand.quote_quantity is not None
    match = take_quote(levels, demand.quote_quantity, step=step)
    if not match.takes:
        raise order_rejected(_TOO_THIN if levels else _NO_BOOK)
    return match


def _cut_short(match: Match, step: Decimal) -> Match:
    least = max(floor(EXACT.multiply(match.quantity, _THIN), step), step)
    if least >= match.quantity:
        return match
    return Match(take_quantity(match.takes, least).takes, dry=True)

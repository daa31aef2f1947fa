"""Whether an order would pass the exchange's filters (error −1013), decided as the exchange decides it.

Filters are asked in the order in which the symbol lists them. Too many decimals is error −1111 and comes before
them; :func:`excess_precision` finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.exchange.filter_kinds import (
    EXACT,
    MAX_DECIMALS,
    CountLimit,
    Filter,
    IcebergParts,
    LotSize,
    MaxAsset,
    MaxPosition,
    Notional,
    PercentPrice,
    PriceFilter,
    SymbolRules,
    TrailingDelta,
)
from thunes_cli.model import ZERO, Side, plain

_ALGO_TYPES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """An order before it is sent. ``trailing_delta`` is in basis points; ``in_list`` marks a part of an order list."""

    side: Side
    type: str
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    iceberg_qty: Decimal | None = None
    trailing_delta: int | None = None
    in_list: bool = False


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """What the filters need to know of the market and of the account, at the moment of the order.

    ``average_price`` is the VWAP over the filters' ``avgPriceMins`` (``last_price`` stands in when unknown);
    ``reference_price`` takes precedence over both when the symbol has one. ``open_orders`` counts every open order of
    the symbol, algo ones included; ``base_total`` is free and locked; ``account_*`` count over all symbols.
    """

    last_price: Decimal
    average_price: Decimal | None = None
    reference_price: Decimal | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    open_orders: int = 0
    open_algo_orders: int = 0
    open_iceberg_orders: int = 0
    open_order_lists: int = 0
    base_total: Decimal = ZERO
    open_buy_qty: Decimal = ZERO
    account_open_orders: int = 0
    account_open_algo_orders: int = 0
    account_open_iceberg_orders: int = 0
    account_open_order_lists: int = 0

    def reference(self, average_minutes: int) -> Decimal:
        """The price that notional and percent filters multiply: reference price, else VWAP, else last price."""
        if self.reference_price is not None:
            return self.reference_price
        if average_minutes == 0 or self.average_price is None:
            return self.last_price
        return self.average_price

    def execution(self, side: Side) -> Decimal:
        """The price at which a market order would begin to execute, as far as it is known."""
        best = self.best_ask if side is Side.BUY else self.best_bid
        return self.last_price if best is None else best


@dataclass(frozen=True, slots=True)
class FilterFailure:
    """Why the exchange would refuse: the filter's name, the exchange's message, and the numbers for people."""

    filter: str
    message: str
    detail: str

    @classmethod
    def of(cls, name: str, detail: str) -> FilterFailure:
        """A failure of the filter ``name`` in the exchange's words."""
        return cls(filter=name, message=f"Filter failure: {name}", detail=detail)


def floor_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """The greatest multiple of ``step`` that is not above ``quantity`` (step 0: the quantity itself).

    Decimal's own ``//`` truncates towards zero, which would round a negative quantity up.

    Raises:
        ValueError: a negative step, or a quantity that is not finite.
    """
    if step < 0 or not quantity.is_finite():
        raise ValueError(f"cannot floor {quantity} to a step of {step}")
    if step == 0:
        return quantity
    count, rest = EXACT.divmod(quantity, step)
    return EXACT.multiply(EXACT.subtract(count, 1) if rest < 0 else count, step)


def excess_precision(rules: SymbolRules, draft: OrderDraft) -> str | None:
    """The request parameter with too many decimals (error −1111), or None.

    The limit is 8, or the precision of the asset the amount is counted in; trailing zeros do not count.
    """
    base, quote = min(rules.base_precision, MAX_DECIMALS), min(rules.quote_precision, MAX_DECIMALS)
    amounts = (
        ("quantity", draft.quantity, base),
        ("icebergQty", draft.iceberg_qty, base),
        ("quoteOrderQty", draft.quote_quantity, quote),
        ("price", draft.price, quote),
        ("stopPrice", draft.stop_price, quote),
    )
    for name, amount, limit in amounts:
        if amount is not None and not _on_grid(amount, Decimal((0, (1,), -limit))):
            return name
    return None


def check_order(rules: SymbolRules, draft: OrderDraft, facts: MarketFacts) -> FilterFailure | None:
    """The first filter that would refuse the order, or None.

    A market order that names a quote amount has no quantity yet: the exchange picks one on the ``LOT_SIZE`` grid, so
    bounds are applied to what the amount buys (or sells) at the best price.
    """
    for each in rules.filters:
        detail = next(_problems(each, rules, draft, facts), None)
        if detail is not None:
            return FilterFailure.of(each.name, detail)
    return None


def _problems(each: Filter, rules: SymbolRules, draft: OrderDraft, facts: MarketFacts) -> Iterator[str]:
    problems: Iterator[str] = iter(())
    match each:
        case PriceFilter():
            problems = _check_prices(each, draft)
        case LotSize():
            problems = _check_quantity(each, rules, draft, facts)
        case PercentPrice():
            problems = _check_percent(each, draft, facts)
        case Notional():
            problems = _check_notional(each, draft, facts)
        case CountLimit():
            problems = _check_count(each, draft, facts)
        case IcebergParts():
            problems = _check_iceberg(each, draft)
        case MaxPosition():
            problems = _check_position(each, rules, draft, facts)
        case TrailingDelta():
            problems = _check_trailing(each, draft)
        case MaxAsset():
            problems = _check_asset(each, rules, draft, facts)
    return problems


def _check_prices(each: PriceFilter, draft: OrderDraft) -> Iterator[str]:
    for what, price in (("price", draft.price), ("stopPrice", draft.stop_price)):
        if price is not None:
            yield from _outside(what, price, low=each.low, high=each.high)
            if not _on_grid(price, each.tick):
                yield f"{what} {plain(price)} is not a multiple of {plain(each.tick)}"


def _check_quantity(each: LotSize, rules: SymbolRules, draft: OrderDraft, facts: MarketFacts) -> Iterator[str]:
    if each.name == "MARKET_LOT_SIZE" and draft.type != "MARKET":
        return
    quantity = _quantity(rules, draft, facts)
    if quantity is not None:
        yield from _outside("quantity", quantity, low=each.low, high=each.high)
    for what, named in (("quantity", draft.quantity), ("icebergQty", draft.iceberg_qty or None)):
        if named is not None and not _on_grid(named, each.step):
            yield f"{what} {plain(named)} is not a multiple of {plain(each.step)}"
    if draft.iceberg_qty:
        yield from _outside("icebergQty", draft.iceberg_qty, low=each.low, high=each.high)


def _check_percent(each: PercentPrice, draft: OrderDraft, facts: MarketFacts) -> Iterator[str]:
    if draft.price is None:
        return
    bid = draft.side is Side.BUY
    up, down = (each.bid_up, each.bid_down) if bid else (each.ask_up, each.ask_down)
    reference = facts.reference(each.average_minutes)
    yield from _outside("price", draft.price, low=EXACT.multiply(reference, down), high=EXACT.multiply(reference, up))


def _check_notional(each: Notional, draft: OrderDraft, facts: MarketFacts) -> Iterator[str]:
    market = draft.price is None
    value = _notional(draft, facts.reference(each.average_minutes))
    if value is None:
        return
    low = each.low if each.low_to_market or not market else ZERO
    high = each.high if each.high_to_market or not market else ZERO
    yield from _outside("notional", value, low=low, high=high)


def _check_count(each: CountLimit, draft: OrderDraft, facts: MarketFacts) -> Iterator[str]:
    account = each.name.startswith("EXCHANGE_")
    count: int | None = None
    match each.name.removeprefix("EXCHANGE_"):
        # A market order never rests on the book, so it takes no place among the open orders.
        case "MAX_NUM_ORDERS" if draft.type != "MARKET":
            count = facts.account_open_orders if account else facts.open_orders
        case "MAX_NUM_ALGO_ORDERS" if draft.type in _ALGO_TYPES:
            count = facts.account_open_algo_orders if account else facts.open_algo_orders
        case "MAX_NUM_ICEBERG_ORDERS" if draft.iceberg_qty:
            count = facts.account_open_iceberg_orders if account else facts.open_iceberg_orders
        case "MAX_NUM_ORDER_LISTS" if draft.in_list:
            count = facts.account_open_order_lists if account else facts.open_order_lists
    if count is not None and count >= each.limit:
        yield f"{count} are open already, {each.limit} are allowed"


def _check_iceberg(each: IcebergParts, draft: OrderDraft) -> Iterator[str]:
    if draft.quantity is not None and draft.iceberg_qty and each.limit > 0:
        whole, rest = EXACT.divmod(draft.quantity, draft.iceberg_qty)
        parts = int(whole) + (1 if rest else 0)
        if parts > each.limit:
            yield f"the order falls into {parts} parts, {each.limit} are allowed"


def _check_position(each: MaxPosition, rules: SymbolRules, draft: OrderDraft, facts: MarketFacts) -> Iterator[str]:
    quantity = _quantity(rules, draft, facts)
    if draft.side is Side.BUY and quantity is not None:
        held = EXACT.add(EXACT.add(facts.base_total, facts.open_buy_qty), quantity)
        yield from _outside("position", held, low=ZERO, high=each.limit)


def _check_trailing(each: TrailingDelta, draft: OrderDraft) -> Iterator[str]:
    if draft.trailing_delta is None:
        return
    # A stop above the market (BUY stop-loss, SELL take-profit) trails from above, the others from below.
    above = (draft.side is Side.BUY) == draft.type.startswith("STOP_LOSS")
    low, high = (each.above_low, each.above_high) if above else (each.below_low, each.below_high)
    yield from _outside("trailingDelta", Decimal(draft.trailing_delta), low=Decimal(low), high=Decimal(high))


def _check_asset(each: MaxAsset, rules: SymbolRules, draft: OrderDraft, facts: MarketFacts) -> Iterator[str]:
    moved: Decimal | None = None
    if each.asset == rules.base:
        moved = _quantity(rules, draft, facts)
    elif each.asset == rules.quote:
        moved = _notional(draft, facts.execution(draft.side))
    if moved is not None:
        yield from _outside(f"amount of {each.asset}", moved, low=ZERO, high=each.limit)


def _quantity(rules: SymbolRules, draft: OrderDraft, facts: MarketFacts) -> Decimal | None:
    """The order's base quantity; for a quote amount what it is worth at the best price, floored to the lot's step."""
    if draft.quantity is not None:
        return draft.quantity
    price = facts.execution(draft.side)
    if draft.quote_quantity is None or price <= 0:
        return None
    worth = EXACT.divide(draft.quote_quantity, price)
    step = next((lot.step for lot in rules.lot_sizes if lot.name == "LOT_SIZE"), ZERO)
    return floor_to_step(worth, step)


def _notional(draft: OrderDraft, reference: Decimal) -> Decimal | None:
    if draft.quote_quantity is not None:
        return draft.quote_quantity
    if draft.quantity is None:
        return None
    return EXACT.multiply(draft.quantity, reference if draft.price is None else draft.price)


def _outside(what: str, value: Decimal, *, low: Decimal, high: Decimal) -> Iterator[str]:
    """Bounds are inclusive; an upper bound of zero is disabled."""
    if value < low:
        yield f"{what} {plain(value)} is below {plain(low)}"
    if 0 < high < value:
        yield f"{what} {plain(value)} is above {plain(high)}"


def _on_grid(value: Decimal, step: Decimal) -> bool:
    """The exchange's rule is ``value % step == 0``, not an offset from the minimum; a step of zero is disabled."""
    return step == 0 or EXACT.remainder(value, step) == 0

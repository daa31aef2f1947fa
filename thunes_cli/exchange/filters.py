"""The exchange's filters: parse them, check an order against them, shape an amount so that it passes.

Pure, and shared by the exchange client (which must not send what would be refused) and by the simulator (which
refuses). This is the one module to import; the kinds of filter and the checks live in
:mod:`~thunes_cli.exchange.filter_kinds` and :mod:`~thunes_cli.exchange.filter_checks`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.exchange.filter_checks import (
    FilterFailure,
    MarketFacts,
    OrderDraft,
    check_order,
    excess_precision,
    floor_to_step,
)
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
    parse_symbol,
)
from thunes_cli.model import Side, plain

__all__ = [
    "CountLimit",
    "Filter",
    "FilterFailure",
    "IcebergParts",
    "LotSize",
    "MarketFacts",
    "MaxAsset",
    "MaxPosition",
    "Notional",
    "OrderDraft",
    "PercentPrice",
    "PriceFilter",
    "Shaped",
    "SymbolRules",
    "TrailingDelta",
    "check_order",
    "excess_precision",
    "floor_to_step",
    "market_step",
    "parse_symbol",
    "shape_market_buy",
    "shape_market_sell",
    "smallest_sellable_amount",
]

# Between the stop's price and the fill lie fee, spread and a step of rounding: the contract allows 2 % for them.
_STOP_MARGIN = Decimal("0.98")
# What a BUY leaves of the base it receives, at twice the exchange's standard taker fee.
_AFTER_FEE = Decimal("0.998")


@dataclass(frozen=True, slots=True)
class Shaped:
    """An amount ready to send (base for a SELL, quote for a BUY), or why it cannot be sent."""

    amount: Decimal
    failure: FilterFailure | None = None


def market_step(rules: SymbolRules) -> Decimal:
    """The grid of a market order's base quantity: the least step that satisfies lots and asset precision together."""
    precision = _unit(rules.base_precision)
    return _common_multiple([precision, *(lot.step for lot in rules.lot_sizes if lot.step > 0)])


def shape_market_sell(rules: SymbolRules, quantity: Decimal, facts: MarketFacts) -> Shaped:
    """Round a base quantity down to what one market SELL may carry.

    The result is never above ``quantity``; what exceeds the greatest allowed order is left for the next one. It
    passes :func:`check_order`, or ``failure`` says which filter makes the remainder unsellable.
    """
    amount = floor_to_step(min([quantity, *_sell_caps(rules, facts)]), market_step(rules))
    failure = check_order(rules, OrderDraft(side=Side.SELL, type="MARKET", quantity=amount), facts)
    if failure is None and amount <= 0:
        failure = FilterFailure.of("LOT_SIZE", f"nothing is left of {plain(quantity)} after rounding down")
    return Shaped(amount, failure)


def shape_market_buy(rules: SymbolRules, quote_amount: Decimal, facts: MarketFacts) -> Shaped:
    """Round a quote amount down to the quote asset's precision, for a market BUY by ``quoteOrderQty``.

    ``failure`` is set when a filter would refuse it, when it cannot buy the least lot at the best price, or when the
    symbol takes no quote amounts at all.
    """
    amount = floor_to_step(quote_amount, _unit(rules.quote_precision))
    if not rules.quote_order_qty_allowed:
        refusal = "Market orders by quote amount are not supported for this symbol."
        return Shaped(amount, FilterFailure("QUOTE_ORDER_QTY", refusal, f"{rules.symbol} takes base quantities only"))
    failure = check_order(rules, OrderDraft(side=Side.BUY, type="MARKET", quote_quantity=amount), facts)
    if failure is None and amount <= 0:
        failure = FilterFailure.of("NOTIONAL", f"nothing is left of {plain(quote_amount)} after rounding down")
    return Shaped(amount, failure)


def smallest_sellable_amount(rules: SymbolRules, *, stop_loss_pct: Decimal, price: Decimal) -> Decimal:
    """The smallest quote amount whose purchase can still be sold after a stop, in steps of the quote precision.

    Two things must hold. The notional: ``amount × (1 − pct/100) × 0.98`` reaches the minimum, with two steps of the
    lot on top, for the exchange rounds the purchase down to the step and we round the sale (on BTC at 60,000 that is
    6.46 USDT where the formula alone says 5.26, of which 4.07 would be left to sell). And the quantity bought at
    ``price``, one step short and less a fee of 0.2 %, floored to the step, reaches the least lot.

    Raises:
        ValueError: a stop-loss of 100 % or more, a negative one, or a price that is not positive.
    """
    kept = EXACT.subtract(1, EXACT.divide(stop_loss_pct, Decimal(100)))
    if not 0 < kept <= 1 or price <= 0:
        raise ValueError(f"no amount survives a stop-loss of {stop_loss_pct} % at a price of {price}")
    unit, step = _unit(rules.quote_precision), market_step(rules)
    for_notional = EXACT.divide(rules.min_notional, EXACT.multiply(kept, _STOP_MARGIN))
    if for_notional > 0:
        two_steps = EXACT.multiply(step, EXACT.add(1, EXACT.divide(Decimal(1), _AFTER_FEE)))
        for_notional = EXACT.add(for_notional, EXACT.multiply(two_steps, price))
    least_lot = max(_ceil_to_step(rules.min_quantity, step), step)
    bought = _ceil_to_step(EXACT.divide(least_lot, _AFTER_FEE), step)
    return _ceil_to_step(max(for_notional, EXACT.multiply(EXACT.add(bought, step), price)), unit)


def _sell_caps(rules: SymbolRules, facts: MarketFacts) -> Iterable[Decimal]:
    """Upper bounds of a market SELL's quantity."""
    if rules.max_quantity is not None:
        yield rules.max_quantity
    for each in rules.filters:
        if isinstance(each, MaxAsset) and each.limit > 0:
            price = facts.execution(Side.SELL)
            if each.asset == rules.base:
                yield each.limit
            elif each.asset == rules.quote and price > 0:
                yield EXACT.divide(each.limit, price)
        if isinstance(each, Notional) and each.high_to_market and each.high > 0:
            reference = facts.reference(each.average_minutes)
            if reference > 0:
                yield EXACT.divide(each.high, reference)


def _unit(precision: int) -> Decimal:
    """The least amount an asset with this many decimals can be counted in; the wire knows eight at most."""
    return Decimal((0, (1,), -min(precision, MAX_DECIMALS)))


def _ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    floored = floor_to_step(value, step)
    return floored if floored == value else EXACT.add(floored, step)


def _common_multiple(steps: list[Decimal]) -> Decimal:
    """The least decimal that is a whole multiple of each step."""
    scale = max(0, *(-int(step.as_tuple().exponent) for step in steps))
    whole = (int(EXACT.scaleb(step, scale)) for step in steps)
    return EXACT.scaleb(Decimal(math.lcm(*whole)), -scale)

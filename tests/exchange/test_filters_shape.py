"""Shaping: what is sent is never more than what was asked, and passes, or says why not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from filter_cases import BITCOIN, D
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.exchange.filters import (
    MarketFacts,
    OrderDraft,
    SymbolRules,
    check_order,
    excess_precision,
    floor_to_step,
    market_step,
    parse_symbol,
    shape_market_buy,
    shape_market_sell,
    smallest_sellable_amount,
)
from thunes_cli.model import Side

FACTS = MarketFacts(last_price=D(20_000))
RULES = parse_symbol(BITCOIN)

amounts = st.decimals(min_value=0, max_value=10**9, places=10, allow_nan=False, allow_infinity=False)
limits = st.decimals(min_value=0, max_value=10**6, places=8, allow_nan=False, allow_infinity=False)
prices = st.decimals(min_value=D("0.00000001"), max_value=10**6, places=8, allow_nan=False, allow_infinity=False)
steps = st.sampled_from([D(s) for s in ("0", "0.00000001", "0.001", "0.05", "0.3", "0.7", "1.00000000", "25", "1E+2")])


@st.composite
def symbols(draw: st.DrawFn) -> SymbolRules:
    """Symbols with any mixture of the filters that bind a market order."""
    lots: list[dict[str, Any]] = [
        {"filterType": name, "minQty": draw(limits), "maxQty": draw(limits), "stepSize": draw(steps)}
        for name in ("LOT_SIZE", "MARKET_LOT_SIZE")
    ]
    notional: dict[str, Any] = {
        "filterType": "NOTIONAL",
        "minNotional": draw(limits),
        "maxNotional": draw(limits),
        "applyMinToMarket": draw(st.booleans()),
        "applyMaxToMarket": draw(st.booleans()),
    }
    assets = [{"filterType": "MAX_ASSET", "asset": draw(st.sampled_from(["BTC", "USDT"])), "limit": draw(limits)}]
    filters = draw(
        st.lists(st.sampled_from([*lots, notional, *assets]), unique_by=lambda each: str(each["filterType"]))
    )
    precisions = {name: draw(st.integers(0, 10)) for name in ("baseAssetPrecision", "quoteAssetPrecision")}
    return parse_symbol({**BITCOIN, **precisions, "filters": filters})


@given(amounts.flatmap(lambda x: st.sampled_from([x, -x])), steps)
def test_flooring_lands_on_the_grid_never_above_and_only_once(quantity: Decimal, step: Decimal) -> None:
    """The floor is the greatest multiple of the step not above the quantity, and is its own floor."""
    floored = floor_to_step(quantity, step)

    assert floored <= quantity
    assert floor_to_step(floored, step) == floored
    if step:
        assert floored % step == 0
        assert quantity - floored < step
    else:
        assert floored == quantity


@pytest.mark.parametrize(
    ("quantity", "step", "expected"),
    [
        ("1.29", "0.1", "1.2"),
        ("-1.21", "0.1", "-1.3"),
        ("0.3", "0.1", "0.3"),
        ("0.00059988", "0.00001", "0.00059"),
        ("17", "1E+1", "10"),
        ("1.234", "0", "1.234"),
        ("1.234", "0E-8", "1.234"),
    ],
)
def test_flooring_examples(quantity: str, step: str, expected: str) -> None:
    """A negative quantity goes down, not towards zero; a step of zero changes nothing."""
    assert floor_to_step(D(quantity), D(step)) == D(expected)


@pytest.mark.parametrize(("quantity", "step"), [("1", "-0.1"), ("NaN", "1"), ("Infinity", "1")])
def test_flooring_refuses_what_has_no_floor(quantity: str, step: str) -> None:
    """Negative steps and numbers that are not finite are programming errors."""
    with pytest.raises(ValueError, match="cannot floor"):
        floor_to_step(D(quantity), D(step))


@given(symbols(), amounts, prices)
def test_a_shaped_sale_passes_or_says_why_not(rules: SymbolRules, quantity: Decimal, price: Decimal) -> None:
    """Whatever the filters, the shaped quantity is at most what was asked and passes check_order, or has a failure."""
    facts = MarketFacts(last_price=price)

    shaped = shape_market_sell(rules, quantity, facts)

    draft = OrderDraft(side=Side.SELL, type="MARKET", quantity=shaped.amount)
    assert 0 <= shaped.amount <= quantity
    assert excess_precision(rules, draft) is None
    if shaped.failure is None:
        assert shaped.amount > 0
        assert check_order(rules, draft, facts) is None


@given(symbols(), amounts, prices)
def test_a_shaped_purchase_passes_or_says_why_not(rules: SymbolRules, quote: Decimal, price: Decimal) -> None:
    """The same for a purchase by quote amount."""
    facts = MarketFacts(last_price=price)

    shaped = shape_market_buy(rules, quote, facts)

    draft = OrderDraft(side=Side.BUY, type="MARKET", quote_quantity=shaped.amount)
    assert 0 <= shaped.amount <= quote
    assert excess_precision(rules, draft) is None
    if shaped.failure is None:
        assert shaped.amount > 0
        assert check_order(rules, draft, facts) is None


@given(symbols(), amounts, prices)
def test_a_sale_is_refused_only_when_no_smaller_one_would_pass(
    rules: SymbolRules, quantity: Decimal, price: Decimal
) -> None:
    """Nothing sellable is given up: where shaping fails, the amounts one to three steps below fail too."""
    facts, step = MarketFacts(last_price=price), market_step(rules)

    shaped = shape_market_sell(rules, quantity, facts)

    if shaped.failure is not None:
        for steps_below in range(1, 4):
            smaller = OrderDraft(side=Side.SELL, type="MARKET", quantity=shaped.amount - step * steps_below)
            assert smaller.quantity is not None
            assert smaller.quantity <= 0 or check_order(rules, smaller, facts) is not None


@given(st.lists(steps, min_size=2, max_size=2), amounts)
def test_the_market_step_satisfies_both_lots(pair: list[Decimal], quantity: Decimal) -> None:
    """Steps that do not divide each other (0.3 and 0.7) are met by their common multiple."""
    lots = [
        {"filterType": name, "minQty": "0", "maxQty": "0", "stepSize": step}
        for name, step in zip(("LOT_SIZE", "MARKET_LOT_SIZE"), pair, strict=True)
    ]
    rules = parse_symbol({**BITCOIN, "filters": lots})

    shaped = shape_market_sell(rules, quantity, FACTS)

    assert all(step == 0 or shaped.amount % step == 0 for step in pair)
    assert quantity - shaped.amount < market_step(rules)


def test_a_sale_too_large_for_one_order_is_cut_to_the_greatest_one() -> None:
    """A position larger than the greatest market lot is sold in parts: an exit is never refused for its size."""
    shaped = shape_market_sell(RULES, D("123.4567891"), FACTS)

    assert (shaped.amount, shaped.failure) == (D(100), None)


def test_a_sale_too_valuable_for_one_order_is_cut_by_its_notional() -> None:
    """A maximum notional that applies to market orders cuts a sale too, at the filter's reference price."""
    rich = {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "30000", "applyMaxToMarket": True}
    rules = parse_symbol({**BITCOIN, "filters": [*BITCOIN["filters"][:2], rich]})

    shaped = shape_market_sell(rules, D(3), MarketFacts(last_price=D(1), average_price=D(20_000)))

    assert (shaped.amount, shaped.failure) == (D("1.5"), None)


@pytest.mark.parametrize(
    ("quantity", "amount", "filter_name"),
    [("0.000009", "0", "LOT_SIZE"), ("0.000249", "0.00024", "NOTIONAL"), ("0.00025999", "0.00025", None)],
)
def test_what_is_too_small_to_sell_says_which_filter_forbids_it(
    quantity: str, amount: str, filter_name: str | None
) -> None:
    """Dust fails by LOT_SIZE, a rest worth too little by NOTIONAL; the smallest sellable one passes."""
    shaped = shape_market_sell(RULES, D(quantity), FACTS)

    assert shaped.amount == D(amount)
    assert (shaped.failure.filter if shaped.failure else None) == filter_name


def test_nothing_left_is_a_failure_even_without_any_filter() -> None:
    """An order of zero is never ready to send."""
    bare = parse_symbol({**BITCOIN, "filters": []})

    assert shape_market_sell(bare, D("0.000000001"), FACTS).failure is not None
    assert shape_market_buy(bare, D("0.000000001"), FACTS).failure is not None


def test_a_purchase_is_rounded_down_to_the_quote_precision() -> None:
    """The amount keeps the decimals of the quote asset, cut off."""
    rules = parse_symbol({**BITCOIN, "quoteAssetPrecision": 2})

    assert shape_market_buy(rules, D("12.3499"), FACTS).amount == D("12.34")


def test_a_purchase_must_reach_the_least_lot() -> None:
    """An amount above the minimum notional that cannot buy the least lot is refused before it is sent."""
    coarse = {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"}
    rules = parse_symbol({**BITCOIN, "filters": [coarse, BITCOIN["filters"][2]]})

    refused = shape_market_buy(rules, D("19.99"), FACTS).failure

    assert refused is not None
    assert refused.filter == "LOT_SIZE"
    assert shape_market_buy(rules, D(20), FACTS).failure is None


def test_a_symbol_without_quote_amounts_cannot_be_bought_by_them() -> None:
    """quoteOrderQtyMarketAllowed false refuses every purchase by quote amount, with a reason."""
    rules = parse_symbol({**BITCOIN, "quoteOrderQtyMarketAllowed": False})

    failure = shape_market_buy(rules, D(50), FACTS).failure

    assert failure is not None
    assert "not supported" in failure.message


def test_the_smallest_amount_by_notional_is_the_formula_and_two_steps() -> None:
    """amount × (1 − pct/100) × 0.98 reaches the minimum notional, with a step for each of the two roundings."""
    smallest = smallest_sellable_amount(RULES, stop_loss_pct=D(3), price=D(20_000))

    by_formula = 5 / (D("0.97") * D("0.98"))
    step = market_step(RULES)
    assert by_formula + 2 * step * 20_000 <= smallest <= by_formula + D("2.01") * step * 20_000


@given(price=st.decimals("0.01", "200000", places=2), fee=st.sampled_from(["0", "0.001", "0.002"]))
def test_what_the_smallest_amount_buys_can_be_sold_after_the_stop(price: Decimal, fee: str) -> None:
    """Bought on the grid, less the fee, floored to the grid, sold at the stop: the minimum notional is reached."""
    amount = smallest_sellable_amount(RULES, stop_loss_pct=D(3), price=price)

    step = market_step(RULES)
    bought = floor_to_step(amount / price, step)
    sellable = floor_to_step(bought * (1 - D(fee)), step)
    assert sellable * price * D("0.97") >= RULES.min_notional


def test_the_smallest_amount_by_lot_survives_a_step_and_the_fee() -> None:
    """Where the lot is what binds, the quantity bought less a step and the fee still reaches it."""
    coarse = {"filterType": "LOT_SIZE", "minQty": "0.01", "maxQty": "9000", "stepSize": "0.001"}
    rules = parse_symbol({**BITCOIN, "filters": [coarse]})

    smallest = smallest_sellable_amount(rules, stop_loss_pct=D(3), price=D(20_000))

    assert smallest == D("0.012") * 20_000


@given(symbols(), st.decimals(min_value=0, max_value=99, places=2), prices)
def test_what_the_smallest_amount_buys_can_be_sold_by_lot(
    rules: SymbolRules, stop_loss_pct: Decimal, price: Decimal
) -> None:
    """Bought one step short and less the fee, the smallest amount still reaches the least market lot."""
    smallest = smallest_sellable_amount(rules, stop_loss_pct=stop_loss_pct, price=price)

    step = market_step(rules)
    with localcontext(Context(prec=60)):
        bought = floor_to_step(smallest / price, step) - step
        sellable = floor_to_step(bought * D("0.998"), step)
    assert sellable >= max(rules.min_quantity, step)
    assert smallest * (1 - stop_loss_pct / 100) * D("0.98") >= rules.min_notional


@pytest.mark.parametrize(("pct", "price"), [("100", "1"), ("-1", "1"), ("3", "0")])
def test_no_amount_is_named_where_none_exists(pct: str, price: str) -> None:
    """A stop that loses everything, or a price of zero, has no smallest amount."""
    with pytest.raises(ValueError, match="no amount survives"):
        smallest_sellable_amount(RULES, stop_loss_pct=D(pct), price=D(price))


def test_shaping_does_not_depend_on_the_callers_decimal_context() -> None:
    """A thread that computes with three digits shapes as any other."""
    facts = replace(FACTS, average_price=D("20000.12345678"))
    wide = shape_market_sell(RULES, D("12.34567891"), facts)
    smallest = smallest_sellable_amount(RULES, stop_loss_pct=D(3), price=D("20000.12"))

    with localcontext(Context(prec=3)):
        assert shape_market_sell(RULES, D("12.34567891"), facts) == wide
        assert smallest_sellable_amount(RULES, stop_loss_pct=D(3), price=D("20000.12")) == smallest

"""Filters on price, quantity and value, at their bounds and just past them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from filter_cases import FACTS, LOT, PERCENT, D, failed, limit, market, rules_of

from thunes_cli.exchange.filters import (
    MarketFacts,
    OrderDraft,
)
from thunes_cli.model import Side

PRICE = {"filterType": "PRICE_FILTER", "minPrice": "0.05", "maxPrice": "1000", "tickSize": "0.1"}


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        pytest.param("0.1", None, id="a multiple of the tick, though not offset from the minimum by one"),
        pytest.param("0.05", "PRICE_FILTER", id="the minimum itself, off the grid"),
        pytest.param("0.15", "PRICE_FILTER", id="minimum plus one tick, off the grid"),
        pytest.param("1000", None, id="the maximum is inclusive"),
        pytest.param("1000.1", "PRICE_FILTER", id="above the maximum"),
        pytest.param("0", "PRICE_FILTER", id="below the minimum"),
    ],
)
def test_price_is_bounded_and_on_the_tick(price: str, expected: str | None) -> None:
    """PRICE_FILTER wants price % tick == 0 within inclusive bounds, for the price and for the stop price."""
    rules = rules_of(PRICE)

    assert failed(rules, limit(price=price)) == expected
    assert failed(rules, replace(market(quantity="1"), type="STOP_LOSS", stop_price=D(price))) == expected


@pytest.mark.parametrize("field", ["minPrice", "maxPrice", "tickSize"])
def test_each_part_of_the_price_filter_is_disabled_by_zero(field: str) -> None:
    """A zero in PRICE_FILTER switches that part off, and only that part."""
    rules = rules_of({**PRICE, field: "0.00000000"})

    verdicts = {
        "minPrice": failed(rules, limit(price="0")),
        "maxPrice": failed(rules, limit(price="5000")),
        "tickSize": failed(rules, limit(price="7.7777")),
    }

    assert {name for name, verdict in verdicts.items() if verdict is None} == {field}


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        pytest.param("0.1", None, id="a multiple of the step"),
        pytest.param("0.05", "LOT_SIZE", id="the minimum itself, off the grid"),
        pytest.param("0.15", "LOT_SIZE", id="minimum plus one step, off the grid"),
        pytest.param("10", None, id="the maximum is inclusive"),
        pytest.param("10.1", "LOT_SIZE", id="above the maximum"),
        pytest.param("0", "LOT_SIZE", id="below the minimum"),
    ],
)
def test_quantity_is_bounded_and_on_the_step(quantity: str, expected: str | None) -> None:
    """LOT_SIZE wants quantity % step == 0 (no offset from the minimum), for limit and market orders alike."""
    rules = rules_of(LOT)

    assert failed(rules, market(quantity=quantity)) == expected
    assert failed(rules, limit(quantity=quantity)) == expected


def test_lot_size_binds_the_iceberg_quantity_too() -> None:
    """The visible part of an iceberg order obeys LOT_SIZE as well; a visible part of zero means no iceberg."""
    rules = rules_of(LOT)

    assert failed(rules, limit(quantity="1", iceberg_qty=D("0.5"))) is None
    assert failed(rules, limit(quantity="1", iceberg_qty=D("0.55"))) == "LOT_SIZE"
    assert failed(rules, limit(quantity="10", iceberg_qty=D(11))) == "LOT_SIZE"
    assert failed(rules, limit(quantity="1", iceberg_qty=D(0))) is None


def test_market_lot_size_binds_market_orders_only_and_its_zeros_are_no_limits() -> None:
    """The live exchange publishes zero minimum and step here; only the maximum counts, and only for MARKET."""
    rules = rules_of({"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "5", "stepSize": "0.00000000"})

    assert failed(rules, market(quantity="4.123456789")) is None
    assert failed(rules, market(quantity="5")) is None
    assert failed(rules, market(quantity="5.1")) == "MARKET_LOT_SIZE"
    assert failed(rules, limit(quantity="5.1")) is None


def test_a_lot_whose_maximum_is_zero_is_unlimited() -> None:
    """A maximum of zero cannot mean that nothing may be sold."""
    rules = rules_of({"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "0", "stepSize": "0"})

    assert failed(rules, market(quantity="5")) is None


def test_a_quote_amount_is_held_against_lots_by_what_it_buys_at_the_best_price() -> None:
    """A quote amount must reach the least lot and may not exceed the greatest market lot, at the best ask."""
    rules = rules_of(LOT, {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "5", "stepSize": "0"})
    facts = replace(FACTS, best_ask=D(110), best_bid=D(90))

    assert failed(rules, market(Side.BUY, quote_quantity="11"), facts) is None
    assert failed(rules, market(Side.BUY, quote_quantity="10.99"), facts) == "LOT_SIZE"
    assert failed(rules, market(Side.BUY, quote_quantity="561"), facts) == "MARKET_LOT_SIZE"
    assert failed(rules, market(Side.SELL, quote_quantity="9"), facts) is None


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("price", "expected"), [("150", None), ("150.01", "PERCENT_PRICE"), ("50", None), ("49.99", "PERCENT_PRICE")]
)
def test_price_stays_within_a_percentage_of_the_reference(side: Side, price: str, expected: str | None) -> None:
    """PERCENT_PRICE bounds are inclusive multiples of the reference, for both sides."""
    assert failed(rules_of(PERCENT), limit(side, price=price)) == expected


@pytest.mark.parametrize(
    ("side", "price", "expected"),
    [
        (Side.BUY, "120", None),
        (Side.BUY, "120.01", "PERCENT_PRICE_BY_SIDE"),
        (Side.BUY, "20", None),
        (Side.BUY, "19.99", "PERCENT_PRICE_BY_SIDE"),
        (Side.SELL, "500", None),
        (Side.SELL, "500.01", "PERCENT_PRICE_BY_SIDE"),
        (Side.SELL, "80", None),
        (Side.SELL, "79.99", "PERCENT_PRICE_BY_SIDE"),
    ],
)
def test_each_side_has_its_own_percentage(side: Side, price: str, expected: str | None) -> None:
    """PERCENT_PRICE_BY_SIDE holds bids and asks to different multiples."""
    rules = rules_of(
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "1.2",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.8",
            "avgPriceMins": 1,
        }
    )

    assert failed(rules, limit(side, price=price)) == expected


def test_a_market_order_has_no_price_to_hold_against_a_percentage() -> None:
    """Percent filters do not apply to an order without a price."""
    assert failed(rules_of(PERCENT), market(quantity="1")) is None


@pytest.mark.parametrize(
    ("minutes", "facts", "reference"),
    [
        pytest.param(5, MarketFacts(D(7), D(8), D(9)), D(9), id="reference price first"),
        pytest.param(0, MarketFacts(D(7), D(8), D(9)), D(9), id="reference price even with no window"),
        pytest.param(5, MarketFacts(D(7), D(8)), D(8), id="else the average"),
        pytest.param(0, MarketFacts(D(7), D(8)), D(7), id="else the last price when the window is zero"),
        pytest.param(5, MarketFacts(D(7)), D(7), id="last price stands in for an unknown average"),
    ],
)
def test_the_reference_price_takes_precedence(minutes: int, facts: MarketFacts, reference: Decimal) -> None:
    """Since 2026-05 a symbol's reference price replaces average and last price in percent and notional filters."""
    percent = rules_of({**PERCENT, "avgPriceMins": minutes, "multiplierUp": "1", "multiplierDown": "1"})
    notional = rules_of(
        {"filterType": "NOTIONAL", "minNotional": reference, "applyMinToMarket": True, "avgPriceMins": minutes}
    )

    assert facts.reference(minutes) == reference
    assert failed(percent, limit(price=str(reference)), facts) is None
    assert failed(percent, limit(price=str(reference + 1)), facts) == "PERCENT_PRICE"
    assert failed(notional, market(quantity="1"), facts) is None
    assert failed(notional, market(quantity="0.999"), facts) == "NOTIONAL"


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        pytest.param(market(quantity="0.1"), None, id="exactly the minimum"),
        pytest.param(market(quantity="0.0999"), "MIN_NOTIONAL", id="market order below"),
        pytest.param(market(Side.BUY, quote_quantity="10"), None, id="quote amount, exactly"),
        pytest.param(market(Side.BUY, quote_quantity="9.99"), "MIN_NOTIONAL", id="quote amount below"),
        pytest.param(limit(quantity="0.1", price="99"), "MIN_NOTIONAL", id="a limit order counts its own price"),
        pytest.param(limit(quantity="0.1", price="101"), None, id="not the market's"),
    ],
)
def test_min_notional_is_inclusive_and_named_as_the_symbol_names_it(draft: OrderDraft, expected: str | None) -> None:
    """MIN_NOTIONAL is the older filter; its failures carry its own name."""
    rules = rules_of({"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True, "avgPriceMins": 5})

    assert failed(rules, draft) == expected


def test_min_notional_may_leave_market_orders_alone() -> None:
    """applyToMarket false frees market orders, never limit orders."""
    rules = rules_of({"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": False, "avgPriceMins": 5})

    assert failed(rules, market(quantity="0.01")) is None
    assert failed(rules, limit(quantity="0.01")) == "MIN_NOTIONAL"


@pytest.mark.parametrize("min_to_market", [True, False])
@pytest.mark.parametrize("max_to_market", [True, False])
def test_notional_bounds_apply_to_market_orders_separately(*, min_to_market: bool, max_to_market: bool) -> None:
    """NOTIONAL has one switch for the minimum and one for the maximum; limit orders always obey both."""
    rules = rules_of(
        {
            "filterType": "NOTIONAL",
            "minNotional": "10",
            "maxNotional": "1000",
            "applyMinToMarket": min_to_market,
            "applyMaxToMarket": max_to_market,
            "avgPriceMins": 5,
        }
    )

    assert failed(rules, market(quantity="0.01")) == ("NOTIONAL" if min_to_market else None)
    assert failed(rules, market(quantity="11")) == ("NOTIONAL" if max_to_market else None)
    assert failed(rules, market(quantity="10")) is None
    assert failed(rules, limit(quantity="0.01")) == "NOTIONAL"
    assert failed(rules, limit(quantity="11")) == "NOTIONAL"

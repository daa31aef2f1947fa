"""Filters on numbers of orders, positions and distances; the order of filters; precision."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, localcontext
from typing import Any

import pytest
from filter_cases import FACTS, LOT, PERCENT, D, failed, limit, market, rules_of

from thunes_cli.exchange.filters import (
    FilterFailure,
    OrderDraft,
    check_order,
    excess_precision,
)
from thunes_cli.model import Side


@pytest.mark.parametrize(
    ("quantity", "expected"), [("100", None), ("100.1", "ICEBERG_PARTS"), ("99.9", None), ("101", "ICEBERG_PARTS")]
)
def test_iceberg_parts_round_up(quantity: str, expected: str | None) -> None:
    """A rest that fills no whole part is a part: CEIL(quantity / icebergQty) may reach the limit, not pass it."""
    rules = rules_of({"filterType": "ICEBERG_PARTS", "limit": 100})

    assert failed(rules, limit(quantity=quantity, iceberg_qty=D(1))) == expected
    assert failed(rules, limit(quantity=quantity)) is None


@pytest.mark.parametrize(
    ("name", "field", "draft", "count"),
    [
        ("MAX_NUM_ORDERS", "maxNumOrders", limit(), "open_orders"),
        ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", replace(limit(), type="STOP_LOSS_LIMIT"), "open_algo_orders"),
        ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", limit(iceberg_qty=D(1)), "open_iceberg_orders"),
        ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", limit(in_list=True), "open_order_lists"),
        ("EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders", limit(), "account_open_orders"),
        (
            "EXCHANGE_MAX_NUM_ALGO_ORDERS",
            "maxNumAlgoOrders",
            replace(limit(), type="TAKE_PROFIT"),
            "account_open_algo_orders",
        ),
        (
            "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
            "maxNumIcebergOrders",
            limit(iceberg_qty=D(1)),
            "account_open_iceberg_orders",
        ),
        ("EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists", limit(in_list=True), "account_open_order_lists"),
    ],
)
def test_no_more_than_so_many_open_at_once(name: str, field: str, draft: OrderDraft, count: str) -> None:
    """Each MAX_NUM filter counts its own kind of order, of the symbol or of the account; the limit can be reached."""
    rules = rules_of({"filterType": name, field: 5})
    below: dict[str, Any] = {count: 4}
    reached: dict[str, Any] = {count: 5}

    assert failed(rules, draft, replace(FACTS, **below)) is None
    assert failed(rules, draft, replace(FACTS, **reached)) == name
    assert failed(rules, market(quantity="1"), replace(FACTS, **reached)) is None


def test_limits_on_amendments_do_not_concern_new_orders() -> None:
    """MAX_NUM_ORDER_AMENDS (error -2038) is read and kept, but refuses no new order."""
    rules = rules_of({"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10})

    assert failed(rules, limit(), replace(FACTS, open_orders=500)) is None


def test_position_counts_what_is_held_and_what_is_being_bought() -> None:
    """MAX_POSITION limits free and locked base plus open BUYs plus this BUY; it never stops a SELL."""
    rules = rules_of({"filterType": "MAX_POSITION", "maxPosition": "10"})
    facts = replace(FACTS, base_total=D(5), open_buy_qty=D(4))

    assert failed(rules, limit(quantity="1"), facts) is None
    assert failed(rules, limit(quantity="1.1"), facts) == "MAX_POSITION"
    assert failed(rules, market(Side.BUY, quote_quantity="110"), facts) == "MAX_POSITION"
    assert failed(rules, limit(Side.SELL, quantity="50"), facts) is None


@pytest.mark.parametrize(
    ("kind", "side", "delta", "expected"),
    [
        ("STOP_LOSS", Side.BUY, 10, None),
        ("STOP_LOSS_LIMIT", Side.BUY, 9, "TRAILING_DELTA"),
        ("TAKE_PROFIT", Side.SELL, 2000, None),
        ("TAKE_PROFIT_LIMIT", Side.SELL, 2001, "TRAILING_DELTA"),
        ("STOP_LOSS", Side.SELL, 20, None),
        ("STOP_LOSS_LIMIT", Side.SELL, 19, "TRAILING_DELTA"),
        ("TAKE_PROFIT", Side.BUY, 500, None),
        ("TAKE_PROFIT_LIMIT", Side.BUY, 501, "TRAILING_DELTA"),
    ],
)
def test_trailing_delta_has_a_range_above_and_one_below(
    kind: str, side: Side, delta: int, expected: str | None
) -> None:
    """A trailing stop above the market has other bounds than one below it."""
    rules = rules_of(
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 20,
            "maxTrailingBelowDelta": 500,
        }
    )
    draft = OrderDraft(side=side, type=kind, quantity=D(1), trailing_delta=delta)

    assert failed(rules, draft) == expected
    assert failed(rules, replace(draft, trailing_delta=None)) is None


@pytest.mark.parametrize(
    ("asset", "quantity", "expected"),
    [
        ("BTC", "3", None),
        ("BTC", "3.1", "MAX_ASSET"),
        ("USDT", "0.03", None),
        ("USDT", "0.031", "MAX_ASSET"),
        ("JPY", "99", None),
    ],
)
def test_one_order_moves_only_so_much_of_an_asset(asset: str, quantity: str, expected: str | None) -> None:
    """MAX_ASSET binds whichever side of the symbol the asset is on, and no symbol without it."""
    rules = rules_of({"filterType": "MAX_ASSET", "asset": asset, "limit": "3"})

    assert failed(rules, market(quantity=quantity)) == expected


def test_the_first_failing_filter_in_the_symbols_order_is_reported() -> None:
    """An order that breaks several filters is refused by the one the symbol lists first, with the numbers in detail."""
    notional = {"filterType": "NOTIONAL", "minNotional": "10", "applyMinToMarket": True, "avgPriceMins": 5}

    first = check_order(rules_of(LOT, notional), market(quantity="0.01"), FACTS)
    other = check_order(rules_of(notional, LOT), market(quantity="0.01"), FACTS)

    assert first == FilterFailure("LOT_SIZE", "Filter failure: LOT_SIZE", "quantity 0.01 is below 0.05")
    assert other == FilterFailure("NOTIONAL", "Filter failure: NOTIONAL", "notional 1 is below 10")


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (market(quantity="0.12345678"), "quantity"),
        (market(quantity="0.123456"), None),
        (market(quantity="0.1234560000"), None),
        (market(Side.BUY, quote_quantity="1.001"), "quoteOrderQty"),
        (limit(price="1.001"), "price"),
        (limit(iceberg_qty=D("0.0000001")), "icebergQty"),
        (limit(stop_price=D("1E-3")), "stopPrice"),
        (limit(), None),
    ],
)
def test_too_many_decimals_are_named_by_parameter(draft: OrderDraft, expected: str | None) -> None:
    """Base amounts obey the base asset's precision, prices and quote amounts the quote asset's; zeros do not count."""
    rules = rules_of(baseAssetPrecision=6, quoteAssetPrecision=2)

    assert excess_precision(rules, draft) == expected


def test_no_amount_has_more_than_eight_decimals() -> None:
    """Eight decimals are the wire's limit even for an asset that claims more."""
    rules = rules_of(baseAssetPrecision=18, quoteAssetPrecision=18)

    assert excess_precision(rules, market(quantity="0.000000001")) == "quantity"
    assert excess_precision(rules, market(quantity="0.00000001")) is None


def test_verdicts_do_not_depend_on_the_callers_decimal_context() -> None:
    """A thread that computes with three digits gets the same verdicts as any other."""
    rules = rules_of({**LOT, "maxQty": "1000000000", "stepSize": "0.00000001"}, PERCENT)

    with localcontext(Context(prec=3)):
        assert failed(rules, market(quantity="123456789.12345678")) is None
        assert failed(rules, market(quantity="123456789.123456789")) == "LOT_SIZE"
        assert failed(rules, limit(price="150.01")) == "PERCENT_PRICE"

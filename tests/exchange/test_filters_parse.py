"""Reading the exchange's description of a symbol."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from filter_cases import BITCOIN, D

from thunes_cli.exchange.filters import CountLimit, MarketFacts, parse_symbol, shape_market_buy, shape_market_sell

SAMPLE = Path(__file__).parents[2] / ".." / "shared" / "data" / "exchangeInfo-sample.json.gz"
FACTS = MarketFacts(last_price=D(20_000))


def test_unknown_filters_statuses_and_fields_are_tolerated() -> None:
    """A filter type of next year is skipped and named; an unknown status only means not tradable."""
    entry = {
        **BITCOIN,
        "status": "HIBERNATING",
        "newField": {"x": 1},
        "filters": [*BITCOIN["filters"], {"filterType": "T_PLUS_SELL", "endTime": "1"}],
    }

    rules = parse_symbol(entry)

    assert rules.unknown_filters == ("T_PLUS_SELL",)
    assert not rules.tradable
    assert shape_market_sell(rules, D(1), FACTS).failure is None


def test_symbols_need_not_be_ascii() -> None:
    """The testnet lists a symbol that is not ASCII: base and quote come from their own fields."""
    rules = parse_symbol({**BITCOIN, "symbol": "测试USDT", "baseAsset": "测试"})

    assert (rules.symbol, rules.base, rules.quote) == ("测试USDT", "测试", "USDT")


@pytest.mark.parametrize(
    ("change", "tradable"),
    [
        ({}, True),
        ({"status": "CANCEL_ONLY"}, False),
        ({"status": "HALT"}, False),
        ({"isSpotTradingAllowed": False}, False),
        ({"orderTypes": ["LIMIT"]}, False),
    ],
)
def test_tradable_needs_status_spot_and_market_orders(change: dict[str, Any], *, tradable: bool) -> None:
    """A symbol is tradable when it is TRADING, spot is allowed and it takes market orders."""
    assert parse_symbol({**BITCOIN, **change}).tradable is tradable


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({key: value for key, value in BITCOIN.items() if key != "baseAsset"}, "without 'baseAsset'"),
        ({**BITCOIN, "filters": [{"filterType": "LOT_SIZE", "minQty": "abc"}]}, "BTCUSDT: filter LOT_SIZE"),
        ({**BITCOIN, "filters": [{"filterType": "LOT_SIZE", "stepSize": "NaN"}]}, "BTCUSDT: filter LOT_SIZE"),
        ({**BITCOIN, "filters": [{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": None}]}, "BTCUSDT: filter MAX_NUM"),
    ],
)
def test_an_unreadable_entry_is_named(entry: dict[str, Any], message: str) -> None:
    """What cannot be read is refused by symbol and filter, not guessed."""
    with pytest.raises(ValueError, match=message):
        parse_symbol(entry)


def test_filters_listed_elsewhere_bind_too() -> None:
    """Filters of the exchange or of the account join the symbol's own."""
    rules = parse_symbol(BITCOIN, extra_filters=[{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 1000}])

    assert rules.filters[-1] == CountLimit("EXCHANGE_MAX_NUM_ORDERS", 1000)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared sample is not there")
def test_a_real_exchange_info_is_read_whole() -> None:
    """Every symbol of a real exchangeInfo parses, with no filter unknown, and a purchase of 12 can be shaped."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        entries = json.load(file)["symbols"]

    every = {entry["symbol"]: parse_symbol(entry) for entry in entries}

    assert len(every) == len(entries) > 0
    assert all(rules.tradable and not rules.unknown_filters for rules in every.values())
    bitcoin = every["BTCUSDT"]
    assert (bitcoin.base, bitcoin.quote, bitcoin.min_notional) == ("BTC", "USDT", D(10))
    assert shape_market_buy(bitcoin, D(12), FACTS).failure is None
    assert shape_market_sell(bitcoin, D("0.000599"), FACTS).amount == D("0.00059")

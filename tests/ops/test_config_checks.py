"""Settings against the exchange's rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from thunes_cli.config.settings import Settings
from thunes_cli.exchange.filters import SymbolRules, parse_symbol
from thunes_cli.ops.check import CheckStatus
from thunes_cli.ops.config_checks import amount_checks, funds_checks, symbol_checks

PRICES = {"BTCUSDT": Decimal(50000)}


def rules(**changes: Any) -> dict[str, SymbolRules]:
    entry = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "baseAssetPrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["MARKET"],
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "10", "applyMinToMarket": True, "maxNotional": "100",
             "applyMaxToMarket": True, "avgPriceMins": 5},
        ],
        **changes,
    }  # fmt: skip
    return {"BTCUSDT": parse_symbol(entry)}


@pytest.mark.parametrize(
    ("changes", "status", "value"),
    [
        ({}, "ok", "TRADING"),
        ({"status": "HALT"}, "fail", "HALT"),
        ({"status": "SOMETHING_NEW"}, "fail", "SOMETHING_NEW"),
        ({"isSpotTradingAllowed": False}, "fail", "no spot market orders"),
    ],
)
def test_a_symbol_must_be_traded(changes: dict[str, Any], status: str, value: str) -> None:
    """A status we do not know is not TRADING."""
    (check,) = symbol_checks(Settings(), rules(**changes))

    assert (check.name, check.status, check.value) == ("symbol BTCUSDT", status, value)


def test_an_unknown_symbol_says_where_it_was_given() -> None:
    """So that it can be corrected."""
    settings = Settings(symbols=("BTCUSDT", "BTCUSDX")).with_origins({"SYMBOLS": "/h/.env:3"})

    known, unknown = symbol_checks(settings, rules())

    assert known.status is CheckStatus.OK
    assert (unknown.status, unknown.hint) == (CheckStatus.FAIL, "correct SYMBOLS (/h/.env:3)")


def test_the_default_amount_is_good_for_a_minimum_of_ten() -> None:
    """12 × 0.97 × 0.98 = 11.4: sold again after a stop."""
    (check,) = amount_checks(Settings(), rules(), PRICES)

    assert (check.status, check.value, check.hint) == (CheckStatus.OK, "12 USDT", "")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"default_quote_amount": Decimal(10)}, "10 USDT could not be sold after a stop of 3 %"),
        ({"stop_loss_pct": Decimal(20)}, "12 USDT could not be sold after a stop of 20 %"),
        ({"default_quote_amount": Decimal(101), "max_loss_per_trade": Decimal(101)}, "101 USDT would be refused"),
    ],
)
def test_an_amount_that_cannot_be_bought_and_sold_fails(settings: dict[str, Any], problem: str) -> None:
    """Named with what to change."""
    (check,) = amount_checks(Settings(**settings), rules(), PRICES)

    assert (check.status, check.value) == (CheckStatus.FAIL, problem)
    assert check.hint


def test_the_amount_named_as_good_is_good_and_the_next_smaller_is_not() -> None:
    """The hint can be typed as it stands."""
    (check,) = amount_checks(Settings(default_quote_amount=Decimal(1)), rules(), PRICES)
    smallest = Decimal(check.hint.split("=")[1].split()[0])

    (at,) = amount_checks(Settings(default_quote_amount=smallest), rules(), PRICES)
    (below,) = amount_checks(Settings(default_quote_amount=smallest - Decimal("0.00000001")), rules(), PRICES)

    assert (at.status, below.status) == (CheckStatus.OK, CheckStatus.FAIL)
    assert smallest * Decimal("0.97") * Decimal("0.98") >= 10


def test_what_is_not_known_is_skipped() -> None:
    """No price, no judgement."""
    assert [check.status for check in amount_checks(Settings(), rules(), {})] == [CheckStatus.SKIP]
    assert [check.status for check in amount_checks(Settings(), {}, PRICES)] == [CheckStatus.SKIP]


@pytest.mark.parametrize(("free", "status"), [("12", "ok"), ("11.99", "warn"), (None, "warn")])
def test_funds_below_one_entry_are_a_warning(free: str | None, status: str) -> None:
    """Not a failure: a position may be about to be sold."""
    (check,) = funds_checks(Settings(), rules(), {"USDT": Decimal(free)} if free else {})

    assert (check.name, check.status) == ("funds USDT", status)

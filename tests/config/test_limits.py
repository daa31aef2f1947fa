"""Settings that are sound each by itself but not together."""

from __future__ import annotations

from decimal import Decimal

import pytest

from thunes_cli.config.limits import check_limits
from thunes_cli.config.secrets import Secret
from thunes_cli.config.settings import Settings

KEY = Secret("k")
LIVE = {"environment": "live"}
TESTNET = {"environment": "testnet"}


def test_the_defaults_fit_together() -> None:
    """The original's template refused every BUY."""
    assert check_limits(Settings()) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"max_loss_per_trade": Decimal("11.9")},
            "MAX_LOSS_PER_TRADE: must be at least DEFAULT_QUOTE_AMOUNT, 12 (is 11.9), or every entry is refused",
        ),
        ({"sma_fast": 50}, "SMA_FAST: must be less than SMA_SLOW, 50 (is 50)"),
        ({"rsi_oversold": Decimal(70)}, "RSI_OVERSOLD: must be less than RSI_OVERBOUGHT, 70 (is 70)"),
        (
            {**LIVE, "binance_api_key": KEY},
            "BINANCE_API_KEY: needs BINANCE_API_SECRET or BINANCE_PRIVATE_KEY_FILE beside it",
        ),
        (
            {**TESTNET, "binance_testnet_api_secret": KEY},
            "BINANCE_TESTNET_API_SECRET: needs BINANCE_TESTNET_API_KEY beside it",
        ),
        (
            {**LIVE, "binance_api_key": KEY, "binance_api_secret": KEY, "binance_private_key_file": "/k.pem"},
            "BINANCE_PRIVATE_KEY_FILE: give either this (Ed25519) or BINANCE_API_SECRET (HMAC), not both",
        ),
        ({"telegram_bot_token": KEY}, "TELEGRAM_CHAT_ID: is not set, but TELEGRAM_BOT_TOKEN is: no alert would arrive"),
        ({"telegram_chat_id": "1"}, "TELEGRAM_BOT_TOKEN: is not set, but TELEGRAM_CHAT_ID is: no alert would arrive"),
    ],
)
def test_contradictions_are_named(given: dict[str, object], problem: str) -> None:
    """The setting to change first, what it must be, what it is."""
    assert [str(fault) for fault in check_limits(Settings(**given))] == [problem]


@pytest.mark.parametrize(
    ("environment", "name", "address"),
    [
        ("testnet", "binance_sapi_url", "https://api.binance.com"),
        ("testnet", "binance_rest_url", "https://api1.binance.com"),
        ("testnet", "binance_rest_url", "https://API.BINANCE.COM:443"),
        ("sim", "binance_rest_url", "https://api.binance.com"),
        ("sim", "binance_rest_url", "https://testnet.binance.vision"),
        ("live", "binance_rest_url", "https://api1.testnet.binance.vision"),
        ("live", "binance_stream_url", "wss://stream.testnet.binance.vision"),
    ],
)
def test_no_environment_reaches_another_ones_exchange(environment: str, name: str, address: str) -> None:
    """A testnet key must never be sent to production."""
    faults = check_limits(Settings(environment=environment, **{name: address}))

    assert [fault.settings for fault in faults] == [(name.upper(), "ENVIRONMENT")]


@pytest.mark.parametrize("environment", ["sim", "testnet", "live"])
@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "https://demo-api.binance.com", "https://proxy.example"])
def test_other_addresses_are_the_operators_choice(environment: str, address: str) -> None:
    """A simulator, a proxy, Binance's demo mode."""
    assert check_limits(Settings(environment=environment, binance_rest_url=address)) == []


def test_a_fault_is_located_where_somebody_gave_a_value() -> None:
    """With a default on one side, the place of the other is shown."""
    settings = Settings(default_quote_amount=Decimal(16)).with_origins({"DEFAULT_QUOTE_AMOUNT": "/h/.env:4"})

    assert str(check_limits(settings)[0]).endswith(", /h/.env:4")

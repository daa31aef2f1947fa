"""The client against the embedded exchange, end to end over real HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock, to_ms, utc_now
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.clock_sync import exchange_rate_of_clock, take_reading
from thunes_cli.exchange.failures import AuthFailed, Rejected, TimestampRejected
from thunes_cli.exchange.filters import MarketFacts, shape_market_sell
from thunes_cli.exchange.guarded_binance import GuardedBinance, open_binance
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.schema import create_ledger
from thunes_cli.model import ZERO, ClientOrderId, MarketOrder, Side
from thunes_cli.sim.embedded import Endpoint, open_embedded
from thunes_cli.sim.options import SimOptions

SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A simulator of its own at ordinary speed."""
    directory = tmp_path_factory.mktemp("sim")
    with open_embedded(directory, SimOptions(directory=directory, port=0)) as endpoint:
        yield endpoint


@pytest.fixture
def home(tmp_path: Path) -> Journal:
    create_ledger(tmp_path / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=utc_now())
    return Journal(Ledger(tmp_path / "thunes.db"), tmp_path / "audit_trail.jsonl", Clock())


def open_sim(endpoint: Endpoint, journal: Journal, *, secret: str | None = None) -> GuardedBinance:
    exchange = open_binance(
        Endpoints(endpoint.rest_url, endpoint.stream_url, endpoint.ws_api_url, None),
        Credentials(Secret(endpoint.api_key), Secret(secret or endpoint.api_secret), None, "sim"),
        journal,
        limits=BreakerLimits(),
        recv_window_ms=5000,
        timeout_s=Decimal(10),
    )
    speed = exchange_rate_of_clock(endpoint.rest_url)
    assert speed is not None
    exchange.resync_clock(speed=speed)
    return exchange


def test_a_round_trip_of_trading_adds_up_to_the_last_digit(endpoint: Endpoint, home: Journal) -> None:
    """Buy by quote amount, find the order and its trades again, sell what is left after the fee: balances agree."""
    exchange = open_sim(endpoint, home)
    rules = exchange.symbol_rules([SYMBOL, "NOSUCHCOIN"])
    assert list(rules) == [SYMBOL]
    before = exchange.account()
    bought = exchange.place(
        MarketOrder(SYMBOL, Side.BUY, ClientOrderId("thabcdefabc-B-1"), quote_quantity=Decimal("100.5")),
        timestamp_ms=to_ms(home.clock.now()),
    )

    found = exchange.order(SYMBOL, ClientOrderId("thabcdefabc-B-1"))
    trades = exchange.trades(SYMBOL, order_id=bought.order_id)
    assert found is not None
    assert (found.order_id, found.executed_qty) == (bought.order_id, bought.executed_qty)
    assert bought.trades
    assert [dataclasses.replace(trade, time=bought.time, is_maker=False) for trade in trades] == [
        dataclasses.replace(trade, is_maker=False) for trade in bought.trades
    ]
    assert sum((trade.quote_quantity for trade in trades), ZERO) == bought.executed_quote
    assert [report.order_id for report in exchange.orders(SYMBOL, from_order_id=bought.order_id)] == [bought.order_id]
    assert exchange.open_orders(SYMBOL) == []

    fee = sum((trade.commission for trade in trades if trade.commission_asset == rules[SYMBOL].base), ZERO)
    price = exchange.average_price(SYMBOL)
    facts = MarketFacts(last_price=exchange.last_price(SYMBOL), average_price=price)
    shaped = shape_market_sell(rules[SYMBOL], bought.executed_qty - fee, facts)
    assert shaped.failure is None
    sold = exchange.place(
        MarketOrder(SYMBOL, Side.SELL, ClientOrderId("thabcdefabc-S-2"), quantity=shaped.amount),
        timestamp_ms=to_ms(home.clock.now()),
    )

    after = exchange.account()
    assert after.uid == before.uid
    quote_fee = sum((trade.commission for trade in sold.trades if trade.commission_asset == rules[SYMBOL].quote), ZERO)
    quote, base = rules[SYMBOL].quote, rules[SYMBOL].base
    assert after.balances[quote].total - before.balances[quote].total == (
        sold.executed_quote - quote_fee - bought.executed_quote
    )
    held = [account.balances[base].total if base in account.balances else ZERO for account in (before, after)]
    assert held[1] - held[0] == bought.executed_qty - fee - sold.executed_qty


def test_candles_and_clock(endpoint: Endpoint, home: Journal) -> None:
    """History is there at once, in order, and our market time agrees with the exchange's."""
    exchange = open_sim(endpoint, home)

    candles = exchange.candles(SYMBOL, "1m", limit=1000)

    assert len(candles) == 1000
    assert candles[-1].open_time <= home.clock.now() < candles[-1].close_time + timedelta(minutes=1)
    reading = take_reading(exchange.server_time, home.clock)
    assert abs(home.clock.anchor.market_at(reading.wall) - reading.server) < timedelta(seconds=1)


def test_refusals_have_their_kind(endpoint: Endpoint, home: Journal) -> None:
    """Filters, unknown keys, wrong secrets and old timestamps are told apart."""
    exchange = open_sim(endpoint, home)
    dust = MarketOrder(SYMBOL, Side.BUY, ClientOrderId("thabcdefabc-B-9"), quote_quantity=Decimal("0.01"))
    now = to_ms(home.clock.now())

    with pytest.raises(Rejected, match="Filter failure") as filtered:
        exchange.place(dust, timestamp_ms=now)
    with pytest.raises(TimestampRejected):
        exchange.place(dust, timestamp_ms=now - 60_000)
    with pytest.raises(Rejected, match="-1022"):
        open_sim(endpoint, home, secret="wrong").account()
    with pytest.raises(AuthFailed):
        open_sim(dataclasses.replace(endpoint, api_key="A" * 64), home).account()

    assert filtered.value.business_code == -1013
    assert exchange.order(SYMBOL, dust.client_order_id) is None

"""Fees in a third asset: valued at the price of their time, else at the last known and marked, and corrected once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from manual_time import ManualTime
from reconcile_room import findings, reconciler
from scripted_exchange import ScriptedExchange
from trading_room import BUY_NOW, HOUR, Room, assemble

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.failures import ExchangeDown, Rejected
from thunes_cli.ledger import fills
from thunes_cli.ledger.known import save_price
from thunes_cli.model import Candle, Fill, MarketOrder, OrderReport, Side, Trade
from thunes_cli.risk.kill_switch import counted_result
from thunes_cli.trading.fee_values import FeePrices, correct_fee_values

FEE = Decimal("0.00002")


class BnbExchange(ScriptedExchange):
    """Takes its fees in BNB; ``prices`` and ``minutes`` (by symbol) are what it tells of that."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal.clock)
        self.balances["BNB"] = Decimal(1)
        self.prices: dict[str, str] = {"BNBUSDT": "600"}
        self.minutes: dict[str, str] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def last_price(self, symbol: str) -> Decimal:
        if symbol == "BTCUSDT":
            return super().last_price(symbol)
        return Decimal(self._told(symbol, self.prices))

    def _told(self, symbol: str, prices: dict[str, str]) -> str:
        self.asked.append(symbol)
        if symbol in self.silent:
            raise ExchangeDown("scripted")
        if symbol not in prices:
            raise Rejected("Invalid symbol.", -1121)
        return prices[symbol]

    def candles(
        self,
        symbol: str,
        timeframe: str,
        *,
        limit: int = 500,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Candle]:
        if timeframe != "1m":
            return super().candles(symbol, timeframe, limit=limit, start=start, end=end)
        assert start is not None
        price = Decimal(self._told(symbol, self.minutes))
        return [Candle(start, start + timedelta(minutes=1), price, price, price, price, Decimal(1))]

    def _execute(self, order: MarketOrder, at: datetime, *, share: Decimal) -> OrderReport:
        report = super()._execute(order, at, share=share)
        (trade,) = report.trades
        self.balances[trade.commission_asset] += trade.commission
        self.balances["BNB"] -= FEE
        paid = replace(trade, commission=FEE, commission_asset="BNB")
        return replace(report, trades=(paid,))


@pytest.fixture
def exchange(journal: Journal) -> BnbExchange:
    return BnbExchange(journal)


@pytest.fixture
def paying(journal: Journal, exchange: BnbExchange, time: ManualTime, bare_home: Path) -> Room:
    """A room that pays in BNB."""
    room = assemble(journal, exchange, time, home=bare_home)
    room.gate.open()
    return room


def bought(room: Room) -> Fill:
    room.show(BUY_NOW)
    room.engine.signal_check()
    return only_fill(room)


def only_fill(room: Room) -> Fill:
    with room.journal.read() as connection:
        (fill,) = fills.all_fills(connection)
    return fill


def correct(room: Room) -> int:
    return correct_fee_values(room.exchange, room.journal, max_daily_loss=Decimal(20))


@pytest.mark.parametrize(
    ("minutes", "worth"),
    [
        pytest.param({"BNBEUR": "500"}, "500", id="its own pair"),
        pytest.param({"EURBNB": "0.002"}, "500", id="the pair the other way round"),
        pytest.param({"BNBUSDT": "600", "EURUSDT": "1.2"}, "500", id="over USDT"),
        pytest.param({"BNBUSDT": "600"}, "0", id="half of the way is no way"),
    ],
)
def test_ways_to_a_price(minutes: dict[str, str], worth: str, exchange: BnbExchange, journal: Journal) -> None:
    """In a quote asset of any kind: the pair itself, turned round, or by way of USDT at the same minute."""
    exchange.minutes = minutes
    exchange.prices = {}
    at = journal.clock.now() - timedelta(days=1)
    trade = Trade("BTCEUR", 1, 1, Side.BUY, Decimal(20000), Decimal(1), Decimal(20000), Decimal(1), "BNB", at)

    value = FeePrices(exchange, journal).value(trade, base="BTC", quote="EUR")

    assert value.quote == Decimal(worth)


def test_trades_of_one_order_need_one_price(exchange: BnbExchange, journal: Journal) -> None:
    """However long the page of them is."""
    exchange.minutes = {"BNBUSDT": "600"}
    at = journal.clock.now() - timedelta(days=1)
    trade = Trade("BTCUSDT", 1, 1, Side.BUY, Decimal(20000), Decimal(1), Decimal(20000), Decimal(1), "BNB", at)
    prices = FeePrices(exchange, journal)

    first = prices.value(trade, base="BTC", quote="USDT")
    asked = list(exchange.asked)

    assert prices.value(replace(trade, trade_id=2), base="BTC", quote="USDT") == first
    assert exchange.asked == asked


def test_booked_at_once_at_the_price_of_the_moment(paying: Room) -> None:
    """And the result has it from then on."""
    fill = bought(paying)

    assert (fill.fee, fill.fee_asset, fill.fee_quote, fill.fee_valued) == (FEE, "BNB", Decimal("0.012"), "market")
    assert paying.positions()[0].realized == Decimal("-0.012")
    assert findings(paying) == []


def test_a_late_booking_takes_the_price_of_its_time(paying: Room, exchange: BnbExchange) -> None:
    """Not the one of the day on which the fill was found."""
    exchange.script.append("unknown_after")
    paying.show(BUY_NOW)
    paying.engine.signal_check()
    paying.pass_by(timedelta(days=2))
    exchange.prices["BNBUSDT"], exchange.minutes["BNBUSDT"] = "900", "500"

    reconciler(paying).routine(by="job")

    assert (only_fill(paying).fee_quote, only_fill(paying).fee_valued) == (Decimal("0.01"), "market")


@pytest.mark.parametrize(
    ("told", "value"),
    [
        pytest.param({"USDTBNB": "0.002"}, "0.01", id="the other way round"),
        pytest.param({}, "0", id="nowhere"),
    ],
)
def test_other_ways_to_a_price(paying: Room, exchange: BnbExchange, told: dict[str, str], value: str) -> None:
    """A pair may be listed turned around, or not at all."""
    exchange.prices = told

    fill = bought(paying)

    assert fill.fee_quote == Decimal(value)
    assert fill.fee_valued == ("market" if told else "unknown")


def test_without_a_price_the_last_known_stands_in_marked(paying: Room, exchange: BnbExchange) -> None:
    """The booking does not wait."""
    exchange.silent.add("BNBUSDT")
    with paying.journal.change() as change:
        save_price(change.connection, "BNBUSDT", Decimal(550), at=change.at - HOUR)

    fill = bought(paying)

    assert (fill.fee_quote, fill.fee_valued) == (Decimal("0.011"), "last_known")


def test_it_is_corrected_once_and_the_result_with_it(paying: Room, exchange: BnbExchange) -> None:
    """By the price of its own minute; what was corrected is left alone."""
    exchange.silent.add("BNBUSDT")
    bought(paying)
    paying.pass_by(HOUR)
    assert correct(paying) == 0
    exchange.silent.clear()
    exchange.minutes["BNBUSDT"] = "620"

    assert correct(paying) == 1

    fill = only_fill(paying)
    assert (fill.fee_quote, fill.fee_valued) == (Decimal("0.0124"), "market")
    (position,) = paying.positions()
    assert (position.realized, position.fees) == (Decimal("-0.0124"), Decimal("0.0124"))
    with paying.journal.read() as connection:
        assert counted_result(connection, paying.journal.clock.now()) == Decimal("-0.0124")
    exchange.minutes["BNBUSDT"] = "9999"
    assert correct(paying) == 0
    assert only_fill(paying) == fill


def test_the_hourly_comparison_corrects(paying: Room, exchange: BnbExchange) -> None:
    """Nobody has to think of it."""
    exchange.silent.add("BNBUSDT")
    bought(paying)
    paying.pass_by(HOUR)
    exchange.silent.clear()
    exchange.minutes["BNBUSDT"] = "620"

    reconciler(paying).routine(by="job")

    assert only_fill(paying).fee_valued == "market"


def test_a_loss_uncovered_by_the_correction_trips_the_switch(paying: Room, exchange: BnbExchange) -> None:
    """The daily loss is what it is, whenever it becomes known."""
    exchange.silent.add("BNBUSDT")
    bought(paying)
    paying.pass_by(HOUR)
    exchange.silent.clear()
    exchange.minutes["BNBUSDT"] = "2000000"

    correct(paying)

    with paying.journal.read() as connection:
        assert connection.execute("SELECT active FROM kill_switch").fetchone()[0] == 1


def test_a_minute_is_asked_for_once(paying: Room, exchange: BnbExchange) -> None:
    """However many trades fell into it."""
    bought(paying)
    asked: Sequence[str] = exchange.asked

    assert asked == ["BNBUSDT"]

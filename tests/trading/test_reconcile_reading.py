"""Reading the exchange's lists: every page of them, no more than needed, and balances that fit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from manual_time import NOON, ManualTime
from scripted_exchange import ScriptedExchange

from thunes_cli.exchange.failures import ExchangeDown, Rejected
from thunes_cli.model import Account, ClientOrderId, OrderReport, Side, Trade
from thunes_cli.trading.reconcile_inputs import Market, Window
from thunes_cli.trading.reconcile_reading import MarketReader, NeverStill

PAGE = 1000
ONE = Decimal(1)


class LongHistory(ScriptedExchange):
    """An account with many orders of one trade each, a minute apart up to noon; at most a thousand rows an answer."""

    def __init__(self, size: int) -> None:
        super().__init__(ManualTime(NOON).clock())
        self.asked: list[tuple[str, int | None]] = []
        self.history = list(range(1, size + 1))
        self.while_reading: Callable[[], None] = lambda: None

    def _time(self, number: int) -> datetime:
        return NOON - timedelta(minutes=len(self.history) - number)

    def _page(self, first: int | None) -> list[int]:
        if first is None:
            return self.history[-PAGE:]
        return [number for number in self.history if number >= first][:PAGE]

    def trades(self, symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        assert order_id is None
        self.asked.append(("trades", from_trade_id))
        if symbol == "GONEUSDT":
            raise Rejected("Invalid symbol.", -1121)
        return [
            Trade(symbol, number, number, Side.BUY, ONE, ONE, ONE, Decimal(0), "USDT", self._time(number))
            for number in self._page(from_trade_id)
        ]

    def orders(
        self, symbol: str, *, from_order_id: int | None = None, start: datetime | None = None
    ) -> list[OrderReport]:
        del start
        self.asked.append(("orders", from_order_id))
        return [
            OrderReport(
                *(symbol, number, ClientOrderId(f"web_{number}"), Side.BUY, "FILLED"),
                *(ONE, Decimal(0), ONE, ONE, self._time(number)),
            )
            for number in self._page(from_order_id)
        ]

    def trade(self) -> None:
        """One more."""
        self.history.append(len(self.history) + 1)
        self.balances["BTC"] += ONE

    def account(self) -> Account:
        account = super().account()
        self.while_reading()
        return account


def read(exchange: LongHistory, window: Window, *, known: set[tuple[str, int]] | None = None) -> Market:
    everything = {("BTCUSDT", number) for number in exchange.history}
    reader = MarketReader(exchange, exchange.clock)
    return reader.read([window], wanted={}, known=everything if known is None else known)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2500], ids=str)
def test_every_page_is_read(size: int) -> None:
    """Neither the last row of a page nor the first of the next is lost or doubled."""
    exchange = LongHistory(size)

    listed = read(exchange, Window("BTCUSDT", "BTC", "USDT")).listed["BTCUSDT"]

    assert [trade.trade_id for trade in listed.trades] == exchange.history
    assert [report.order_id for report in listed.orders] == exchange.history


def test_it_begins_where_the_window_does() -> None:
    """What is older is not asked for."""
    exchange = LongHistory(2500)

    listed = read(exchange, Window("BTCUSDT", "BTC", "USDT", 2400, 2450)).listed["BTCUSDT"]

    assert (listed.orders[0].order_id, listed.trades[0].trade_id) == (2400, 2450)
    assert min(first or 0 for _, first in exchange.asked) == 2400


def test_orders_older_than_the_window_that_trades_name_are_fetched_by_themselves() -> None:
    """A trade needs an order to be attributed, unless its maker is known."""
    exchange = LongHistory(100)

    unknown = read(exchange, Window("BTCUSDT", "BTC", "USDT", 100, 98), known={("BTCUSDT", 98)}).listed["BTCUSDT"]

    assert [report.order_id for report in unknown.orders] == [99, 100]


def test_of_an_account_with_a_past_the_newest_page_is_enough() -> None:
    """Fifty thousand orders of before us are not our business."""
    exchange = LongHistory(2500)

    market = read(exchange, Window("BTCUSDT", "BTC", "USDT", newest_from=NOON - timedelta(minutes=5)))

    assert len(market.listed["BTCUSDT"].trades) == 1000
    assert [asked for asked in exchange.asked if asked[1] is None] == [("trades", None), ("orders", None)]
    assert len(exchange.asked) == 2


def test_unless_it_does_not_reach_back_far_enough() -> None:
    """Then everything is read."""
    exchange = LongHistory(2500)

    market = read(exchange, Window("BTCUSDT", "BTC", "USDT", newest_from=NOON - timedelta(days=30)))

    assert len(market.listed["BTCUSDT"].trades) == 2500


def test_a_delisted_symbol_is_left_out() -> None:
    """The others are compared all the same."""
    exchange = LongHistory(3)
    windows = [Window("GONEUSDT", "GONE", "USDT"), Window("BTCUSDT", "BTC", "USDT")]

    market = MarketReader(exchange, exchange.clock).read(windows, wanted={}, known=set())

    assert market.listed.keys() == {"BTCUSDT"}


def test_a_trade_while_we_read_makes_it_ask_for_the_balances_again() -> None:
    """Until both fit."""
    exchange = LongHistory(3)
    strokes = [4, 5]
    exchange.while_reading = lambda: exchange.trade() if strokes and strokes.pop() else None

    listed = read(exchange, Window("BTCUSDT", "BTC", "USDT"), known=set()).listed["BTCUSDT"]

    assert [trade.trade_id for trade in listed.trades] == [1, 2, 3, 4, 5]
    assert [report.order_id for report in listed.orders] == [1, 2, 3, 4, 5]


def test_an_account_that_is_never_still_is_not_judged() -> None:
    """13, not a guess."""
    exchange = LongHistory(3)
    exchange.while_reading = exchange.trade

    with pytest.raises(NeverStill):
        read(exchange, Window("BTCUSDT", "BTC", "USDT"))


@pytest.mark.parametrize("error", [ExchangeDown("scripted"), Rejected("Illegal characters.", -1100)], ids=str)
def test_a_failed_question_is_a_failure(error: Exception) -> None:
    """Whatever else is known by then."""
    exchange = LongHistory(3)

    def fail() -> None:
        raise error

    exchange.while_reading = fail

    with pytest.raises(type(error)):
        read(exchange, Window("BTCUSDT", "BTC", "USDT"))

"""Candles from a stream and from REST become one series: none missing, none twice, none invented."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_cases import HOUR, START, D, candle_at
from stream_server import StreamServer, combined, kline, wait_for
from tape_exchange import TapeExchange
from websockets.sync.server import ServerConnection

from thunes_cli.clock import Anchor, Clock, to_ms, utc_now
from thunes_cli.exchange import lifeline
from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.exchange.line import Patience
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.market import stream_feed
from thunes_cli.market.feed import RestFeed
from thunes_cli.market.intake import Intake, Tick
from thunes_cli.market.stream_feed import StreamFeed
from thunes_cli.model import Candle

SYMBOL = "BTCUSDT"


def feed_on(tape: TapeExchange) -> StreamFeed:
    """A feed whose stream is the test."""
    clock = Clock(Anchor(START, START), wall=lambda: tape.now)
    return StreamFeed(RestFeed(tape.as_exchange(), clock, timeframe="1h"), clock, timeframe="1h")


def closed(number: int) -> Candle:
    """A candle as the tape has it."""
    return candle_at(number, number + 1)


def tell(feed: StreamFeed, number: int) -> None:
    """The stream says that a candle has closed."""
    candle = closed(number)
    feed.intake.put(Tick(SYMBOL, candle.close, candle.close_time, 0.0), candle)


class TestSeries:
    """What the consumer gets."""

    def test_what_the_stream_tells_needs_no_question(self):
        """A series that goes on by stream alone asks for nothing more."""
        tape = TapeExchange(now=START + 50 * HOUR)
        feed = feed_on(tape)
        first = feed.closed_candles(SYMBOL, needed=20)
        asked = len(tape.requests)

        for number in range(50, 60):
            tell(feed, number)
            tape.now = START + (number + 1) * HOUR
            assert feed.closed_candles(SYMBOL, needed=20)[-1] == closed(number)

        assert first[-1] == closed(49)
        assert len(tape.requests) == asked

    def test_a_candle_that_was_missed_is_asked_for(self):
        """The stream told of 50 and of 52: 51 comes by REST, and 52 once."""
        tape = TapeExchange(now=START + 50 * HOUR)
        feed = feed_on(tape)
        feed.closed_candles(SYMBOL, needed=20)
        tape.now = START + 53 * HOUR
        tell(feed, 50)
        tell(feed, 52)

        candles = feed.closed_candles(SYMBOL, needed=20)

        assert [candle.open_time for candle in candles] == [START + n * HOUR for n in range(33, 53)]

    @given(
        told=st.lists(st.integers(min_value=40, max_value=75), max_size=60),
        looks=st.lists(st.integers(min_value=50, max_value=75), min_size=1, max_size=8),
        holes=st.sets(st.integers(min_value=52, max_value=70), max_size=4),
    )
    def test_whatever_the_stream_tells_the_series_is_rests(self, told, looks, holes):
        """Missing, doubled, late, in any order, beside the exchange's own holes: what is read is what REST has."""
        tape = TapeExchange(now=START + 50 * HOUR, holes=holes)
        feed = feed_on(tape)
        feed.closed_candles(SYMBOL, needed=30)
        for position, hour in enumerate(sorted(looks)):
            tape.now = START + hour * HOUR
            for number in told[position::8]:
                if number < hour and number not in holes:
                    tell(feed, number)
            candles = feed.closed_candles(SYMBOL, needed=30)
            there = [closed(n) for n in range(hour) if n not in holes]
            assert list(candles) == there[-len(candles) :]
            assert len(candles) <= 30
            assert all(later.open_time > earlier.open_time for earlier, later in pairwise(candles))

    def test_a_candle_that_cannot_be_true_is_not_taken(self):
        """A low above the high, from a stream: REST is asked instead."""
        tape = TapeExchange(now=START + 50 * HOUR)
        feed = feed_on(tape)
        feed.closed_candles(SYMBOL, needed=20)
        tape.now = START + 51 * HOUR
        good = closed(50)
        bad = type(good)(good.open_time, good.close_time, good.open, D("1"), D("9"), good.close, good.volume)
        feed.intake.put(Tick(SYMBOL, good.close, good.close_time, 0.0), bad)

        assert feed.closed_candles(SYMBOL, needed=20)[-1] == good

    def test_a_gap_of_the_exchange_itself_is_reported(self):
        """Candles that the exchange does not have: no stream and no REST brings them, and the series goes on."""
        tape = TapeExchange(now=START + 50 * HOUR, holes={51, 52})
        feed = feed_on(tape)
        feed.closed_candles(SYMBOL, needed=20)
        for number in (50, 53, 54):
            tell(feed, number)
        tape.now = START + 55 * HOUR

        candles = feed.closed_candles(SYMBOL, needed=20)

        assert candles[-1] == closed(54)
        assert [gap.missing for gap in feed.gaps[SYMBOL]] == [2]


class TestModeAndPrices:
    """Where prices come from."""

    def test_without_a_stream_it_is_rest(self):
        """Not begun (``run --once``, FEED=rest): REST's mode, down while REST does not answer."""
        tape = TapeExchange(now=START + 50 * HOUR)
        feed = feed_on(tape)
        assert feed.mode == "down"
        feed.last_price(SYMBOL)
        assert feed.mode == "rest"
        tape.failure = ExchangeDown("refused")
        with pytest.raises(ExchangeDown):
            feed.last_price(SYMBOL)
        assert feed.mode == "down"
        tape.failure = None
        feed.last_price(SYMBOL)
        assert feed.mode == "rest"

    def test_a_fresh_price_is_the_streams_an_old_one_is_asked_for(self):
        """Five seconds of market time: an entry is not decided on an older price, nor a stop."""
        tape = TapeExchange(now=START + 50 * HOUR, price=D("7"))
        feed = feed_on(tape)
        feed.intake.put(Tick(SYMBOL, D("8"), tape.now, 0.0), None)
        assert feed.last_price(SYMBOL).value == D("8")
        tape.now += timedelta(seconds=6)
        assert feed.last_price(SYMBOL).value == D("7")


class TestIntake:
    """Between reader and consumer."""

    def test_only_prices_are_dropped_and_they_are_counted(self):
        """Nobody takes anything for long: every candle is kept, of the prices the newest."""
        intake = Intake(most_prices=10)
        intake.watch([SYMBOL])
        for number in range(100):
            candle = closed(number)
            intake.put(Tick(SYMBOL, candle.close, candle.close_time, 0.0), candle)

        assert intake.dropped == 90
        assert [tick.price for tick in intake.take_ticks()] == [closed(n).close for n in range(90, 100)]
        assert [each.open_time for each in intake.take_closed(SYMBOL)] == [START + n * HOUR for n in range(100)]
        assert intake.take_closed(SYMBOL) == []

    def test_prices_of_symbols_nobody_holds_wake_nobody(self):
        """Three hundred symbols, one position: the trading thread hears of one."""
        woken: list[int] = []
        intake = Intake(on_tick=lambda: woken.append(1))
        intake.watch(["ETHUSDT"])
        intake.put(Tick(SYMBOL, D(1), START, 0.0), None)
        intake.put(Tick("ETHUSDT", D(2), START, 0.0), None)
        assert len(woken) == 1
        assert [tick.symbol for tick in intake.take_ticks()] == ["ETHUSDT"]

    def test_reader_and_taker_at_once_lose_and_double_nothing(self):
        """Two threads: what was put is taken, once, in order."""
        intake = Intake()
        taken = []

        def put() -> None:
            for number in range(900):
                candle = closed(number)
                intake.put(Tick(SYMBOL, candle.close, candle.close_time, 0.0), candle)

        reader = threading.Thread(target=put)
        reader.start()
        while reader.is_alive():
            taken += intake.take_closed(SYMBOL)
        reader.join()
        taken += intake.take_closed(SYMBOL)
        assert [each.open_time for each in taken] == [START + n * HOUR for n in range(900)]


def test_a_clock_that_runs_fast_makes_a_price_old_sooner():
    """Sped-up exchanges: freshness is a matter of market time."""
    now = START
    clock = Clock(Anchor(now, now, D(600)), wall=lambda: now)
    tape = TapeExchange(now=START + 50 * HOUR, price=D("7"))
    feed = StreamFeed(RestFeed(tape.as_exchange(), clock, timeframe="1h"), clock, timeframe="1h")
    feed.intake.put(Tick(SYMBOL, D("8"), START - timedelta(seconds=10), 0.0), None)
    assert feed.last_price(SYMBOL).value == D("7")


class Flowing:
    """An exchange whose one-hour candles follow a clock; each is the hour's number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def candles(self, _symbol: str, _timeframe: str, *, limit: int = 500, start=None, end=None) -> list[Candle]:
        """The last of them, or those from ``start`` on."""
        del end
        newest = (self._clock.now() - START) // HOUR
        first = max(newest - limit + 1, 0) if start is None else (start - START) // HOUR
        return [closed(number) for number in range(first, newest + 1)][:limit]

    def server_time(self):
        """The clock's."""
        return self._clock.now()


def test_a_stream_that_tells_prices_and_no_candles_is_not_trusted(monkeypatch):
    """Updates come, the candle's end does not: it is read over REST, and another connection is made."""
    monkeypatch.setattr(stream_feed, "_OVERDUE_S", 0.3)
    monkeypatch.setattr(stream_feed, "_AGAIN_S", 0.1)
    monkeypatch.setattr(lifeline, "_MOST_BACKOFF_S", 0.1)
    clock = Clock(Anchor(utc_now(), START + 100 * HOUR, D(3600)))  # an hour a second
    ended = threading.Event()

    def conversation(connection: ServerConnection, _number: int) -> None:
        while not ended.wait(0.05):
            hour = (clock.now() - START) // HOUR
            opened = to_ms(START) + hour * 3_600_000
            event = kline(i="1h", t=opened, T=opened + 3_599_999, x=False)
            event["E"] = to_ms(clock.now())
            connection.send(combined(event))

    patience = Patience(
        stale_s=5, max_reconnects=5, first_s=5, ping_s=2, pong_s=2, settle_s=0.1, retry_s=1, connect_s=2
    )
    with StreamServer(conversation) as server:
        feed = StreamFeed(RestFeed(cast("Exchange", Flowing(clock)), clock, timeframe="1h"), clock, timeframe="1h")
        feed.closed_candles(SYMBOL, needed=20)
        feed.begin(server.url, [SYMBOL], patience)
        try:
            wait_for(lambda: (feed.keep_up([SYMBOL]) and None) or len(server.opened_mono) >= 2)
            newest = feed.closed_candles(SYMBOL, needed=1)[-1]
        finally:
            ended.set()
            feed.stop()
            assert feed.finished(5)

    assert newest.close_time > clock.now() - 3 * HOUR
    assert any("candle overdue" in notice.why for notice in feed.take_notices())

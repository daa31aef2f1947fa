"""The polling feed: what it returns, and how little it asks for."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_cases import HOUR, START, D, candle_at
from tape_exchange import UNFINISHED, Hands, TapeExchange

from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.market.candles import Gap
from thunes_cli.market.feed import RestFeed

MINUTE = timedelta(minutes=1)
SYMBOL = "BTCUSDT"


def watch(
    tape: TapeExchange, *, hours: float = 0, ahead: timedelta = timedelta(0), speed: int = 1
) -> tuple[RestFeed, Hands]:
    """A feed on the tape, some hours after START."""
    hands = Hands(tape, ahead=ahead, speed=speed)
    hands.move(hours * HOUR)
    return RestFeed(tape.as_exchange(), hands.clock, timeframe="1h"), hands


def indexes(feed: RestFeed, needed: int) -> list[int]:
    """Which candles the feed returns, as numbers after START; none of them unfinished."""
    candles = feed.closed_candles(SYMBOL, needed=needed)
    assert all(candle.volume != UNFINISHED for candle in candles)
    return [(candle.open_time - START) // HOUR for candle in candles]


def test_the_first_call_reads_just_what_is_needed() -> None:
    """One request brings the latest closed candles; the open one is asked for too and left out."""
    tape = TapeExchange()
    feed, _ = watch(tape, hours=100.5)

    assert indexes(feed, 5) == [95, 96, 97, 98, 99]
    assert [request.limit for request in tape.requests] == [6]


def test_a_long_history_comes_in_pages_without_doubles() -> None:
    """More than a page holds is read backwards, a thousand at most at a time."""
    tape = TapeExchange()
    feed, _ = watch(tape, hours=4000.5)

    assert indexes(feed, 2500) == list(range(1500, 4000))
    assert [request.limit for request in tape.requests] == [1000, 1000, 501]


def test_nothing_is_asked_while_nothing_can_be_new() -> None:
    """Until the next candle closes the feed answers from memory."""
    tape = TapeExchange()
    feed, hands = watch(tape, hours=100.1)
    indexes(feed, 5)

    hands.move(50 * MINUTE)

    assert indexes(feed, 5) == [95, 96, 97, 98, 99]
    assert indexes(feed, 3) == [97, 98, 99]
    assert len(tape.requests) == 1


def test_a_new_candle_costs_one_request_from_the_last_known_one() -> None:
    """When a candle has closed, only what follows the last known one is asked for."""
    tape = TapeExchange()
    feed, hands = watch(tape, hours=100.5)
    indexes(feed, 5)

    hands.move(HOUR)

    assert indexes(feed, 5) == [96, 97, 98, 99, 100]
    assert [request.start for request in tape.requests] == [None, START + 99 * HOUR]


def test_market_time_closes_a_candle_to_the_millisecond() -> None:
    """A candle is not returned a millisecond before its close time, and is returned at it."""
    tape = TapeExchange()
    feed, hands = watch(tape, hours=10)
    hands.move(HOUR - timedelta(milliseconds=1))

    assert indexes(feed, 3) == [7, 8, 9]
    hands.move(timedelta(milliseconds=1))
    assert indexes(feed, 3) == [8, 9, 10]


def test_a_clock_ahead_of_the_exchange_does_not_close_a_candle_early() -> None:
    """What our clock calls closed and the exchange still changes is left out until it is final."""
    tape = TapeExchange()
    feed, hands = watch(tape, hours=10.999, ahead=MINUTE)

    assert indexes(feed, 3) == [7, 8, 9]
    hands.move(MINUTE)
    assert indexes(feed, 3) == [8, 9, 10]


def test_a_quiet_market_closes_its_candles_too() -> None:
    """With no trade since, no newer candle proves the last one final: the exchange's clock does."""
    tape = TapeExchange(quiet=True)
    feed, hands = watch(tape, hours=10.1)

    assert indexes(feed, 3) == [7, 8, 9]
    hands.move(HOUR)
    assert indexes(feed, 3) == [8, 9, 10]


def test_a_candle_that_ends_while_we_ask_is_read_once_more() -> None:
    """A reading from before the end is not taken for final because the exchange's clock has passed it since."""
    tape = TapeExchange(passing=MINUTE)
    feed, _ = watch(tape, hours=10.999, ahead=MINUTE)

    assert indexes(feed, 3) == [8, 9, 10]


def test_the_candle_after_one_that_ends_while_we_ask_is_not_taken_along() -> None:
    """A clock that is ahead by more than a candle, as at high speed it soon is, calls that one closed as well."""
    tape = TapeExchange(passing=MINUTE)
    feed, _ = watch(tape, hours=10.999, ahead=2 * HOUR)

    assert indexes(feed, 3) == [8, 9, 10]


def test_a_halted_symbol_costs_one_request_a_check() -> None:
    """While no candle appears, the last known one is not doubted again at every check."""
    tape = TapeExchange(holes=set(range(10, 99)))
    feed, hands = watch(tape, hours=12.5)
    indexes(feed, 3)
    asked, readings = len(tape.requests), tape.clock_readings

    for _ in range(5):
        hands.move(HOUR)
        assert indexes(feed, 3) == [7, 8, 9]

    assert (len(tape.requests), tape.clock_readings) == (asked + 5, readings)


def test_at_speed_a_slightly_fast_clock_still_returns_only_final_candles() -> None:
    """At 600 times real time a few milliseconds of error are seconds of market; no unfinished candle slips through."""
    tape = TapeExchange()
    feed, hands = watch(tape, speed=600, ahead=timedelta(seconds=30))
    hands.move(timedelta(minutes=2))

    for _ in range(50):
        hands.move(timedelta(seconds=1.7))
        got = indexes(feed, 4)
        assert got == list(range(got[0], got[0] + 4))
        assert got[-1] == (tape.now - START) // HOUR - 1


def test_a_history_shorter_than_needed_is_returned_whole_and_not_searched_again() -> None:
    """A young symbol gives what it has; the beginning is looked for once, not at every check."""
    tape = TapeExchange(first=95)
    feed, hands = watch(tape, hours=100.5)

    assert indexes(feed, 50) == [95, 96, 97, 98, 99]
    asked = len(tape.requests)
    hands.move(HOUR)
    assert indexes(feed, 50) == [95, 96, 97, 98, 99, 100]
    assert len(tape.requests) == asked + 1


def test_a_symbol_without_any_candle_gives_none() -> None:
    """Before the first trade there is nothing, and no error."""
    feed, _ = watch(TapeExchange(first=500), hours=100.5)

    assert indexes(feed, 5) == []


def test_needing_more_than_before_reads_back_from_what_is_known() -> None:
    """A larger need asks only for the older candles."""
    tape = TapeExchange()
    feed, _ = watch(tape, hours=100.5)
    indexes(feed, 5)

    assert indexes(feed, 8) == list(range(92, 100))
    assert (tape.requests[-1].limit, tape.requests[-1].end) == (3, START + 95 * HOUR - timedelta(milliseconds=1))


def test_a_hole_in_the_exchanges_data_is_asked_for_once_reported_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Candles that the exchange lacks are never invented: the latest ones are returned around the hole."""
    tape = TapeExchange(holes={96, 97})
    feed, hands = watch(tape, hours=100.5)

    with caplog.at_level(logging.WARNING):
        assert indexes(feed, 5) == [93, 94, 95, 98, 99]
        hands.move(HOUR)
        assert indexes(feed, 5) == [94, 95, 98, 99, 100]

    assert feed.gaps == {SYMBOL: (Gap(START + 96 * HOUR, START + 98 * HOUR, 2),)}
    assert len([request for request in tape.requests if request.start == START + 96 * HOUR]) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "BTCUSDT 1h: the exchange has no candles from 2024-01-05T00:00:00.000Z to 2024-01-05T02:00:00.000Z (2 missing)"
    ]


def test_a_hole_that_has_scrolled_out_is_no_longer_reported() -> None:
    """Gaps speak of the candles that are remembered."""
    tape = TapeExchange(holes={98})
    feed, hands = watch(tape, hours=100.5)
    indexes(feed, 3)

    hands.move(5 * HOUR)
    indexes(feed, 3)

    assert feed.gaps == {SYMBOL: ()}


def test_candles_that_arrive_late_fill_the_hole(caplog: pytest.LogCaptureFixture) -> None:
    """A hole that the second asking fills is none, and nothing is doubled."""
    tape = TapeExchange(late={97: 1})
    feed, _ = watch(tape, hours=100.5)

    with caplog.at_level(logging.WARNING):
        assert indexes(feed, 5) == [95, 96, 97, 98, 99]

    assert feed.gaps == {SYMBOL: ()}
    assert caplog.records == []


@pytest.mark.parametrize("away", [3, 998, 999, 1000, 1001, 5000])
def test_after_an_absence_the_window_is_whole_again(away: int) -> None:
    """However long nobody asked, the latest candles come without a hole and in few requests."""
    tape = TapeExchange()
    feed, hands = watch(tape, hours=100.5)
    indexes(feed, 20)
    tape.requests.clear()

    hands.move(away * HOUR)

    assert indexes(feed, 20) == list(range(80 + away, 100 + away))
    assert len(tape.requests) <= 4
    assert feed.gaps == {SYMBOL: ()}


def test_a_failing_exchange_is_the_callers_to_know_and_costs_no_memory() -> None:
    """Errors go through; when the exchange is back, reading goes on where it was."""
    tape = TapeExchange()
    feed, hands = watch(tape, hours=100.5)
    indexes(feed, 5)
    hands.move(HOUR)

    tape.failure = ExchangeDown("connection refused")
    with pytest.raises(ExchangeDown, match="connection refused"):
        indexes(feed, 5)
    with pytest.raises(ExchangeDown, match="connection refused"):
        feed.last_price(SYMBOL)
    tape.failure = None

    assert indexes(feed, 5) == [96, 97, 98, 99, 100]
    assert tape.requests[-1].start == START + 99 * HOUR


def test_an_impossible_candle_is_a_failure_of_the_exchange() -> None:
    """A candle that cannot be true is refused by symbol and time, before any strategy sees it."""
    flawed = candle_at(98, "NaN")
    feed, _ = watch(TapeExchange(bad={98: flawed}), hours=100.5)

    with pytest.raises(ExchangeDown, match=r"BTCUSDT candle of 2024-01-05T02:00:00.000Z: a value is not a number"):
        indexes(feed, 5)


def test_symbols_are_remembered_apart() -> None:
    """What is known of one symbol says nothing of another."""
    tape = TapeExchange()
    feed, _ = watch(tape, hours=100.5)
    indexes(feed, 5)

    feed.closed_candles("ETHUSDT", needed=2)

    assert len(tape.requests) == 2
    assert set(feed.gaps) == {SYMBOL, "ETHUSDT"}


def test_a_price_knows_when_it_was_asked_for() -> None:
    """A price carries market and monotonic time of the asking; its age runs with the market."""
    tape = TapeExchange(price=D("23140.48"))
    feed, hands = watch(tape, speed=60)
    asked = hands.clock.now()

    price = feed.last_price(SYMBOL)
    hands.move(timedelta(seconds=2))

    assert (price.value, price.at, price.monotonic) == (D("23140.48"), asked, 1000.0)
    assert price.age_s(hands.clock) == 120
    assert feed.age_s == 2


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_price_that_is_none_is_a_failure_of_the_exchange(price: str) -> None:
    """Nothing may be sold on the strength of a price of zero."""
    feed, _ = watch(TapeExchange(price=D(price)))

    with pytest.raises(ExchangeDown, match="BTCUSDT: a last price of"):
        feed.last_price(SYMBOL)


def test_the_feed_is_down_until_the_exchange_has_answered() -> None:
    """Mode and age tell whether anything was ever heard, and how long ago in network time."""
    feed, hands = watch(TapeExchange(), hours=10.5)
    assert (feed.mode, feed.age_s) == ("down", None)

    indexes(feed, 2)
    hands.move(timedelta(seconds=90))

    assert (feed.mode, feed.age_s) == ("rest", 90)


def test_an_unknown_timeframe_is_refused() -> None:
    """A timeframe that the exchange does not offer is an error at once, not at the first request."""
    tape = TapeExchange()

    with pytest.raises(ValueError, match="'7m' is not one of"):
        RestFeed(tape.as_exchange(), Hands(tape).clock, timeframe="7m")


@given(
    holes=st.sets(st.integers(0, 150), max_size=40),
    first=st.integers(0, 60),
    quiet=st.booleans(),
    calls=st.lists(st.tuples(st.integers(0, 60 * 30), st.integers(1, 40)), min_size=1, max_size=12),
)
def test_whatever_happens_the_feed_returns_the_latest_closed_candles_that_exist(
    *, holes: set[int], first: int, quiet: bool, calls: list[tuple[int, int]]
) -> None:
    """With any holes, any young history and any rhythm of asking, the answer is the truth of the tape."""
    tape = TapeExchange(holes=holes, first=first, quiet=quiet)
    feed, hands = watch(tape)

    for minutes, needed in calls:
        hands.move(minutes * MINUTE)

        closed = (tape.now - START) // HOUR
        assert indexes(feed, needed) == [index for index in range(first, closed) if index not in holes][-needed:]

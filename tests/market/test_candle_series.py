"""Candles as a series."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_cases import HOUR, START, D, candle_at, needs_data, real_candles, series

from thunes_cli.market.candles import Gap, find_flaw, find_gaps, merge_candles, split_closed
from thunes_cli.model import Candle

MS = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("now", "closed", "still_open"),
    [
        pytest.param(START + 3 * HOUR - MS, 2, 2, id="a millisecond before it closes"),
        pytest.param(START + 3 * HOUR, 3, None, id="at the instant it closes"),
        pytest.param(START + 2 * HOUR + MS, 2, 2, id="just opened"),
        pytest.param(START, 0, 0, id="nothing closed yet"),
    ],
)
def test_market_time_decides_what_is_closed(now: datetime, closed: int, still_open: int | None) -> None:
    """A candle is closed from its close time on, and the open one is told apart."""
    candles = series([1, 2, 3])

    assert split_closed(candles, now=now) == (
        tuple(candles[:closed]),
        None if still_open is None else candles[still_open],
    )


def test_with_a_clock_behind_the_exchange_the_earliest_unclosed_candle_is_the_open_one() -> None:
    """Candles that have not closed by our clock are never counted as closed, however many follow."""
    candles = series([1, 2, 3])

    assert split_closed(candles, now=START + HOUR) == ((candles[0],), candles[1])


def test_merging_lets_the_newer_reading_win_and_keeps_each_candle_once() -> None:
    """A backfill that overlaps what is known doubles nothing and corrects what changed."""
    known = series([1, 2, 3])
    newer = [candle_at(4, 50), candle_at(2, 33)]

    merged = merge_candles(known, newer)

    assert merged == (candle_at(0, 1), candle_at(1, 2), candle_at(2, 33), candle_at(4, 50))


indexes = st.sets(st.integers(0, 40), max_size=30)


@given(indexes, indexes)
def test_merging_is_a_union_in_the_order_of_time(left: set[int], right: set[int]) -> None:
    """Whatever two readings hold, the merge holds the times of both, sorted, and merging again changes nothing."""
    one, two = [candle_at(i) for i in left], [candle_at(i, 7) for i in right]

    merged = merge_candles(one, two)

    assert [candle.open_time for candle in merged] == [START + i * HOUR for i in sorted(left | right)]
    assert merge_candles(merged, two) == merged
    assert all(candle in merged for candle in two)


@given(indexes)
def test_gaps_account_for_every_missing_candle(present: set[int]) -> None:
    """The missing candles of all gaps are exactly those between the first and the last that are not there."""
    candles = [candle_at(i) for i in sorted(present)]

    gaps = find_gaps(candles, span=HOUR)

    missing = {gap.start + n * HOUR for gap in gaps for n in range(gap.missing)}
    expected = set(range(min(present), max(present))) - present if present else set()
    assert missing == {START + i * HOUR for i in expected}


def test_a_gap_names_the_first_missing_candle_and_the_next_present_one() -> None:
    """start is the first missing open time, end the open time after the hole."""
    assert find_gaps([candle_at(0), candle_at(3)], span=HOUR) == (
        Gap(start=START + HOUR, end=START + 3 * HOUR, missing=2),
    )


GOOD = Candle(START, START + HOUR, D(10), D(12), D(9), D(11), D(0))


@pytest.mark.parametrize(
    ("candle", "flaw"),
    [
        (GOOD, None),
        (replace(GOOD, close=D("NaN")), "a value is not a number"),
        (replace(GOOD, volume=D("Infinity")), "a value is not a number"),
        (replace(GOOD, low=D(0)), "a price is not positive"),
        (replace(GOOD, open=D(-1)), "a price is not positive"),
        (replace(GOOD, volume=D(-1)), "the volume is negative"),
        (replace(GOOD, high=D(8)), "high and low do not enclose open and close"),
        (replace(GOOD, low=D("10.5")), "high and low do not enclose open and close"),
        (replace(GOOD, close_time=START), "it closes before it opens"),
    ],
)
def test_a_candle_that_cannot_be_true_is_recognised(candle: Candle, flaw: str | None) -> None:
    """Each impossible candle is told by the thing that is wrong with it."""
    assert find_flaw(candle) == flaw


@needs_data
@pytest.mark.parametrize(
    ("name", "span"),
    [("BTCUSDT-1m-20230301-20230321.csv.gz", timedelta(minutes=1)), ("BTCUSDT-1h-2017-2022.csv.gz", HOUR)],
)
def test_real_candles_have_no_flaw(name: str, span: timedelta) -> None:
    """No real candle is mistaken for an impossible one."""
    candles = real_candles(name, span=span)

    assert [flaw for flaw in map(find_flaw, candles) if flaw] == []
    assert merge_candles(candles, candles[:100]) == tuple(candles)

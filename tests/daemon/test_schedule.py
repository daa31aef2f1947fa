"""When jobs are planned, in market time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.clock import EPOCH
from thunes_cli.daemon.schedule import Daily, Every, settling_moment

moments = st.integers(-(10**9), 3 * 10**15).map(lambda us: EPOCH + timedelta(microseconds=us))
intervals = st.integers(1, 90_000).map(lambda seconds: timedelta(seconds=seconds))
schedules = st.one_of(
    st.builds(lambda interval: Every(interval, interval / 5), intervals),
    st.builds(lambda hour, minute: Daily(time(hour, minute, tzinfo=UTC)), st.integers(0, 23), st.integers(0, 59)),
)


@given(schedule=schedules, moment=moments)
def test_a_moment_lies_between_two_points_one_span_apart(schedule, moment):
    """The last point is not after a moment, the next one is strictly after it, and nothing lies between them."""
    last, following = schedule.last_at(moment), schedule.next_after(moment)

    assert last <= moment < following
    assert following - last == schedule.span


@given(schedule=schedules, moment=moments)
def test_a_point_is_its_own_last_and_never_its_own_next(schedule, moment):
    """Asking at a point itself goes on to the next: a fire can never plan itself again."""
    point = schedule.last_at(moment)

    assert schedule.last_at(point) == point
    assert schedule.next_after(point) == point + schedule.span


def test_ten_minutes_are_those_of_the_clock_on_the_wall():
    """A 600 s interval falls on whole ten minutes, a moment late."""
    every = Every(timedelta(seconds=600), timedelta(seconds=2))

    assert every.next_after(datetime(2026, 7, 22, 10, 3, tzinfo=UTC)) == datetime(2026, 7, 22, 10, 10, 2, tzinfo=UTC)
    assert every.next_after(datetime(2026, 7, 22, 10, 10, tzinfo=UTC)) == datetime(2026, 7, 22, 10, 10, 2, tzinfo=UTC)


def test_the_daily_summary_is_due_at_its_time_of_day():
    """Before 23:00 it is today's, at 23:00 it is tomorrow's."""
    daily = Daily(time(23, 0, tzinfo=UTC))

    assert daily.next_after(datetime(2026, 7, 22, 22, 59, tzinfo=UTC)) == datetime(2026, 7, 22, 23, 0, tzinfo=UTC)
    assert daily.next_after(datetime(2026, 7, 22, 23, 0, tzinfo=UTC)) == datetime(2026, 7, 23, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("interval_s", "speed", "expected_s"),
    [
        pytest.param(600, "1", 2.0, id="two seconds on a real exchange"),
        pytest.param(300, "600", 15.0, id="what 25 ms of network time are on a sped-up one"),
        pytest.param(60, "5000", 15.0, id="never more than a quarter of the interval"),
        pytest.param(1, "1", 0.25, id="nor of a short one"),
    ],
)
def test_the_moment_after_the_candle(interval_s, speed, expected_s):
    """Long enough that the candle is closed for the exchange too, short enough to stay near its close."""
    assert settling_moment(timedelta(seconds=interval_s), speed=Decimal(speed)) == timedelta(seconds=expected_s)

"""The trigger that plans in market time and answers in wall time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from math import ceil

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.clock import Anchor, Clock
from thunes_cli.daemon.schedule import Daily, Every
from thunes_cli.daemon.trigger import MarketTrigger, wall_of

START = datetime(2026, 7, 22, 10, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
speeds = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0.5", "1", "60", "600", "5000")]),
    st.decimals("0.1", "20000", places=6),
)
schedules = st.one_of(
    st.integers(1, 3600).map(lambda s: Every(timedelta(seconds=s), timedelta(seconds=s) / 7)),
    st.integers(0, 23).map(lambda hour: Daily(time(hour, tzinfo=UTC))),
)


class WallClock:
    """A wall clock that tests move by hand."""

    def __init__(self, speed: Decimal) -> None:
        self.wall = START
        self.clock = Clock(Anchor(START, START + timedelta(days=400), speed), wall=lambda: self.wall)

    def shift_market(self, by: timedelta) -> None:
        """What a resync does: the same wall time, another market time."""
        here = self.clock.now() + by
        self.clock.set_anchor(Anchor(self.wall, here, self.clock.speed))


@given(speed=speeds, market=st.integers(-(10**14), 10**14).map(lambda us: START + us * MICROSECOND))
def test_the_market_has_arrived_when_the_wall_time_has(speed, market):
    """Rounding never answers a wall time at which the market has not reached the point: the scheduler would spin."""
    anchor = Anchor(START, START, speed)

    wall = wall_of(anchor, market)

    assert anchor.market_at(wall) >= market
    assert anchor.market_at(wall - (ceil(1 / speed) + 1) * MICROSECOND) < market


@given(speed=speeds, schedule=schedules, lates=st.lists(st.floats(0, 3), min_size=1, max_size=12))
def test_fires_lie_on_the_grid_strictly_increasing_and_never_queue(speed, schedule, lates):
    """However late each fire is served, the next is the first point after it: passed points are skipped."""
    world = WallClock(speed)
    trigger = MarketTrigger(schedule, world.clock, after=world.clock.now())
    planned = []

    due = trigger.get_next_fire_time(None, world.wall)
    for late in lates:
        planned.append(trigger.planned)
        world.wall = due + schedule.span / float(speed) * late
        due = trigger.get_next_fire_time(due, world.wall)

        assert due > world.wall
        assert trigger.fired == schedule.last_at(world.clock.now())
        assert trigger.planned == schedule.next_after(world.clock.now())
    assert all(earlier < later for earlier, later in pairwise(planned))
    assert all(schedule.last_at(point) == point for point in planned)


@given(speed=speeds, schedule=schedules, shifts=st.lists(st.floats(-0.9, 2.5), min_size=1, max_size=12))
def test_a_moved_anchor_neither_repeats_nor_loses_a_point(speed, schedule, shifts):
    """The clock is resynchronised between fires: each served point is later than the one before, and each that the
    market had not reached when it was woken is fired later.
    """
    world = WallClock(speed)
    trigger = MarketTrigger(schedule, world.clock, after=world.clock.now())
    served = []
    due = trigger.get_next_fire_time(None, world.wall)

    for shift in shifts:
        world.shift_market(schedule.span * shift)
        expected = trigger.planned
        world.wall = max(world.wall, due)
        reached = world.clock.now() >= expected
        due = trigger.get_next_fire_time(due, world.wall)
        if reached:
            served.append(trigger.fired)
            assert trigger.fired >= expected
        else:
            assert trigger.planned <= expected
        assert due > world.wall
    assert all(earlier < later for earlier, later in pairwise(served))


def test_waking_early_fires_nothing_and_keeps_the_point():
    """A resync set the market back: the point planned stays planned, and the job can tell it was woken for nothing."""
    world = WallClock(Decimal(1))
    trigger = MarketTrigger(Every(timedelta(seconds=600)), world.clock, after=world.clock.now())
    due = trigger.get_next_fire_time(None, world.wall)
    point = trigger.planned

    world.shift_market(timedelta(seconds=-30))
    world.wall = due
    again = trigger.get_next_fire_time(due, world.wall)

    assert trigger.fired is None
    assert trigger.planned == point
    assert again == due + timedelta(seconds=30)


def test_a_clock_set_far_back_starts_anew():
    """A market that jumps back by days must not silence the job until it has caught up."""
    world = WallClock(Decimal(1))
    trigger = MarketTrigger(Every(timedelta(seconds=600)), world.clock, after=world.clock.now())
    world.wall = trigger.get_next_fire_time(None, world.wall)
    trigger.get_next_fire_time(world.wall, world.wall)

    world.shift_market(timedelta(days=-3))
    due = trigger.get_next_fire_time(world.wall, world.wall)

    assert due - world.wall <= timedelta(seconds=600)


def test_replanning_moves_the_wall_time_and_not_the_point():
    """After a resync the scheduler is told the new wall time of the same market point."""
    world = WallClock(Decimal(60))
    trigger = MarketTrigger(Every(timedelta(seconds=600)), world.clock, after=world.clock.now())
    due = trigger.get_next_fire_time(None, world.wall)
    point = trigger.planned

    world.shift_market(timedelta(seconds=-60))

    assert trigger.planned_wall() == due + timedelta(seconds=1)
    assert trigger.planned == point


def test_a_market_that_stands_still_never_fires():
    """A stepped exchange (speed 0) plans nothing, rather than everything at once."""
    world = WallClock(Decimal(0))
    trigger = MarketTrigger(Every(timedelta(seconds=600)), world.clock, after=world.clock.now())

    assert trigger.get_next_fire_time(None, world.wall) is None
    assert trigger.planned_wall() is None


@pytest.mark.parametrize("speed", [600, 5000, 20000])
def test_under_apscheduler_each_run_sees_a_later_point(speed):
    """In a real scheduler, with a job slower than its interval: no spinning, no queue, no point twice."""
    clock = Clock(Anchor(datetime.now(UTC), START, Decimal(speed)))
    seen: list[datetime | None] = []
    calls = 0
    enough = threading.Event()

    class Counted(MarketTrigger):
        def get_next_fire_time(self, previous_fire_time, now):
            nonlocal calls
            calls += 1
            return super().get_next_fire_time(previous_fire_time, now)

    def job() -> None:
        seen.append(trigger.fired)
        if len(seen) == 10:
            enough.set()
        enough.wait(60 / speed * 1.5)

    trigger = Counted(Every(timedelta(seconds=60)), clock, after=clock.now())
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(job, trigger, misfire_grace_time=None, coalesce=True, max_instances=1)
    scheduler.start()
    try:
        assert enough.wait(20)
        elapsed = clock.now() - START
    finally:
        scheduler.shutdown()

    assert all(earlier < later for earlier, later in pairwise(seen))
    assert calls <= 4 * (elapsed / timedelta(seconds=60) + 5)

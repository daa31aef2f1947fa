"""The one trigger of ours: APScheduler plans in wall time, our jobs are planned in market time.

APScheduler's own triggers spin or drift under a scaled clock. This one computes each fire from the last *market* fire
and converts it through the anchor in force, rounded so that the market has really arrived when the wall time has.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

from apscheduler.triggers.base import BaseTrigger

from thunes_cli.clock import Anchor, Clock
from thunes_cli.daemon.schedule import Schedule

_MICROSECOND = timedelta(microseconds=1)


def wall_of(anchor: Anchor, market: datetime) -> datetime:
    """The first wall time, in microseconds, at which the market reads ``market`` or later.

    Raises:
        ZeroDivisionError: the market stands still.
    """
    ahead = (market - anchor.market) // _MICROSECOND
    wall = anchor.wall + timedelta(microseconds=ceil(Fraction(ahead) / Fraction(anchor.speed)))
    while anchor.market_at(wall) < market:  # market_at rounds towards the anchor
        wall += _MICROSECOND
    return wall


class MarketTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires at the points of a schedule; points that passed while nobody looked are one fire, never a queue.

    Fires are strictly increasing in market time, also when the anchor is moved between them. Only a clock set back by
    more than the schedule's span starts anew: a job that never runs again would be worse than one that runs twice.
    On an exchange that stands still (speed 0) it never fires.
    """

    def __init__(self, schedule: Schedule, clock: Clock, *, after: datetime) -> None:
        self.schedule = schedule
        self.clock = clock
        self._lock = threading.Lock()
        self._fired = after
        self._planned = schedule.next_after(after)
        self._has_fired = False

    @property
    def fired(self) -> datetime | None:
        """The point fired last, market time; None before the first. A job that sees one twice was woken early."""
        with self._lock:
            return self._fired if self._has_fired else None

    @property
    def planned(self) -> datetime:
        """The point to be fired next, market time."""
        with self._lock:
            return self._planned

    def planned_wall(self) -> datetime | None:
        """Where the planned point lies by the anchor in force, possibly in the past; None when it never comes."""
        anchor = self.clock.anchor
        with self._lock:
            if anchor.speed == 0:
                return None
            return wall_of(anchor, self._planned)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """APScheduler's question; always answered with a wall time after ``now``."""
        del previous_fire_time  # in wall time, hence meaningless once the anchor was moved
        anchor = self.clock.anchor
        if anchor.speed == 0:
            return None
        market = anchor.market_at(now)
        with self._lock:
            if market >= self._planned:
                self._fired, self._has_fired = self.schedule.last_at(market), True
            elif self._fired - market > self.schedule.span:
                self._fired = market
            self._planned = self.schedule.next_after(max(self._fired, market))
            return wall_of(anchor, self._planned)

    def __getstate__(self) -> dict[str, Any]:
        message = "jobs live in memory only"
        raise TypeError(message)

    def __str__(self) -> str:
        return f"market time, {self.schedule}"

"""When a job is planned, in market time: pure arithmetic on a grid, no clock and no scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Protocol

from thunes_cli.clock import EPOCH, utc_midnight

_DAY = timedelta(days=1)
_SETTLED_AFTER = timedelta(seconds=2)
_SETTLED_WALL_MS = 25


class Schedule(Protocol):
    """Points of market time at which a job is planned."""

    @property
    def span(self) -> timedelta:
        """The distance between two points."""

    def last_at(self, market: datetime) -> datetime:
        """The newest point not after ``market``."""

    def next_after(self, market: datetime) -> datetime:
        """The first point after ``market``, never ``market`` itself."""


@dataclass(frozen=True, slots=True)
class Every:
    """A grid of ``interval`` from 1970 on, each point ``moment`` late."""

    interval: timedelta
    moment: timedelta = timedelta(0)

    @property
    def span(self) -> timedelta:
        """The interval."""
        return self.interval

    def last_at(self, market: datetime) -> datetime:
        """The newest point not after ``market``."""
        start = EPOCH + self.moment
        return start + (market - start) // self.interval * self.interval

    def next_after(self, market: datetime) -> datetime:
        """The first point after ``market``."""
        return self.last_at(market) + self.interval


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a UTC day."""

    at: time

    @property
    def span(self) -> timedelta:
        """A day."""
        return _DAY

    def last_at(self, market: datetime) -> datetime:
        """The newest point not after ``market``."""
        today = utc_midnight(market) + timedelta(hours=self.at.hour, minutes=self.at.minute)
        return today if today <= market else today - _DAY

    def next_after(self, market: datetime) -> datetime:
        """The first point after ``market``."""
        return self.last_at(market) + _DAY


def settling_moment(interval: timedelta, *, speed: Decimal) -> timedelta:
    """How long after a grid point to look: the candle that closed on it must be closed for the exchange too.

    Two seconds; on a sped-up exchange 25 ms of network time if that is more, for that is how exactly its clock can be
    read; never more than a quarter of the interval.
    """
    scaled = timedelta(milliseconds=int(_SETTLED_WALL_MS * speed))
    return min(max(_SETTLED_AFTER, scaled), interval / 4)

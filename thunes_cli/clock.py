"""The two times.

*Market time* is the exchange's clock (candles, signal ids, the UTC day, cool-down, due dates); it runs at
``speed`` (1 except on a sped-up simulator, 0 on a stepped one). *Network time* (timeouts, back-off, bans,
proofs of absence, locks) is always wall or monotonic. The anchor that ties them is kept in the ledger so that
every process converts alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def utc_now() -> datetime:
    """Wall time, UTC-aware."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """RFC 3339 UTC with exactly three decimals, so that texts sort as times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def from_text(text: str) -> datetime:
    """The inverse of :func:`to_text`; accepts any RFC 3339 time with an offset.

    Raises:
        ValueError: not a time, or a time without an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = f"{text!r} has no UTC offset"
        raise ValueError(message)
    return moment.astimezone(UTC)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down: the exchange's unit."""
    return (moment - EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """The inverse of :func:`to_ms`."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def utc_midnight(moment: datetime) -> datetime:
    """The start of the UTC day that holds ``moment``."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def wait_is_over(until: datetime | None, wall: datetime, *, longest: timedelta) -> bool:
    """Whether a wait that was noted as a wall time is over; one that is ``longest`` away and more is.

    A machine's clock that stood ahead when the wait began and was set back since must not make it last for hours.
    """
    return until is None or not wall < until <= wall + longest


class Anchor(NamedTuple):
    """At wall time ``wall`` the exchange's clock read ``market`` and ran at ``speed`` market seconds a second."""

    wall: datetime
    market: datetime
    speed: Decimal = Decimal(1)

    def market_at(self, wall: datetime) -> datetime:
        """Market time at a wall time."""
        elapsed = wall - self.wall
        if self.speed == 1:
            return self.market + elapsed
        microseconds = Decimal(elapsed // timedelta(microseconds=1)) * self.speed
        return self.market + timedelta(microseconds=int(microseconds))


class Clock:
    """Reads market, wall and monotonic time; the anchor is replaced whenever the exchange's clock is read."""

    def __init__(
        self,
        anchor: Anchor | None = None,
        *,
        wall: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        now = wall()
        self._wall = wall
        self._monotonic = monotonic
        self.set_anchor(anchor or Anchor(wall=now, market=now))

    @property
    def anchor(self) -> Anchor:
        """The anchor in force."""
        return self._anchor

    @property
    def speed(self) -> Decimal:
        """Market seconds a wall second."""
        return self._anchor.speed

    def set_anchor(self, anchor: Anchor) -> None:
        """Take a newer reading of the exchange's clock."""
        self._anchor = anchor
        self._ahead_s = self._measure_ahead_s()

    @property
    def step(self) -> timedelta:
        """How far the wall clock was set since the anchor was taken: market time is reckoned by it, so it is wrong."""
        return timedelta(seconds=self._measure_ahead_s() - self._ahead_s)

    def _measure_ahead_s(self) -> float:
        return self._wall().timestamp() - self._monotonic()

    def now(self) -> datetime:
        """Market time, UTC-aware."""
        return self._anchor.market_at(self._wall())

    def wall(self) -> datetime:
        """Wall time, UTC-aware."""
        return self._wall()

    def monotonic(self) -> float:
        """Monotonic seconds: for spans of network time within this boot."""
        return self._monotonic()

"""Market time: it runs at ``speed`` while the exchange serves, stands still otherwise, and never runs backwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal

_NANOSECONDS_PER_MS = 1_000_000
# A kill -9 may cost this much wall time of the market, never take any back: the lease is kept before it is reached.
_LEASE_WALL_MS = 250


class MarketClock:
    """The exchange's clock, in epoch ms.

    Args:
        market: where it stands. ``start``: where this market began. ``end``: the last instant it can show, or None.
        speed: market ms a wall ms. ``step``: it moves by :meth:`move_to` alone.
        keep: stores an instant durably. It is called before any later instant is shown, with a little to spare, so
            that after a crash the market goes on where no client has seen it yet.
    """

    def __init__(
        self,
        market: int,
        *,
        start: int,
        end: int | None,
        speed: Decimal,
        step: bool,
        keep: Callable[[int], None],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.start = start
        self.end = end
        self.speed = speed
        self.step = step
        self._keep = keep
        self._wall_ns = wall_ns
        self._base_wall = wall_ns()
        self._base_market = market
        self._latest = market
        self._lease = market

    def now(self) -> int:
        """Market time."""
        if self.step:
            return self._latest
        elapsed = self._wall_ns() - self._base_wall
        moment = self._base_market + int(elapsed * self.speed) // _NANOSECONDS_PER_MS
        # The wall clock may be set back; time that has been shown stays shown.
        moment = max(self._clip(moment), self._latest)
        if moment > self._lease:
            lease = self._clip(moment + int(_LEASE_WALL_MS * self.speed))
            self._keep(lease)
            self._lease = lease
        self._latest = moment
        return moment

    def move_to(self, moment: int) -> None:
        """Set a stepped clock forward."""
        moment = max(self._clip(moment), self._latest)
        self._keep(moment)
        self._latest = self._lease = moment

    def stop(self) -> None:
        """Keep exactly where the market stands."""
        self._keep(self.now())

    @property
    def finished(self) -> bool:
        """Whether the recorded candles are used up: time stands still for good."""
        return self.end is not None and self.now() >= self.end

    @property
    def rate(self) -> Decimal:
        """Market ms a wall ms right now: 0 on a stepped or finished market."""
        return Decimal(0) if self.step or self.finished else self.speed

    def wall_ms(self) -> int:
        """Wall time in epoch ms, for the windows and signatures that live in network time."""
        return self._wall_ns() // _NANOSECONDS_PER_MS

    def served_ms(self) -> int:
        """Wall ms since this process began to serve: what a client's own clock may have run since it was set."""
        return max(self._wall_ns() - self._base_wall, 0) // _NANOSECONDS_PER_MS

    def _clip(self, moment: int) -> int:
        return moment if self.end is None else min(moment, self.end)

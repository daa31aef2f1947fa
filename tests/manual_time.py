"""Time under a test's control."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from thunes_cli.clock import Anchor, Clock

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class ManualTime:
    """Wall and monotonic time that stand still until :meth:`pass_by`."""

    def __init__(self, start: datetime = NOON) -> None:
        self.wall = start
        self.monotonic = 1000.0

    def pass_by(self, span: timedelta) -> None:
        """Let time go by."""
        self.wall += span
        self.monotonic += span.total_seconds()

    def clock(self, *, speed: Decimal = Decimal(1)) -> Clock:
        """A clock that reads this time; market time equals wall time now."""
        anchor = Anchor(wall=self.wall, market=self.wall, speed=speed)
        return Clock(anchor, wall=lambda: self.wall, monotonic=lambda: self.monotonic)

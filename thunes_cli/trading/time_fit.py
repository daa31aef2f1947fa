"""How far the exchange's idea of a moment and ours may lie apart and still mean the same one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from thunes_cli.clock import Clock

_SLACK = timedelta(seconds=10)


def answer_slack(clock: Clock) -> timedelta:
    """Market time by which an answer may seem older than its order: ten seconds of network time."""
    return _SLACK * float(max(Decimal(1), clock.speed))

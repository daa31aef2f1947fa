"""When ledger and exchange are compared: every hour of market time, away from signal checks, never in a hurry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from thunes_cli.daemon.work import reconcile_grid

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def test_every_hour_between_two_signal_checks() -> None:
    """Seven and a half minutes past: a check every ten minutes never meets it."""
    grid = reconcile_grid(3600.0, Decimal(1))

    assert grid.next_after(NOON) == NOON + timedelta(minutes=7, seconds=30)
    assert grid.next_after(grid.next_after(NOON)) == NOON + timedelta(hours=1, minutes=7, seconds=30)


@pytest.mark.parametrize(
    ("speed", "span"),
    [
        pytest.param(0, timedelta(hours=1), id="standing still"),
        pytest.param(60, timedelta(hours=1), id="demo"),
        pytest.param(3600, timedelta(hours=10), id="an hour a second"),
    ],
)
def test_a_fast_market_is_not_compared_all_the_time(speed: int, span: timedelta) -> None:
    """Ten seconds of network time at least lie between two comparisons."""
    assert reconcile_grid(3600.0, Decimal(speed)).span == span

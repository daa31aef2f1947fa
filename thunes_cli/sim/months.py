"""Calendar months in epoch milliseconds: the only candle length that is not a fixed span."""

from __future__ import annotations

from datetime import UTC, datetime

from thunes_cli.clock import from_ms, to_ms

_DECEMBER = 12


def month_open(moment: int) -> int:
    """The first instant of the month that holds ``moment``."""
    when = from_ms(moment)
    return to_ms(datetime(when.year, when.month, 1, tzinfo=UTC))


def next_month(opened: int) -> int:
    """The first instant of the month after the one that holds ``opened``."""
    when = from_ms(opened)
    year, month = (when.year + 1, 1) if when.month == _DECEMBER else (when.year, when.month + 1)
    return to_ms(datetime(year, month, 1, tzinfo=UTC))

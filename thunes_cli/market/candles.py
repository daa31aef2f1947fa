"""Candles as a series: which are closed, which are missing, how two readings become one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from thunes_cli.model import Candle


@dataclass(frozen=True, slots=True)
class Gap:
    """Candles that a series lacks: ``start`` is the first missing open time, ``end`` the next one that exists."""

    start: datetime
    end: datetime
    missing: int


def split_closed(candles: Iterable[Candle], *, now: datetime) -> tuple[tuple[Candle, ...], Candle | None]:
    """The candles that are closed at market time ``now``, and the open one if there is any.

    A candle's ``close_time`` is the first instant after it, so at exactly that instant it is closed. Of several that
    are not closed (a clock behind the exchange's) the earliest is the open one.
    """
    closed: list[Candle] = []
    for candle in candles:
        if candle.close_time > now:
            return tuple(closed), candle
        closed.append(candle)
    return tuple(closed), None


def merge_candles(known: Iterable[Candle], newer: Iterable[Candle]) -> tuple[Candle, ...]:
    """One series in the order of time out of two readings, each candle once; the newer reading wins."""
    by_time = {candle.open_time: candle for candle in known}
    by_time.update((candle.open_time, candle) for candle in newer)
    return tuple(by_time[moment] for moment in sorted(by_time))


def find_gaps(candles: Sequence[Candle], *, span: timedelta) -> tuple[Gap, ...]:
    """The holes inside a series in the order of time whose candles last ``span`` each."""
    if not candles or candles[-1].open_time - candles[0].open_time == (len(candles) - 1) * span:
        return ()  # as many as fit: told three hundred times at the end of a minute, so without looking at each
    gaps: list[Gap] = []
    for before, after in pairwise(candles):
        start = before.open_time + span
        if after.open_time > start:
            gaps.append(Gap(start=start, end=after.open_time, missing=(after.open_time - start) // span))
    return tuple(gaps)


def find_flaw(candle: Candle) -> str | None:
    """Why a candle cannot be true, or None: prices must be positive numbers, the high highest and the low lowest."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    if not all(value.is_finite() for value in (*prices, candle.volume)):
        return "a value is not a number"
    if min(prices) <= 0:
        return "a price is not positive"
    if candle.volume < 0:
        return "the volume is negative"
    if candle.high < max(prices) or candle.low > min(prices):
        return "high and low do not enclose open and close"
    if candle.close_time <= candle.open_time:
        return "it closes before it opens"
    return None

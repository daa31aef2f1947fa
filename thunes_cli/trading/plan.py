"""What this home trades and how: the settings the trading room needs, without where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from thunes_cli.model import timeframe_span

_NAMED = 8


def named(symbols: Sequence[str]) -> str:
    """Symbols for a line of text: all of them, or the first and how many more."""
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class TradingPlan:
    """Intervals in market time, ``not_placed_margin`` in network time, amounts in the symbols' quote asset."""

    symbols: tuple[str, ...]
    timeframe: str
    quote_amount: Decimal
    strategy: str
    strategy_params: Mapping[str, Any]
    stop_loss_pct: Decimal
    signal_interval: timedelta
    not_placed_margin: timedelta
    min_free_mib: int

    @property
    def what(self) -> str:
        """The symbols for a line of text."""
        return named(self.symbols)

    @property
    def candle_span(self) -> timedelta:
        """Length of one candle."""
        return timeframe_span(self.timeframe)

    @property
    def max_signal_age(self) -> timedelta:
        """How long after its candle closed a signal may still be entered: max(timeframe/2, 2 × signal interval)."""
        return max(self.candle_span / 2, 2 * self.signal_interval)

"""What this home trades and how: the settings the trading room needs, without where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from thunes_cli.model import timeframe_span


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
    def candle_span(self) -> timedelta:
        """Length of one candle."""
        return timeframe_span(self.timeframe)

    @property
    def max_signal_age(self) -> timedelta:
        """How long after its candle closed a signal may still be entered: max(timeframe/2, 2 × signal interval)."""
        return max(self.candle_span / 2, 2 * self.signal_interval)

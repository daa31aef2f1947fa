"""Crossover of two simple moving averages: follow a trend from its beginning to its end."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from thunes_cli.errors import ConfigError
from thunes_cli.market.indicators import ARITHMETIC, Sma
from thunes_cli.market.strategies import Advice, whole_number
from thunes_cli.model import Candle, Side, plain

_FACT_UNIT = Decimal("0.00000001")


class SmaCrossover:
    """BUY when the fast average of closes crosses above the slow one, SELL when it crosses below.

    A crossing is a candle after which the fast average is strictly on the other side, having been on this side or
    equal after the candle before. Averages are compared by their exact sums, so equality is not a matter of rounding,
    and the last ``SMA_SLOW`` + 1 candles decide alone.
    """

    def __init__(self, symbol: str, params: Mapping[str, Any]) -> None:
        del symbol
        fast = whole_number(params, "SMA_FAST", default=20)
        slow = whole_number(params, "SMA_SLOW", default=50)
        if fast >= slow:
            raise ConfigError(f"SMA_FAST {fast} must be less than SMA_SLOW {slow}")
        self.history_needed = slow + 1
        self._fast = Sma(fast)
        self._slow = Sma(slow)
        self._lead: Decimal | None = None

    def update(self, candle: Candle) -> Advice | None:
        """Advice after this candle; none before the slow average has existed for two candles."""
        fast, slow = self._fast.update(candle.close), self._slow.update(candle.close)
        if fast is None or slow is None:
            return None
        before, self._lead = self._lead, self._measure_lead()
        if before is None:
            return None
        if before <= 0 < self._lead:
            return Advice(Side.BUY, _facts(fast, slow))
        if before >= 0 > self._lead:
            return Advice(Side.SELL, _facts(fast, slow))
        return None

    def _measure_lead(self) -> Decimal:
        """Fast minus slow, times both periods: exact where the quotients are not."""
        return ARITHMETIC.subtract(
            ARITHMETIC.multiply(self._fast.total, Decimal(self._slow.period)),
            ARITHMETIC.multiply(self._slow.total, Decimal(self._fast.period)),
        )


def _facts(fast: Decimal, slow: Decimal) -> dict[str, str]:
    return {
        "fast": plain(fast.quantize(_FACT_UNIT, context=ARITHMETIC)),
        "slow": plain(slow.quantize(_FACT_UNIT, context=ARITHMETIC)),
    }

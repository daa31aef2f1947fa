"""Reversals shown by Wilder's relative strength index: buy what fell too far once it turns, sell the opposite."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from thunes_cli.errors import ConfigError
from thunes_cli.market.indicators import ARITHMETIC, Rsi
from thunes_cli.market.strategies import Advice, decimal_number, whole_number
from thunes_cli.model import Candle, Side, plain

# After 20 periods what came before the window weighs exp(−20) = 2e-9: too little to move a signal.
_SETTLING_PERIODS = 20
_FACT_UNIT = Decimal("0.0001")


class RsiReversal:
    """BUY when the RSI of closes comes back above ``RSI_OVERSOLD``, SELL when it comes back below ``RSI_OVERBOUGHT``.

    The signal is the return, not the first touch: an index that falls through the oversold line goes on falling in a
    crash, and buying there is buying all the way down. This is the rule of the widespread charting and bot packages
    under the name "RSI strategy". The line itself belongs to the zone: BUY needs an index at or below it after the
    candle before and above it now; SELL mirrors that.
    """

    def __init__(self, symbol: str, params: Mapping[str, Any]) -> None:
        del symbol
        period = whole_number(params, "RSI_PERIOD", default=14)
        self._oversold = decimal_number(params, "RSI_OVERSOLD", default=Decimal(30))
        self._overbought = decimal_number(params, "RSI_OVERBOUGHT", default=Decimal(70))
        if not 0 < self._oversold < self._overbought < 100:  # noqa: PLR2004  the index runs from 0 to 100
            raise ConfigError(
                f"RSI_OVERSOLD {self._oversold} must be above 0 and less than RSI_OVERBOUGHT {self._overbought}, "
                "and that less than 100"
            )
        self.history_needed = _SETTLING_PERIODS * period + 2
        self._rsi = Rsi(period)

    def update(self, candle: Candle) -> Advice | None:
        """Advice after this candle; none before the index has existed for two candles."""
        before, now = self._rsi.value, self._rsi.update(candle.close)
        if before is None or now is None:
            return None
        facts = {"rsi_before": _rounded(before), "rsi": _rounded(now)}
        if before <= self._oversold < now:
            return Advice(Side.BUY, facts)
        if before >= self._overbought > now:
            return Advice(Side.SELL, facts)
        return None


def _rounded(value: Decimal) -> str:
    return plain(value.quantize(_FACT_UNIT, context=ARITHMETIC))

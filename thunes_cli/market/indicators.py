"""Indicators, one candle at a time: constant work and memory a candle, exact or reproducible to the last digit.

All arithmetic runs in one context of this module, so that results never depend on what precision the calling thread
has set.
"""

from __future__ import annotations

from collections import deque
from decimal import ROUND_HALF_EVEN, Context, Decimal

from thunes_cli.model import ZERO

# Sums of wire prices (19 digits) stay exact far beyond any period; quotients carry 50 digits.
ARITHMETIC = Context(prec=50, rounding=ROUND_HALF_EVEN)

_HUNDRED = Decimal(100)
# A market that does not move is neither overbought nor oversold.
_NEUTRAL_RSI = Decimal(50)


class Sma:
    """Simple moving average: the mean of the last ``period`` values. ``total`` is exact, ``value`` its quotient."""

    __slots__ = ("_window", "period", "total")

    def __init__(self, period: int) -> None:
        self.period = _positive(period)
        self.total = ZERO
        self._window: deque[Decimal] = deque(maxlen=period)

    @property
    def ready(self) -> bool:
        """Whether ``period`` values have been seen."""
        return len(self._window) == self.period

    @property
    def value(self) -> Decimal | None:
        """The mean, or None before it exists."""
        return ARITHMETIC.divide(self.total, Decimal(self.period)) if self.ready else None

    def update(self, value: Decimal) -> Decimal | None:
        """Take the next value; the mean, or None before it exists."""
        if self.ready:
            self.total = ARITHMETIC.subtract(self.total, self._window[0])
        self._window.append(value)
        self.total = ARITHMETIC.add(self.total, value)
        return self.value


class Rsi:
    """Relative strength index (0 … 100) with Wilder's smoothing.

    The first averages are the means of the first ``period`` rises and falls; from then on each is
    ``(previous × (period − 1) + new) / period``. So the index exists after ``period`` + 1 values, and what lies n
    values back weighs ``(1 − 1/period) ** n``. Without any movement it is 50 (some libraries say 0, which would read
    as "oversold").
    """

    __slots__ = ("_falls", "_previous", "_rises", "_seen", "period")

    def __init__(self, period: int) -> None:
        self.period = _positive(period)
        self._previous: Decimal | None = None
        self._seen = 0
        # Sums while the first averages are being collected, averages afterwards.
        self._rises = ZERO
        self._falls = ZERO

    @property
    def value(self) -> Decimal | None:
        """The index, or None before it exists."""
        if self._seen < self.period:
            return None
        movement = ARITHMETIC.add(self._rises, self._falls)
        if movement == 0:
            return _NEUTRAL_RSI
        return ARITHMETIC.divide(ARITHMETIC.multiply(_HUNDRED, self._rises), movement)

    def update(self, value: Decimal) -> Decimal | None:
        """Take the next value; the index, or None before it exists."""
        previous, self._previous = self._previous, value
        if previous is None:
            return None
        change = ARITHMETIC.subtract(value, previous)
        rise, fall = max(change, ZERO), max(ARITHMETIC.minus(change), ZERO)
        self._seen += 1
        if self._seen <= self.period:
            self._rises, self._falls = ARITHMETIC.add(self._rises, rise), ARITHMETIC.add(self._falls, fall)
            if self._seen == self.period:
                count = Decimal(self.period)
                self._rises, self._falls = ARITHMETIC.divide(self._rises, count), ARITHMETIC.divide(self._falls, count)
        else:
            self._rises, self._falls = self._smooth(self._rises, rise), self._smooth(self._falls, fall)
        return self.value

    def _smooth(self, average: Decimal, new: Decimal) -> Decimal:
        return ARITHMETIC.divide(ARITHMETIC.fma(average, Decimal(self.period - 1), new), Decimal(self.period))


def _positive(period: int) -> int:
    if period < 1:
        raise ValueError(f"a period of {period} candles")
    return period

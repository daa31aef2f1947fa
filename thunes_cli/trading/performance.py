"""How well it trades: Sharpe ratio, return and drawdown of the days' results. Pure, in decimals.

A day's return is its realised result, net of fees, over the equity at its begin; equity is the capital at first contact
plus all results since. What is held counts when it is sold. Days without a trade count as zero. The Sharpe ratio is the
mean return over its standard deviation, times the square root of 365: a market without weekends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from thunes_cli.model import ZERO

FEWEST_DAYS = 5  # a ratio of fewer says nothing
_YEAR = Decimal(365)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """``equity`` at the begin of the first day, then at the end of each; one more than there are days."""

    equity: tuple[Decimal, ...]

    @property
    def days(self) -> int:
        """How many."""
        return len(self.equity) - 1

    @property
    def returns(self) -> tuple[Decimal, ...]:
        """Of each day, as a part of one."""
        return tuple(after / before - 1 for before, after in zip(self.equity, self.equity[1:], strict=False))

    def last(self, days: int) -> EquityCurve:
        """Of so many days, or of all there are."""
        return EquityCurve(self.equity[-(days + 1) :])


def equity_curve(results: Mapping[date, Decimal], *, capital: Decimal, first: date, last: date) -> EquityCurve | None:
    """Equity day by day from ``first`` to ``last``; None without capital, or when it was lost altogether."""
    if capital <= 0 or last < first:
        return None
    equity = [capital]
    for number in range((last - first).days + 1):
        equity.append(equity[-1] + results.get(first + timedelta(days=number), ZERO))
        if equity[-1] <= 0:
            return None
    return EquityCurve(tuple(equity))


def sharpe_ratio(returns: Sequence[Decimal]) -> Decimal | None:
    """Annualised; None for too few days, or when all of them are alike."""
    if len(returns) < FEWEST_DAYS:
        return None
    mean = sum(returns, ZERO) / len(returns)
    variance = sum(((each - mean) ** 2 for each in returns), ZERO) / (len(returns) - 1)
    return None if variance == 0 else mean / variance.sqrt() * _YEAR.sqrt()


def total_return_pct(curve: EquityCurve) -> Decimal:
    """From the first equity to the last, in percent."""
    return (curve.equity[-1] / curve.equity[0] - 1) * _HUNDRED


def max_drawdown_pct(curve: EquityCurve) -> Decimal:
    """The deepest fall from a peak, in percent of that peak; never negative."""
    peak, worst = curve.equity[0], ZERO
    for equity in curve.equity:
        peak = max(peak, equity)
        worst = max(worst, (peak - equity) / peak)
    return worst * _HUNDRED

"""Sharpe ratio, return and drawdown, by hand and of any results."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.trading.performance import (
    EquityCurve,
    equity_curve,
    max_drawdown_pct,
    sharpe_ratio,
    total_return_pct,
)

D = Decimal
FIRST = date(2026, 3, 1)
money = st.decimals(-50, 50, places=4)


def curve(*results: str, capital: str = "1000") -> EquityCurve:
    days = {FIRST + timedelta(days=number): D(text) for number, text in enumerate(results)}
    made = equity_curve(days, capital=D(capital), first=FIRST, last=FIRST + timedelta(days=len(results) - 1))
    assert made is not None
    return made


def test_by_hand() -> None:
    """Up ten, down twenty, up ten, twice: the drawdown is from the peak, the return from begin to end."""
    made = curve("10", "-20", "10", "10", "-20", "10")

    assert made.equity == (1000, 1010, 990, 1000, 1010, 990, 1000)
    assert total_return_pct(made) == 0
    assert max_drawdown_pct(made) == pytest.approx(D(20) / D(1010) * 100)
    days = [float(each) for each in made.returns]
    assert float(sharpe_ratio(made.returns) or 0) == pytest.approx(mean(days) / stdev(days) * 365**0.5)


def test_a_ratio_of_too_little() -> None:
    """Fewer than five days, or days that are all alike, say nothing."""
    assert sharpe_ratio(curve("1", "2", "3", "4").returns) is None
    assert sharpe_ratio(curve("0", "0", "0", "0", "0").returns) is None
    assert sharpe_ratio(curve("1", "2", "1", "2", "1").returns) is not None


def test_days_without_a_trade_count() -> None:
    """A gap in the results is days of nothing."""
    made = equity_curve({FIRST: D(10)}, capital=D(100), first=FIRST, last=FIRST + timedelta(days=3))

    assert made is not None
    assert made.returns == (D("0.1"), 0, 0, 0)


@pytest.mark.parametrize(("capital", "lost"), [("0", "1"), ("100", "-100"), ("100", "-130")])
def test_nothing_to_measure_by(capital: str, lost: str) -> None:
    """No capital, or all of it gone."""
    assert equity_curve({FIRST: D(lost)}, capital=D(capital), first=FIRST, last=FIRST) is None


@given(results=st.lists(money, min_size=1, max_size=40), scale=st.integers(1, 1000))
def test_of_any_results(results: list[D], scale: int) -> None:
    """Returns compound to the whole, a drawdown is no gain, and nothing depends on the unit of money."""
    days = {FIRST + timedelta(days=number): each for number, each in enumerate(results)}
    last = FIRST + timedelta(days=len(results) - 1)
    made = equity_curve(days, capital=D(10_000), first=FIRST, last=last)
    assert made is not None
    larger = equity_curve(
        {day: each * scale for day, each in days.items()}, capital=D(10_000) * scale, first=FIRST, last=last
    )
    assert larger is not None

    growth = D(1)
    for each in made.returns:
        growth *= 1 + each
    assert (growth - 1) * 100 == pytest.approx(total_return_pct(made), abs=D("1e-9"))
    assert max_drawdown_pct(made) >= max(D(0), -total_return_pct(made))
    assert max_drawdown_pct(larger) == pytest.approx(max_drawdown_pct(made), abs=D("1e-9"))
    one, other = sharpe_ratio(made.returns), sharpe_ratio(larger.returns)
    assert (one is None) is (other is None)


@given(results=st.lists(money, min_size=1, max_size=30), days=st.integers(1, 40))
def test_the_last_days(results: list[D], days: int) -> None:
    """A window ends where the whole ends."""
    window = curve(*map(str, results), capital="10000").last(days)

    assert window.days == min(days, len(results))
    assert window.equity[-1] == D(10_000) + sum(results)

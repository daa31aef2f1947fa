"""Indicators against their definition and against TA-Lib."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_cases import HOUR, D, closes, needs_data, real_candles

from thunes_cli.market.indicators import Rsi, Sma

talib = pytest.importorskip("talib")
numpy = pytest.importorskip("numpy")

periods = st.integers(2, 30)


def collect(indicator: Sma | Rsi, values: Sequence[Decimal]) -> list[Decimal | None]:
    return [indicator.update(value) for value in values]


def equals_talib(
    ours: list[Decimal | None], function: Callable[..., object], values: Sequence[Decimal], period: int
) -> bool:
    """Whether the warm-up is as long, and the rest equal to what binary floating point can hold."""
    theirs = numpy.asarray(function(numpy.array([float(value) for value in values]), timeperiod=period))
    mine = numpy.array([numpy.nan if value is None else float(value) for value in ours])
    return bool(numpy.allclose(theirs, mine, rtol=1e-9, atol=1e-7, equal_nan=True))  # a number never equals NaN


def random_walk(length: int, seed: int) -> list[Decimal]:
    """Prices that wander, with cents."""
    chance, cents, prices = random.Random(seed), 2_000_000, []
    for _ in range(length):
        cents = max(100, cents + chance.randint(-5000, 5000))
        prices.append(D(cents) / 100)
    return prices


@given(closes, periods)
def test_the_average_is_exactly_the_mean_of_the_last_values(values: list[Decimal], period: int) -> None:
    """The running sum equals the sum of the window to the last digit, however long the series."""
    average = Sma(period)

    for count, value in enumerate(values, start=1):
        mean = average.update(value)

        assert average.total == sum(values[max(0, count - period) : count])
        assert (mean is not None) == (count >= period) == average.ready
        if mean is not None:
            assert abs(mean * period - average.total) < D("1e-20")


@pytest.mark.parametrize("period", [2, 20, 50])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_average_equals_talib_on_a_random_walk(period: int, seed: int) -> None:
    """SMA agrees with TA-Lib."""
    values = random_walk(2000, seed)

    assert equals_talib(collect(Sma(period), values), talib.SMA, values, period)


@pytest.mark.parametrize("period", [2, 14, 30])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_index_equals_talib_on_a_random_walk(period: int, seed: int) -> None:
    """Wilder's RSI agrees with TA-Lib, warm-up included."""
    values = random_walk(2000, seed)

    assert equals_talib(collect(Rsi(period), values), talib.RSI, values, period)


@needs_data
@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("BTCUSDT-1h-2017-2022.csv.gz", HOUR),
        ("ETHUSDT-1h-2017-2022.csv.gz", HOUR),
        ("BTCUSDT-1m-20230301-20230321.csv.gz", timedelta(minutes=1)),
    ],
)
def test_indicators_equal_talib_on_real_closes(name: str, span: timedelta) -> None:
    """Over years of real candles neither indicator drifts from TA-Lib's."""
    values = [candle.close for candle in real_candles(name, span=span)]

    assert equals_talib(collect(Sma(50), values), talib.SMA, values, 50)
    # TA-Lib calls a market without any movement 0, we 50; no such stretch is in these files.
    assert equals_talib(collect(Rsi(14), values), talib.RSI, values, 14)


@pytest.mark.parametrize(
    ("values", "index"),
    [
        pytest.param([5, 5, 5, 5], 50, id="no movement is neutral"),
        pytest.param([1, 2, 3, 4], 100, id="only rises"),
        pytest.param([4, 3, 2, 1], 0, id="only falls"),
        pytest.param([4, 7, 6, 6], 75, id="rises three times the falls"),
    ],
)
def test_the_index_at_its_ends(values: list[int], index: Decimal | int) -> None:
    """RSI runs from 0 to 100, and a flat market is neither oversold nor overbought."""
    value = collect(Rsi(3), [D(each) for each in values])[-1]

    assert value is not None
    assert abs(value - index) < D("1e-40")


@given(closes, periods)
def test_the_index_stays_within_its_range(values: list[Decimal], period: int) -> None:
    """Whatever the prices, RSI exists after period + 1 values and lies between 0 and 100."""
    for count, value in enumerate(collect(Rsi(period), values), start=1):
        assert (value is not None) == (count > period)
        assert value is None or 0 <= value <= 100


@given(closes)
def test_results_do_not_depend_on_the_callers_decimal_context(values: list[Decimal]) -> None:
    """A thread that computes with two digits gets the same averages and indices."""
    expected = collect(Sma(3), values), collect(Rsi(3), values)

    with localcontext(Context(prec=2)):
        assert (collect(Sma(3), values), collect(Rsi(3), values)) == expected


@pytest.mark.parametrize("kind", [Sma, Rsi])
def test_a_period_below_one_is_refused(kind: type[Sma | Rsi]) -> None:
    """An indicator over no candles does not exist."""
    with pytest.raises(ValueError, match="a period of 0 candles"):
        kind(0)

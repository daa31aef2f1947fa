"""The two built-in strategies: when they signal, and that they cannot see ahead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_cases import D, closes, needs_data, real_candles, series

from thunes_cli.errors import ConfigError
from thunes_cli.market.strategies import SignalSource, load_strategy
from thunes_cli.model import Candle, Side, Signal

SMALL: dict[str, Any] = {"SMA_FAST": 2, "SMA_SLOW": 4, "RSI_PERIOD": 3}
names = st.sampled_from(["sma", "rsi"])


def source(name: str, **params: Any) -> SignalSource:
    return load_strategy(name, "BTCUSDT", {**SMALL, **params})


def signals_of(strategy: SignalSource, candles: Iterable[Candle]) -> list[Signal | None]:
    return [strategy.update(candle) for candle in candles]


def said_by_a_fresh(name: str, candles: Sequence[Candle], **params: Any) -> Signal | None:
    """The signal of the last candle, by a strategy that is shown the history it needs and nothing before."""
    fresh = load_strategy(name, "BTCUSDT", params)
    said = signals_of(fresh, candles[-fresh.history_needed :])
    return said[-1] if said else None


def sides(name: str, prices: list[int], **params: Any) -> str:
    """One letter a candle: B, S or a dot."""
    found = signals_of(source(name, **params), series(prices))
    return "".join("." if signal is None else signal.side[0] for signal in found)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        pytest.param([9, 8, 7, 6, 5, 9, 9], ".....B.", id="fast crosses above slow"),
        pytest.param([1, 2, 3, 4, 5, 1, 1], ".....S.", id="fast crosses below slow"),
        pytest.param([5, 5, 5, 5, 5, 6, 7], ".....B.", id="from equal to above is a crossing"),
        pytest.param([5, 5, 5, 5, 5, 5, 5], ".......", id="equal stays silent"),
        pytest.param([9, 8, 7, 9, 9], "....B", id="first comparison possible after slow + 1 candles"),
        pytest.param([1, 2, 3, 4], "....", id="already above at the start is no crossing"),
    ],
)
def test_averages_signal_where_they_cross(prices: list[int], expected: str) -> None:
    """SMA: BUY on the candle after which fast is above slow and was not before; SELL mirrors it."""
    assert sides("sma", prices) == expected


def test_equal_averages_are_equal_whatever_their_quotients_round_to() -> None:
    """Averages over 3 and 7 candles of one price have endless quotients; they compare as equal, so nothing signals."""
    third = [D(1) / D(3)] * 12

    found = signals_of(source("sma", SMA_FAST=3, SMA_SLOW=7), series(third))

    assert found == [None] * 12


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        pytest.param([100, 99, 98, 97, 96, 95, 99, 99], "......B.", id="back above oversold"),
        pytest.param([100, 101, 102, 103, 104, 105, 101, 101], "......S.", id="back below overbought"),
        pytest.param([100, 99, 98, 97, 96, 95, 94, 93], "........", id="falling through oversold buys nothing"),
        pytest.param([100, 100, 100, 100, 100, 100], "......", id="no movement, no signal"),
    ],
)
def test_the_index_signals_when_it_returns(prices: list[int], expected: str) -> None:
    """RSI: BUY when it comes back above the oversold line, SELL when it comes back below the overbought one."""
    assert sides("rsi", prices) == expected


@pytest.mark.parametrize(
    ("prices", "lines", "expected"),
    [
        pytest.param([100, 98, 96, 98, 99], {"RSI_OVERSOLD": 50, "RSI_OVERBOUGHT": 99}, "....B", id="0, 50, 67"),
        pytest.param([100, 98, 100, 101], {"RSI_OVERSOLD": 50, "RSI_OVERBOUGHT": 99}, "...B", id="50, 67"),
        pytest.param([100, 102, 104, 102, 101], {"RSI_OVERSOLD": 1, "RSI_OVERBOUGHT": 50}, "....S", id="100, 50, 33"),
    ],
)
def test_the_line_itself_belongs_to_the_zone(prices: list[int], lines: dict[str, int], expected: str) -> None:
    """An index exactly on the line is still oversold (or overbought): reaching it is no return, leaving it is one."""
    assert sides("rsi", prices, RSI_PERIOD=2, **lines) == expected


def test_a_signal_names_its_candle_and_the_numbers_that_decided() -> None:
    """A signal carries the candle's own times and close, the strategy's name, and facts in plain decimals."""
    candles = series([9, 8, 7, 6, 5, 9])

    signal = signals_of(source("sma"), candles)[-1]

    assert signal == Signal(
        symbol="BTCUSDT",
        strategy="sma",
        side=Side.BUY,
        candle_open_time=candles[-1].open_time,
        candle_close_time=candles[-1].close_time,
        price=D(9),
        facts={"fast": "7", "slow": "6.75"},
    )
    assert signal.id == "BTCUSDT:sma:20240101T050000Z:BUY"


@given(names, closes, st.data())
def test_no_strategy_sees_ahead(name: str, prices: list[Decimal], data: st.DataObject) -> None:
    """The signals of a prefix are those of the whole up to there, whatever follows it."""
    candles = series(prices)
    cut = data.draw(st.integers(0, len(candles)))

    whole, prefix = signals_of(source(name), candles), signals_of(source(name), candles[:cut])

    assert prefix == whole[:cut]


@given(names, closes)
def test_only_the_candle_just_closed_is_signalled(name: str, prices: list[Decimal]) -> None:
    """A signal belongs to the candle that was shown last, and the same candles give the same signals."""
    candles = series(prices)

    found = signals_of(source(name), candles)

    assert all(
        signal.candle_open_time == candle.open_time for candle, signal in zip(candles, found, strict=True) if signal
    )
    assert found == signals_of(source(name), candles)


@given(names, closes)
def test_candle_by_candle_equals_all_at_once(name: str, prices: list[Decimal]) -> None:
    """A strategy kept running says of each candle what a fresh one says that is shown the history up to it."""
    candles, running = series(prices), source(name)

    for count, candle in enumerate(candles, start=1):
        assert running.update(candle) == said_by_a_fresh(name, candles[:count], **SMALL)


@needs_data
@pytest.mark.parametrize("name", ["sma", "rsi"])
def test_the_needed_history_settles_real_signals(name: str) -> None:
    """On real candles the last history_needed of them give the very signals that the whole past gives."""
    candles = real_candles("BTCUSDT-1m-20230301-20230321.csv.gz", span=timedelta(minutes=1))[:6000]
    running = load_strategy(name, "BTCUSDT", {})

    found = {count: signal for count, candle in enumerate(candles, start=1) if (signal := running.update(candle))}

    settled = {count: signal for count, signal in found.items() if count >= running.history_needed}
    assert len(settled) > 20
    for count, signal in settled.items():
        again = said_by_a_fresh(name, candles[:count])
        assert again is not None
        assert (again.id, again.price, again.facts) == (signal.id, signal.price, signal.facts)
    for count in range(running.history_needed, len(candles), 13):
        assert (said_by_a_fresh(name, candles[:count]) is None) == (count not in found)


def test_candles_must_come_in_the_order_of_time() -> None:
    """A candle shown twice, or out of order, is an error of the caller and not a silent second opinion."""
    candles = series([1, 2])
    running = source("sma")
    signals_of(running, candles)

    with pytest.raises(ValueError, match="BTCUSDT: candle"):
        running.update(candles[1])


@pytest.mark.parametrize(("name", "needed"), [("sma", 51), ("rsi", 282)])
def test_defaults_are_those_of_the_contract(name: str, needed: int) -> None:
    """Without parameters: SMA 20/50, RSI 14 with 30/70; empty and absent values mean the default."""
    assert load_strategy(name, "BTCUSDT", {}).history_needed == needed
    assert load_strategy(name, "BTCUSDT", {"SMA_SLOW": "", "RSI_PERIOD": None}).history_needed == needed


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("sma", {"SMA_FAST": 50, "SMA_SLOW": 50}, "SMA_FAST 50 must be less than SMA_SLOW 50"),
        ("sma", {"SMA_FAST": 0}, "SMA_FAST must be a positive whole number, not 0"),
        ("sma", {"SMA_SLOW": "9.5"}, "SMA_SLOW must be a positive whole number, not 9.5"),
        ("rsi", {"RSI_PERIOD": -14}, "RSI_PERIOD must be a positive whole number, not -14"),
        ("rsi", {"RSI_OVERSOLD": 70}, "RSI_OVERSOLD 70 must be above 0 and less than RSI_OVERBOUGHT 70"),
        ("rsi", {"RSI_OVERSOLD": 0}, "RSI_OVERSOLD 0 must be above 0"),
        ("rsi", {"RSI_OVERBOUGHT": 100}, "and that less than 100"),
        ("rsi", {"RSI_OVERSOLD": "low"}, "RSI_OVERSOLD must be a number, not 'low'"),
        ("rsi", {"RSI_OVERSOLD": "NaN"}, "RSI_OVERSOLD must be a finite number"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(name: str, params: dict[str, Any], message: str) -> None:
    """A bad parameter is a configuration error (78) that names it."""
    with pytest.raises(ConfigError, match=message) as refused:
        load_strategy(name, "BTCUSDT", params)

    assert refused.value.exit_code == 78


def test_parameters_may_be_texts_as_in_an_env_file() -> None:
    """Settings come as texts or numbers; both read alike."""
    assert load_strategy("sma", "BTCUSDT", {"SMA_SLOW": "100", "SMA_FAST": D(5)}).history_needed == 101


@needs_data
def test_both_strategies_trade_both_ways_on_real_candles() -> None:
    """Over real days of minutes each strategy buys and sells, more than a few times."""
    candles = real_candles("BTCUSDT-1m-20230301-20230321.csv.gz", span=timedelta(minutes=1))

    for name in ("sma", "rsi"):
        found = [signal.side for signal in signals_of(load_strategy(name, "BTCUSDT", {}), candles) if signal]
        assert min(found.count(Side.BUY), found.count(Side.SELL)) > 50

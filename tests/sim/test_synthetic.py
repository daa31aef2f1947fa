"""The market made of a seed."""

from __future__ import annotations

import itertools
import statistics

import pytest

from thunes_cli.sim.bars import DAY, MINUTE, Bar
from thunes_cli.sim.synthetic import FINE_DAYS, synthetic_tape
from thunes_cli.sim.tape import Tape

START = 20_094 * DAY
TICK, STEP = 10**6, 10**3


def tape(seed: int = 7, symbol: str = "BTCUSDT") -> Tape:
    return synthetic_tape(seed, symbol, origin=START - FINE_DAYS * DAY, tick=TICK, step=STEP)


def candles(of: Tape, interval: str, *, now: int = START + DAY) -> list[Bar]:
    return of.candles(interval, begin=None, end=None, limit=1000, now=now)


def test_same_seed_same_candles_whatever_is_asked_first() -> None:
    """Two markets of one seed agree candle by candle although they were looked at in another order."""
    one, other = tape(), tape()

    other.price(START + 3 * DAY)

    assert candles(one, "5m") == candles(other, "5m")
    assert candles(one, "1d") == candles(other, "1d")


def test_other_seeds_and_symbols_differ() -> None:
    """Neither seeds nor symbols share their moves."""
    moves = {
        tuple(bar.close * 1000 // bar.open for bar in candles(tape(seed, symbol), "1h"))
        for seed, symbol in ((7, "BTCUSDT"), (8, "BTCUSDT"), (7, "ETHUSDT"))
    }

    assert len(moves) == 3


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "30m", "1h", "4h", "1d"])
def test_a_thousand_candles_of_history_at_once(interval: str) -> None:
    """At the start every usual length has its thousand candles (a day's worth of days apart)."""
    found = candles(tape(), interval, now=START)

    assert len(found) == 1000
    assert found[-1].open_time <= START


def test_candles_are_sound() -> None:
    """Highs and lows enclose, candles join without holes, prices keep to the tick."""
    found = candles(tape(), "1m")

    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in found)
    assert all(price % TICK == 0 and price > 0 for bar in found for price in bar[1:5])
    assert all(after.open == before.close for before, after in itertools.pairwise(found))
    assert all(after.open_time - before.open_time == MINUTE for before, after in itertools.pairwise(found))


def test_the_past_joins_the_minutes() -> None:
    """The hours before the first minute end at its price."""
    market = tape()

    before = market.candles("1h", begin=None, end=START - FINE_DAYS * DAY - 1, limit=1, now=START)[0]

    assert before.close == market.fine.open[0]


def test_it_moves_like_a_market() -> None:
    """A minute moves by some basis points, a day by some percent, and years do not run away."""
    market = tape()
    days = candles(market, "1d", now=START + 20 * DAY)

    minute = statistics.pstdev(bar.close / bar.open - 1 for bar in candles(market, "1m"))
    ranges = statistics.median(bar.high / bar.low - 1 for bar in days)

    assert 0.0002 < minute < 0.002
    assert 0.01 < ranges < 0.10
    assert max(bar.high for bar in days) < 20 * min(bar.low for bar in days)


def rsi_crossings(closes: list[int]) -> tuple[int, int]:
    """How often Wilder's RSI(14) comes back above 30, and below 70, in the last 576 candles."""
    gains = [max(b - a, 0) for a, b in itertools.pairwise(closes)]
    losses = [max(a - b, 0) for a, b in itertools.pairwise(closes)]
    up, down = sum(gains[:14]) / 14, sum(losses[:14]) / 14
    values = []
    for gain, loss in zip(gains[14:], losses[14:], strict=True):
        up, down = (up * 13 + gain) / 14, (down * 13 + loss) / 14
        values.append(100 - 100 / (1 + up / down) if down else 100.0)
    pairs = list(itertools.pairwise(values))[-576:]
    return sum(a <= 30 < b for a, b in pairs), sum(a >= 70 > b for a, b in pairs)


def sma_crossings(closes: list[int]) -> tuple[int, int]:
    """How often the mean of 20 crosses that of 50 upwards, and downwards, in the last 576 candles."""
    gap = [sum(closes[i - 19 : i + 1]) / 20 - sum(closes[i - 49 : i + 1]) / 50 for i in range(49, len(closes))]
    pairs = list(itertools.pairwise(gap))[-576:]
    return sum(a <= 0 < b for a, b in pairs), sum(a >= 0 > b for a, b in pairs)


def test_default_seed_gives_signals_both_ways_within_two_days() -> None:
    """On five-minute candles RSI and moving averages cross several times each way in the first two days."""
    closes = [bar.close for bar in candles(tape(), "5m", now=START + 2 * DAY)[:-1]]

    assert min(rsi_crossings(closes)) >= 3
    assert min(sma_crossings(closes)) >= 3

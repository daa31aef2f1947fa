"""A market made up from a seed: regimes, trends, swings and jumps. The same seed makes the same candles, for ever.

One-minute candles are generated a day at a time, each day from random numbers of its own, as far as somebody asks.
Before the first of them lie hourly candles, generated backwards from where the minutes begin, so that daily and
weekly candles have a past as well. All arithmetic is on integers, so no platform can differ in the last digit.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass

from thunes_cli.sim.amounts import SCALE
from thunes_cli.sim.bars import DAY, HOUR, MINUTE, BarColumns
from thunes_cli.sim.tape import Tape

# Changes whenever the generator does: a market made by another version would not go on where it stood.
SYNTHETIC_VERSION = 1
# History before trading starts: 1,000 half-hours as minutes, and 1,000 days before them as hours.
FINE_DAYS = 21
PAST_DAYS = 1000
# Picked so that the default seed shows gains, losses and a stop within two days of five-minute candles.
_SALT = 81
_MINUTES = DAY // MINUTE
# A return is counted in ten-millionths of the price.
_PARTS = 10**7


@dataclass(frozen=True, slots=True)
class _Regime:
    """``drift`` a minute, ``noise`` in ten-millionths; ``hours``: least and greatest length; ``weight``: how often."""

    drift: int
    noise: int
    hours: tuple[int, int]
    weight: int


_REGIMES = (
    _Regime(drift=0, noise=240, hours=(2, 9), weight=5),
    _Regime(drift=3600, noise=260, hours=(1, 5), weight=4),
    _Regime(drift=-3600, noise=270, hours=(1, 5), weight=4),
    _Regime(drift=10000, noise=420, hours=(1, 2), weight=1),
    _Regime(drift=-11000, noise=450, hours=(1, 2), weight=1),
    _Regime(drift=0, noise=620, hours=(1, 3), weight=1),
)
_JUMP_ONE_IN = 1500
_LEVELS = {
    "BTCUSDT": 64_000,
    "ETHUSDT": 3_100,
    "BNBUSDT": 590,
    "SOLUSDT": 150,
    "LTCUSDT": 82,
    "XRPUSDT": 1,
    "ADAUSDT": 1,
}
_DEFAULT_LEVEL = 100
# Turnover of an ordinary minute, in quote.
_TURNOVER = 2_000_000
_MEAN_OF_BYTES = 510
_WICK = _PARTS * 10 // 6
_SQUARE = SCALE * SCALE


class SyntheticSymbol:
    """Generates one symbol's candles into columns, a day at a time.

    Args:
        symbol: part of the seed, so that symbols do not move together. ``tick``, ``step``: its grids in
            hundred-millionths. ``origin``: open time of the first minute, a whole day.
    """

    def __init__(self, seed: int, symbol: str, *, origin: int, tick: int, step: int) -> None:
        self._key = f"{_SALT}:{seed}:{symbol}"
        self._tick = tick
        self._step = step
        self._level = _LEVELS.get(symbol, _DEFAULT_LEVEL) * SCALE
        self._price = self._level
        self._regime = _REGIMES[0]
        self._regime_left = 0
        self.fine = BarColumns(MINUTE)
        self._origin = self._next_open = origin

    def grow(self, moment: int) -> None:
        """Generate whole days until ``moment`` is covered."""
        while self._next_open <= moment:
            self._grow_day()

    def past(self) -> BarColumns:
        """Hourly candles that end where the minutes begin, at the price at which they begin."""
        rng = random.Random(f"{self._key}:past")  # noqa: S311 - a market, not a secret
        count = PAST_DAYS * DAY // HOUR
        draws = array("I", rng.randbytes(8 * count))
        level, close = self._level, self._level
        rows: list[tuple[int, int, int, int, int]] = []
        for first, second in zip(draws[::2], draws[1::2], strict=True):
            swing = (first & 0xFF) + (first >> 8 & 0xFF) + (first >> 16 & 0xFF) + (first >> 24) - _MEAN_OF_BYTES
            move = swing * 300 - (level - close) * 2000 // level
            open_ = self._snap(close - close * move // _PARTS)
            wide = close * ((second & 0xFF) * 180 + 4000) // _PARTS
            high = max(self._snap(max(open_, close) + wide), open_, close)
            low = self._snap(min(open_, close) - wide)
            volume = 60 * _TURNOVER * _SQUARE // close
            rows.append((open_, high, min(low, open_, close), close, volume - volume % self._step))
            close = open_
        columns = BarColumns(HOUR)
        columns.extend(self._origin - count * HOUR, rows[::-1])
        return columns

    def _grow_day(self) -> None:
        rng = random.Random(f"{self._key}:{len(self.fine) // _MINUTES}")  # noqa: S311 - a market, not a secret
        draws = array("I", rng.randbytes(8 * _MINUTES))
        columns, level, tick, step = self.fine, self._level, self._tick, self._step
        price = self._price
        rows: list[tuple[int, int, int, int, int]] = []
        for first, second in zip(draws[::2], draws[1::2], strict=True):
            if self._regime_left == 0:
                self._draw_regime(rng)
            self._regime_left -= 1
            drift, noise = self._regime.drift, self._regime.noise
            # The further from its level, the stronger the pull back: a day's trend survives, a year's does not.
            swing = (first & 0xFF) + (first >> 8 & 0xFF) + (first >> 16 & 0xFF) + (first >> 24) - _MEAN_OF_BYTES
            move = (drift + swing * noise) // 10 + (level - price) * 300 // level
            if second % _JUMP_ONE_IN == 0:
                move += (1 if second & 1024 else -1) * (60_000 + second % 90_000)
            close = price + price * move // _PARTS
            close -= close % tick
            close = max(close, tick)
            high, low = (close, price) if close > price else (price, close)
            high += high * (second >> 8 & 0xFF) * noise // _WICK
            low -= low * (second >> 16 & 0xFF) * noise // _WICK
            volume = (40 + (second & 0xFF) + abs(move) // 40) * _TURNOVER // 160 * _SQUARE // close
            rows.append((price, high - high % tick, max(low - low % tick, tick), close, volume - volume % step))
            price = close
        columns.extend(self._next_open, rows)
        self._price = price
        self._next_open += DAY

    def _draw_regime(self, rng: random.Random) -> None:
        draw = rng.randrange(sum(each.weight for each in _REGIMES))
        for regime in _REGIMES:
            draw -= regime.weight
            if draw < 0:
                self._regime = regime
                break
        self._regime_left = rng.randint(regime.hours[0] * 60, regime.hours[1] * 60)

    def _snap(self, price: int) -> int:
        return max(price - price % self._tick, self._tick)


def synthetic_tape(seed: int, symbol: str, *, origin: int, tick: int, step: int) -> Tape:
    """A symbol's market whose first minute opens at ``origin``, a whole UTC day."""
    source = SyntheticSymbol(seed, symbol, origin=origin, tick=tick, step=step)
    source.grow(origin)
    return Tape(source.fine, tick=tick, past=source.past, grow=source.grow)

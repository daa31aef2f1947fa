"""Candles by the ten thousand, in columns of integers: prices and volumes in hundred-millionths, times in ms."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

from thunes_cli.sim.amounts import SCALE

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
# 1970-01-05, the first Monday of the epoch: weekly candles open on Mondays.
_FIRST_MONDAY = 4 * DAY

INTERVALS: dict[str, int] = {
    "1s": SECOND,
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": WEEK,
}
# Trades a candle is said to have had, a volume's worth: the recorded header form does not tell.
_TRADES_MODULUS = 997


class Bar(NamedTuple):
    """One candle. ``quote_volume`` and the taker's share are in hundred-millionths too; ``trades`` is a count."""

    open_time: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    taker_base: int
    taker_quote: int


class Flow(NamedTuple):
    """What Binance's own files tell of a candle beyond its prices and volume."""

    quote_volume: int
    trades: int
    taker_base: int
    taker_quote: int


def floor_open(moment: int, span: int) -> int:
    """The open time of the candle of ``span`` ms that holds ``moment``."""
    if span == WEEK:
        return (moment - _FIRST_MONDAY) // span * span + _FIRST_MONDAY
    return moment // span * span


def guess_flow(open_: int, high: int, low: int, close: int, volume: int) -> Flow:
    """Turnover of a candle of which only prices and volume are known: typical price, takers split by its direction."""
    quote = volume * (open_ + high + low + close) // (4 * SCALE)
    share = 55 if close >= open_ else 45
    return Flow(quote, guess_trades(volume), volume * share // 100, quote * share // 100)


def guess_trades(volume: int) -> int:
    """How many trades a candle is said to have had of which only the volume is known."""
    return 1 + volume * 31 // SCALE % _TRADES_MODULUS if volume else 0


class BarColumns:
    """Candles of one length, oldest first. Gaps are allowed; overlaps are not."""

    __slots__ = ("close", "flow", "high", "interval", "low", "open", "open_time", "volume")

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.open_time = array("q")
        self.open = array("q")
        self.high = array("q")
        self.low = array("q")
        self.close = array("q")
        self.volume: list[int] = []
        self.flow: list[Flow] | None = None

    def __len__(self) -> int:
        return len(self.open_time)

    @property
    def first(self) -> int:
        """Open time of the first candle."""
        return self.open_time[0]

    @property
    def end(self) -> int:
        """First instant after the last candle."""
        return self.open_time[-1] + self.interval

    def append(self, moment: int, prices: tuple[int, int, int, int], volume: int) -> None:
        """Add a candle (open, high, low, close) after the last one."""
        self.open_time.append(moment)
        self.open.append(prices[0])
        self.high.append(prices[1])
        self.low.append(prices[2])
        self.close.append(prices[3])
        self.volume.append(volume)

    def extend(self, moment: int, rows: list[tuple[int, int, int, int, int]]) -> None:
        """Add consecutive candles (open, high, low, close, volume), the first of which opens at ``moment``."""
        self.open_time.extend(range(moment, moment + len(rows) * self.interval, self.interval))
        opens, highs, lows, closes, volumes = zip(*rows, strict=True)
        self.open.extend(opens)
        self.high.extend(highs)
        self.low.extend(lows)
        self.close.extend(closes)
        self.volume.extend(volumes)

    def shift(self, by: int) -> None:
        """Move every candle in time by ``by`` ms."""
        self.open_time = array("q", (moment + by for moment in self.open_time))

    def index_at(self, moment: int) -> int:
        """Index of the last candle that had opened by ``moment``; −1 before the first."""
        return bisect_right(self.open_time, moment) - 1

    def bar(self, index: int) -> Bar:
        """The candle at an index."""
        prices = (self.open[index], self.high[index], self.low[index], self.close[index])
        volume = self.volume[index]
        flow = self.flow[index] if self.flow is not None else guess_flow(*prices, volume)
        return Bar(self.open_time[index], *prices, volume, *flow)

    def trade_counts(self, start: int) -> list[int]:
        """The number of trades of each candle from an index on."""
        if self.flow is not None:
            return [flow.trades for flow in self.flow[start:]]
        return [guess_trades(volume) for volume in self.volume[start:]]

    def merged(self, start: int, stop: int, open_time: int) -> Bar:
        """The candles ``start`` to ``stop`` (excluded, after ``start``) as one that opened at a given time."""
        if stop - start == 1:
            return self.bar(start)._replace(open_time=open_time)
        if self.flow is not None:
            flows = self.flow[start:stop]
            flow = Flow(*(sum(column) for column in zip(*flows, strict=True)))
        else:
            flow = self._guess_flows(start, stop)
        return Bar(
            open_time,
            self.open[start],
            max(self.high[start:stop]),
            min(self.low[start:stop]),
            self.close[stop - 1],
            sum(self.volume[start:stop]),
            *flow,
        )

    def _guess_flows(self, start: int, stop: int) -> Flow:
        quote = trades = base = taken = 0
        for index in range(start, stop):
            each = guess_flow(
                self.open[index], self.high[index], self.low[index], self.close[index], self.volume[index]
            )
            quote += each.quote_volume
            trades += each.trades
            base += each.taker_base
            taken += each.taker_quote
        return Flow(quote, trades, base, taken)

"""The trades of the market itself: made up from its candles, always the same ones, none of them the account's.

A candle with n trades is cut into n slots of equal length. Each slot ends with one trade: at the open's price in the
first slot, at an extreme's where the walk turned in that slot, else where the walk stands. Quantities share the
candle's volume out equally on the symbol's step. So the trades of a closed candle have its open, high, low, close
(four trades need four slots), its volume and its number; as many of them are bought by takers as make up the candle's
taker volume, to about one trade. What the trades paid is not the candle's quote volume: a recording tells only the
sum, the walk only a path.

A market that is sped up tells several trades as one, so that nobody needs to read faster than at speed 1: ids are
then skipped, quantities add up.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from thunes_cli.sim import walk
from thunes_cli.sim.bars import Bar
from thunes_cli.sim.market_clock import MarketClock
from thunes_cli.sim.tape import Tape

# Ids begin here, as if the market had traded long before anybody looked.
_FIRST_ID = 1_000_000_000
_A_SECOND = 50
_A_STEP = 60
_CORNERS = 4


class Print(NamedTuple):
    """One or several trades at one price: ids ``first`` to ``last``, price and quantity in hundred-millionths."""

    first: int
    last: int
    time: int
    price: int
    quantity: int
    buyer_is_maker: bool


def prints_a_candle(clock: MarketClock, interval: int) -> int:
    """How many trades of one walked candle may be told apart: 50 a wall second, 60 a step, never less than 4."""
    if clock.step:
        return _A_STEP
    return max(_CORNERS, int(_A_SECOND * interval / (1000 * clock.speed)))


class Prints:
    """The trades of one symbol.

    Args:
        most: how many of a candle are told apart. ``step``: grid of quantities, in hundred-millionths.
    """

    def __init__(self, tape: Tape, *, most: int, step: int) -> None:
        self._tape = tape
        self._most = most
        self._step = step
        # Trades up to the end of each candle.
        self._counted = array("q")

    def last_id(self, end: int) -> int:
        """Id of the last trade before an instant."""
        self._tape.reach(end)
        fine = self._tape.fine
        index = fine.index_at(end - 1)
        if index < 0:
            return _FIRST_ID
        before, counted = self._counts(index)
        return before + (counted - before) * min(end - fine.open_time[index], fine.interval) // fine.interval

    def since(self, moment: int) -> Iterator[Print]:
        """The trades after an instant, oldest first, as far as the candles reach."""
        fine, interval = self._tape.fine, self._tape.interval
        self._tape.reach(moment + interval)
        index = max(fine.index_at(moment), 0)
        while index < len(fine):
            bar = fine.bar(index)
            count = min(bar.trades, self._most)
            elapsed = min(max(moment - bar.open_time + 1, 0), interval)
            for number in range(count * elapsed // interval, count):
                yield self._print(bar, index, number, count)
            index += 1
            self._tape.reach(bar.open_time + interval)

    def before(self, moment: int) -> Iterator[Print]:
        """The trades up to an instant, newest first."""
        self._tape.reach(moment)
        fine = self._tape.fine
        for index in range(fine.index_at(moment), -1, -1):
            bar = fine.bar(index)
            count = min(bar.trades, self._most)
            happened = count * min(moment - bar.open_time + 1, fine.interval) // fine.interval
            for number in range(happened - 1, -1, -1):
                yield self._print(bar, index, number, count)

    def from_id(self, number: int, now: int) -> Iterator[Print]:
        """The trades with an id or a later one, oldest first, as far as an instant."""
        self._tape.reach(now)
        fine = self._tape.fine
        newest = fine.index_at(now)
        if newest < 0:
            return
        self._counts(newest)
        index = bisect_left(self._counted, number)
        if index > newest:
            return
        for each in self.since(fine.open_time[index] - 1):
            if each.time > now:
                return
            if each.last >= number:
                yield each

    def latest(self, moment: int) -> Print | None:
        """The last trade up to an instant; None before the first."""
        return next(self.before(moment), None)

    def _print(self, bar: Bar, index: int, number: int, count: int) -> Print:
        interval = self._tape.interval
        begin, end = -(-number * interval // count), -(-(number + 1) * interval // count) - 1
        before, _ = self._counts(index)
        sold, stop = bar.trades * number // count, bar.trades * (number + 1) // count
        volume = max(bar.volume, 1)
        buys = (number + 1) * bar.taker_base // volume - number * bar.taker_base // volume
        return Print(
            first=before + sold + 1,
            last=before + stop,
            time=bar.open_time + end,
            price=self._price(bar, number, begin, end),
            quantity=self._share(bar, stop) - self._share(bar, sold),
            buyer_is_maker=buys == 0,
        )

    def _price(self, bar: Bar, number: int, begin: int, end: int) -> int:
        interval = self._tape.interval
        if number == 0 and end < interval - 1:
            return bar.open
        for offset, price in walk.waypoints(bar, interval)[1:3]:
            if begin <= offset <= end < interval - 1:
                return price
        return walk.price_at(bar, interval, end, tick=self._tape.tick)

    def _share(self, bar: Bar, trades: int) -> int:
        """Volume of a candle's first trades."""
        steps = bar.volume // self._step
        if steps < bar.trades:
            return bar.volume * trades // bar.trades
        return bar.volume if trades == bar.trades else steps * trades // bar.trades * self._step

    def _counts(self, index: int) -> tuple[int, int]:
        """The last trade's id before a candle and at its end."""
        if index >= len(self._counted):
            sofar = self._counted[-1] if self._counted else _FIRST_ID
            counts = self._tape.fine.trade_counts(len(self._counted))
            self._counted.extend(list(accumulate(counts, initial=sofar))[1:])
        return self._counted[index - 1] if index else _FIRST_ID, self._counted[index]

"""The path of the price through one candle: a pure function of the time since it opened.

open → first extreme → second extreme → close, each leg a straight line on the tick grid. A candle that closes at or
above its open visits its low first, any other its high first. The last millisecond trades at the close.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple

from thunes_cli.sim.bars import Bar, Flow

_BASIS_POINTS = 10_000


class Trail(NamedTuple):
    """What a trailing order has seen: the extreme price so far, and how many basis points back from it trigger.

    ``falling``: it waits for a fall from the highest price, else for a rise from the lowest.
    """

    extreme: int
    delta: int
    falling: bool

    def after(self, price: int) -> Trail:
        """The trail once a price has been traded at."""
        return self._replace(extreme=max(self.extreme, price) if self.falling else min(self.extreme, price))

    def back_at(self, price: int) -> bool:
        """Whether a price is far enough from the extreme."""
        if self.falling:
            return price * _BASIS_POINTS <= self.extreme * (_BASIS_POINTS - self.delta)
        return price * _BASIS_POINTS >= self.extreme * (_BASIS_POINTS + self.delta)


def waypoints(bar: Bar, interval: int) -> tuple[tuple[int, int], ...]:
    """The path's corners as (ms since the open, price)."""
    first, second = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    return ((0, bar.open), (interval // 3, first), (interval * 2 // 3, second), (interval - 1, bar.close))


def price_at(bar: Bar, interval: int, offset: int, *, tick: int) -> int:
    """The price ``offset`` ms after the open; beyond the candle it is the close."""
    corners = waypoints(bar, interval)
    for (start, here), (end, there) in pairwise(corners):
        if offset < end:
            price = here + (there - here) * (offset - start) // (end - start)
            return max(price - price % tick, bar.low)
    return bar.close


def part(bar: Bar, interval: int, span: tuple[int, int], *, tick: int) -> Bar:
    """What of a candle happened from ``span[0]`` (included) to ``span[1]`` (excluded) ms after its open.

    Volumes are shared out by time such that the parts add up to the whole.
    """
    begin, end = span
    if begin <= 0 and end >= interval:
        return bar
    last = end - 1
    opened = price_at(bar, interval, begin, tick=tick)
    closed = price_at(bar, interval, last, tick=tick)
    seen = [opened, closed, *(price for offset, price in waypoints(bar, interval) if begin <= offset <= last)]

    def share(whole: int) -> int:
        return whole * end // interval - whole * begin // interval

    flow = Flow(*(share(each) for each in (bar.quote_volume, bar.trades, bar.taker_base, bar.taker_quote)))
    return Bar(bar.open_time + begin, opened, max(seen), min(seen), closed, share(bar.volume), *flow)


def joined(bars: list[Bar], open_time: int) -> Bar:
    """Several consecutive candles or parts (at least one) as one."""
    return Bar(
        open_time,
        bars[0].open,
        max(each.high for each in bars),
        min(each.low for each in bars),
        bars[-1].close,
        sum(each.volume for each in bars),
        sum(each.quote_volume for each in bars),
        sum(each.trades for each in bars),
        sum(each.taker_base for each in bars),
        sum(each.taker_quote for each in bars),
    )


def first_touch(bar: Bar, interval: int, span: tuple[int, int], level: int, *, falling: bool, tick: int) -> int | None:
    """The first ms in ``span`` (both ends included) at which the price is at or beyond ``level``.

    ``falling`` asks for a price at or below the level, otherwise at or above it.
    """
    if (bar.low > level) if falling else (bar.high < level):
        return None

    def beyond(offset: int) -> bool:
        price = price_at(bar, interval, offset, tick=tick)
        return price <= level if falling else price >= level

    begin, end = span
    # Within a leg the price moves one way, so each stretch between corners can be bisected.
    stops = [begin, *(offset for offset, _ in waypoints(bar, interval) if begin < offset < end), end]
    for left, right in pairwise(stops):
        if beyond(left):
            return left
        if beyond(right):
            return left + 1 + bisect_left(range(left + 1, right), 1, key=beyond)
    return end if beyond(end) else None


def first_trail(bar: Bar, interval: int, span: tuple[int, int], trail: Trail, *, tick: int) -> tuple[int | None, Trail]:
    """The first ms in ``span`` (both ends included) at which the price has come back far enough from its extreme.

    Also the trail as it is then (or at the end of the span): what the price did before counts for what it does next.
    """
    begin, end = span
    stops = [begin, *(offset for offset, _ in waypoints(bar, interval) if begin < offset < end), end]
    trail = trail.after(price_at(bar, interval, begin, tick=tick))
    if trail.back_at(price_at(bar, interval, begin, tick=tick)):
        return begin, trail
    for left, right in pairwise(stops):
        price = price_at(bar, interval, right, tick=tick)
        if trail.back_at(price):
            here = trail

            def back(offset: int, trail: Trail = here) -> bool:
                return trail.back_at(price_at(bar, interval, offset, tick=tick))

            return left + 1 + bisect_left(range(left + 1, right), 1, key=back), trail
        trail = trail.after(price)
    return None, trail

"""One symbol's market: its candles through time, the price at any instant, and candles of any other length."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from thunes_cli.sim import walk
from thunes_cli.sim.bars import HOUR, INTERVALS, SECOND, Bar, BarColumns, floor_open
from thunes_cli.sim.months import month_open, next_month

_AVERAGE_STEP = 10 * SECOND
# Lengths that may be made of the hours before the walked candles.
_LONG = frozenset({name for name, span in INTERVALS.items() if span >= HOUR} | {"1M"})


class Tape:
    """Recorded or generated candles of one symbol.

    Args:
        fine: the candles that are walked. ``tick``: price grid in hundred-millionths.
        past: makes longer candles that end where ``fine`` begins; only history is made of them, when it is asked for.
        grow: makes sure that ``fine`` reaches beyond an instant (a generated market has no end).
    """

    def __init__(
        self,
        fine: BarColumns,
        *,
        tick: int,
        past: Callable[[], BarColumns] | None = None,
        grow: Callable[[int], None] | None = None,
    ) -> None:
        self.fine = fine
        self.tick = tick
        self._make_past = past
        self._grow = grow
        self._latest: tuple[int, Bar] | None = None

    @property
    def interval(self) -> int:
        """Length in ms of the candles that are walked."""
        return self.fine.interval

    @functools.cached_property
    def past(self) -> BarColumns | None:
        """Candles before the walked ones, or None."""
        return None if self._make_past is None else self._make_past()

    def reach(self, moment: int) -> None:
        """Generate as far as an instant, where the market is generated."""
        if self._grow is not None:
            self._grow(moment)

    def trades_at(self, moment: int) -> bool:
        """Whether a candle covers the instant: false in a gap, before the first and after the last."""
        self.reach(moment)
        index = self.fine.index_at(moment)
        return index >= 0 and moment < self.fine.open_time[index] + self.interval

    def price(self, moment: int) -> int:
        """The last price at an instant; in a gap that of the last candle before it."""
        self.reach(moment)
        bar = self._bar(max(self.fine.index_at(moment), 0))
        return walk.price_at(bar, self.interval, max(moment - bar.open_time, 0), tick=self.tick)

    def _bar(self, index: int) -> Bar:
        """The walked candle at an index; the one asked for last is at hand, for the same one is asked for again."""
        if self._latest is None or self._latest[0] != index:
            self._latest = (index, self.fine.bar(index))
        return self._latest[1]

    def average(self, moment: int, minutes: int) -> int:
        """Average price over the last minutes, volume taken as even in time: the notional filters' reference."""
        begin = max(moment - minutes * 60 * SECOND, self.fine.first)
        samples = [self.price(each) for each in range(begin, moment + 1, _AVERAGE_STEP)] or [self.price(moment)]
        average = sum(samples) // len(samples)
        return max(average, 1)

    def next_open(self, moment: int) -> int | None:
        """Open time of the first candle that opens after an instant, or None when there is none."""
        self.reach(moment + self.interval)
        index = self.fine.index_at(moment) + 1
        return self.fine.open_time[index] if index < len(self.fine) else None

    def first_touch(self, begin: int, end: int, level: int, *, falling: bool) -> int | None:
        """The first instant from ``begin`` to ``end`` (included) with a price at or beyond a level."""
        self.reach(end)
        columns = self.fine
        for index in range(max(columns.index_at(begin), 0), columns.index_at(end) + 1):
            if (columns.low[index] > level) if falling else (columns.high[index] < level):
                continue
            opened = columns.open_time[index]
            span = (max(begin - opened, 0), min(end - opened, self.interval - 1))
            if span[0] > span[1]:
                continue
            bar = columns.bar(index)
            offset = walk.first_touch(bar, self.interval, span, level, falling=falling, tick=self.tick)
            if offset is not None:
                return opened + offset
        return None

    def first_trail(self, begin: int, end: int, trail: walk.Trail) -> tuple[int | None, walk.Trail]:
        """The first instant from ``begin`` to ``end`` (included) at which a trailing order triggers; its trail then."""
        self.reach(end)
        columns = self.fine
        for index in range(max(columns.index_at(begin), 0), columns.index_at(end) + 1):
            opened = columns.open_time[index]
            span = (max(begin - opened, 0), min(end - opened, self.interval - 1))
            if span[0] > span[1]:
                continue
            if span == (0, self.interval - 1):
                # Seen as a whole: not even from its own extreme does it come back far enough.
                adverse, good = columns.low[index], columns.high[index]
                if not trail.falling:
                    adverse, good = good, adverse
                if not (seen := trail.after(good)).back_at(adverse):
                    trail = seen
                    continue
            offset, trail = walk.first_trail(columns.bar(index), self.interval, span, trail, tick=self.tick)
            if offset is not None:
                return opened + offset, trail
        return None, trail

    def candles(
        self, interval: str, *, begin: int | None, end: int | None, limit: int, now: int, zone: int = 0
    ) -> list[Bar]:
        """Candles of an exchange interval, oldest first; the one that ``now`` falls into is still open.

        ``begin`` and ``end`` bound open times (both included). With ``begin`` the oldest ``limit`` candles from there
        are returned, else the newest up to ``end``. Spans in which nothing traded have no candle. ``zone``: ms by
        which the clock is ahead of UTC whose days, weeks and months the candles are.
        """
        self.reach(now)
        first = self.first_open(interval, zone)
        last = min(now, end) if end is not None else now
        if begin is not None:
            return self._collect(_upwards(max(first, begin), last, interval, zone), limit, now, interval, zone)
        return self._collect(_downwards(last, first, interval, zone), limit, now, interval, zone)[::-1]

    def span(self, begin: int, end: int) -> Bar | None:
        """Everything from ``begin`` (included) to ``end`` (excluded) as one candle; None when nothing traded."""
        parts: list[Bar] = []
        if begin < self.fine.first and self.past is not None:
            parts.extend(self._parts(self.past, begin, end))
        if end > self.fine.first:
            parts.extend(self._parts(self.fine, begin, end))
        return walk.joined(parts, begin) if parts else None

    def _parts(self, columns: BarColumns, begin: int, end: int) -> Iterator[Bar]:
        """Whole candles merged in one go, with a cut one before and after."""
        length = columns.interval
        start = max(columns.index_at(begin), 0)
        stop = columns.index_at(end - 1) + 1
        if start < stop and columns.open_time[start] < begin:
            offsets = (begin - columns.open_time[start], min(end - columns.open_time[start], length))
            if offsets[0] < length:
                yield walk.part(columns.bar(start), length, offsets, tick=self.tick)
            start += 1
        cut = start < stop and columns.open_time[stop - 1] + length > end
        whole = stop - 1 if cut else stop
        if start < whole:
            yield columns.merged(start, whole, columns.open_time[start])
        if cut:
            yield walk.part(columns.bar(whole), length, (0, end - columns.open_time[whole]), tick=self.tick)

    def first_open(self, interval: str, zone: int = 0) -> int:
        """The first open time at which a full candle of that length exists."""
        source = self.fine
        if interval in _LONG and self.past is not None:
            source = self.past
        opened = _floor(source.first, interval, zone)
        return opened if opened == source.first else _after(opened, interval, zone)

    def _collect(self, opens: Iterator[int], limit: int, now: int, interval: str, zone: int) -> list[Bar]:
        found: list[Bar] = []
        for opened in opens:
            if len(found) >= limit:
                break
            bar = self.span(opened, min(_after(opened, interval, zone), now + 1))
            if bar is not None:
                found.append(bar)
        return found


def close_time(opened: int, interval: str, zone: int = 0) -> int:
    """The exchange's closeTime: the last ms of the candle that opened then."""
    return _after(opened, interval, zone) - 1


def _floor(moment: int, interval: str, zone: int) -> int:
    there = moment + zone
    return (month_open(there) if interval == "1M" else floor_open(there, INTERVALS[interval])) - zone


def _after(opened: int, interval: str, zone: int) -> int:
    return next_month(opened + zone) - zone if interval == "1M" else opened + INTERVALS[interval]


def _upwards(begin: int, last: int, interval: str, zone: int) -> Iterator[int]:
    opened = _floor(begin, interval, zone)
    if opened < begin:
        opened = _after(opened, interval, zone)
    while opened <= last:
        yield opened
        opened = _after(opened, interval, zone)


def _downwards(last: int, first: int, interval: str, zone: int) -> Iterator[int]:
    opened = _floor(last, interval, zone)
    while opened >= first:
        yield opened
        opened = _floor(opened - 1, interval, zone)

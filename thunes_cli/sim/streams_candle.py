"""The candle that is forming, added up as it forms: what REST shows last, at a cost that does not grow with it."""

from __future__ import annotations

from thunes_cli.sim import walk
from thunes_cli.sim.bars import INTERVALS, Bar, floor_open
from thunes_cli.sim.months import month_open
from thunes_cli.sim.tape import Tape, close_time


def interval_open(moment: int, interval: str) -> int:
    """When the candle of an exchange interval opened that holds ``moment``."""
    return month_open(moment) if interval == "1M" else floor_open(moment, INTERVALS[interval])


def interval_end(opened: int, interval: str) -> int:
    """The first instant after the candle that opened then."""
    return close_time(opened, interval) + 1


class FormingCandle:
    """One candle from its open on. Its whole parts are kept, so each look adds only what is new.

    Cut at the bounds of walked candles, the sums of parts are the sum of the whole to the last digit.
    """

    __slots__ = ("_done", "_done_to", "_tape", "opened")

    def __init__(self, tape: Tape, opened: int) -> None:
        self._tape = tape
        self.opened = opened
        self._done: Bar | None = None
        self._done_to = opened

    def until(self, end: int) -> Bar | None:
        """The candle as it is just before ``end`` (never earlier than the last one asked for); None: no trades yet."""
        self._tape.reach(end)
        whole = floor_open(end, self._tape.interval)
        if whole > self._done_to:
            self._done = self._with(self._tape.span(self._done_to, whole))
            self._done_to = whole
        return self._with(self._tape.span(self._done_to, end)) if end > self._done_to else self._done

    def _with(self, part: Bar | None) -> Bar | None:
        parts = [each for each in (self._done, part) if each is not None]
        return walk.joined(parts, self.opened) if parts else None

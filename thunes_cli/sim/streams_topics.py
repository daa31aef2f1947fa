"""The market streams: what each has to say, and when.

A topic speaks for two reasons. Something happened in the market at an instant of market time (a candle closed, a
trade): that is told exactly once, in order, whatever the speed. Or its period of wall time has passed: then it tells
how things stand. One topic serves all who subscribed to its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from thunes_cli.sim import streams_events as events
from thunes_cli.sim.bars import DAY
from thunes_cli.sim.market import AVERAGE_MINUTES, Listing
from thunes_cli.sim.streams_candle import FormingCandle, interval_end, interval_open
from thunes_cli.sim.streams_message import Message
from thunes_cli.sim.streams_prints import Print, Prints

if TYPE_CHECKING:
    from thunes_cli.sim.ws_connection import Connection

Shape = Callable[[str, Print, int], object]


class Topic(ABC):
    """One stream. ``period``: wall seconds between regular updates, None for a stream of events alone."""

    period: ClassVar[float | None] = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscribers: dict[Connection, None] = {}

    def due(self) -> int | None:
        """The instant of market time at which :meth:`happen` is to be called next, or None."""
        return None

    def happen(self, at: int) -> Iterable[Message]:
        """What happened at the instant that was due; of a topic that is never due, nothing."""
        del at
        return ()

    @abstractmethod
    def update(self, now: int) -> Iterable[Message]:
        """How things stand."""

    def publish(self, messages: Iterable[Message]) -> None:
        """Hand messages to every subscriber."""
        for message in messages:
            for connection in self.subscribers:
                connection.deliver(message)


class KlineTopic(Topic):
    """Candles of an interval: the forming one every two seconds (every second for ``1s``), each closed one once."""

    period: ClassVar[float | None] = 2.0

    def __init__(self, name: str, listing: Listing, interval: str, prints: Prints, now: int) -> None:
        super().__init__(name)
        self._symbol = listing.spec.symbol
        self._tape = listing.tape
        self._interval = interval
        self._prints = prints
        self._tape.reach(now)
        self._candle = FormingCandle(self._tape, interval_open(now, interval))
        # REST shows no candle of which the market has only the end.
        self._shown = self._candle.opened >= self._tape.first_open(interval)

    def due(self) -> int:
        """The first instant of the next candle."""
        return interval_end(self._candle.opened, self._interval)

    def happen(self, at: int) -> Iterable[Message]:
        """The candle has closed."""
        closed = list(self._tell(at, at, closed=True))
        self._candle, self._shown = FormingCandle(self._tape, at), True
        return closed

    def update(self, now: int) -> Iterable[Message]:
        """The forming candle."""
        return self._tell(now + 1, now, closed=False)

    def _tell(self, end: int, moment: int, *, closed: bool) -> Iterable[Message]:
        if end <= self._candle.opened or not self._shown:
            return ()
        bar = self._candle.until(end)
        if bar is None:
            return ()
        last_id = self._prints.last_id(end)

        def build(unit: int) -> object:
            return events.kline(
                self._symbol, self._interval, bar, last_id=last_id, closed=closed, moment=moment, unit=unit
            )

        return (Message(self.name, build),)


class SecondKlineTopic(KlineTopic):
    """One-second candles, which are updated every second."""

    period: ClassVar[float | None] = 1.0


class TradeTopic(Topic):
    """Every trade of the market, at its instant."""

    def __init__(self, name: str, listing: Listing, prints: Prints, now: int, *, shape: Shape) -> None:
        super().__init__(name)
        self._symbol = listing.spec.symbol
        self._prints = prints
        self._shape = shape
        self._coming = prints.since(now)
        self._next = next(self._coming, None)

    def due(self) -> int | None:
        """When the next trade takes place."""
        return None if self._next is None else self._next.time

    def happen(self, at: int) -> Iterable[Message]:
        """The trades of that ms."""
        told = []
        while self._next is not None and self._next.time <= at:
            told.append(self._message(self._next))
            self._next = next(self._coming, None)
        return told

    def update(self, now: int) -> Iterable[Message]:
        """The last trade once more; only a burst asks for it."""
        last = self._prints.latest(now)
        return () if last is None else (self._message(last),)

    def _message(self, each: Print) -> Message:
        return Message(self.name, lambda unit: self._shape(self._symbol, each, unit))


class MiniTickerTopic(Topic):
    """The last 24 hours of some symbols, those that changed; an array or a single symbol."""

    period: ClassVar[float | None] = 1.0

    def __init__(self, name: str, listings: Iterable[Listing], *, as_array: bool) -> None:
        super().__init__(name)
        self._listings = tuple(listings)
        self._as_array = as_array
        self._told: dict[str, object] = {}

    def update(self, now: int) -> Iterable[Message]:
        """A single symbol each time; an array of what changed."""
        days = []
        for listing in self._listings:
            symbol = listing.spec.symbol
            listing.tape.reach(now)
            day = listing.tape.span(now - DAY + 1, now + 1)
            if day is not None and not (self._as_array and self._told.get(symbol) == day):
                days.append((symbol, day))
                self._told[symbol] = day
        if not days:
            return ()

        def build(unit: int) -> object:
            shown = [events.mini_ticker(symbol, day, now, unit) for symbol, day in days]
            return shown if self._as_array else shown[0]

        return (Message(self.name, build),)


class AveragePriceTopic(Topic):
    """The average price of the filters, every second."""

    period: ClassVar[float | None] = 1.0

    def __init__(self, name: str, listing: Listing, prints: Prints) -> None:
        super().__init__(name)
        self._listing = listing
        self._prints = prints

    def update(self, now: int) -> Iterable[Message]:
        """The average as it stands."""
        price, last = self._listing.average(now), self._prints.latest(now)

        def build(unit: int) -> object:
            return events.average_price(
                self._listing.spec.symbol,
                price,
                minutes=AVERAGE_MINUTES,
                last_trade=now if last is None else last.time,
                moment=now,
                unit=unit,
            )

        return (Message(self.name, build),)

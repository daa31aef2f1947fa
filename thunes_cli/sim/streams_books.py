"""The market streams that look at the order book: best bid and ask, the levels behind them, the day's ticker."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import ClassVar

from thunes_cli.sim import streams_events as events
from thunes_cli.sim.amounts import ZERO
from thunes_cli.sim.bars import DAY
from thunes_cli.sim.book import Book, Level
from thunes_cli.sim.engine import Engine
from thunes_cli.sim.market import Listing
from thunes_cli.sim.streams_message import Message
from thunes_cli.sim.streams_prints import Prints
from thunes_cli.sim.streams_topics import Topic

FAST = 0.1
SLOW = 1.0


class BookTopic(Topic):
    """A stream of one symbol's book. Update ids are market time in ms, as REST's, but never the same one twice."""

    def __init__(self, name: str, listing: Listing, engine: Engine) -> None:
        super().__init__(name)
        self._listing = listing
        self._engine = engine
        self._update_id = 0

    def _look(self, now: int) -> Book:
        return self._engine.book(self._listing, now)

    def _next_id(self, now: int) -> int:
        self._update_id = max(now, self._update_id + 1)
        return self._update_id

    def _said(self, value: object) -> tuple[Message]:
        return (Message(self.name, lambda _: value),)


class BookTickerTopic(BookTopic):
    """Best bid and ask whenever one of them changed: looked at ten times a second."""

    period: ClassVar[float | None] = FAST

    def __init__(self, name: str, listing: Listing, engine: Engine) -> None:
        super().__init__(name, listing, engine)
        self._told: tuple[object, object] | None = None

    def update(self, now: int) -> Iterable[Message]:
        """The best prices, if they are news."""
        book = self._look(now)
        best = (events.best(book.bids), events.best(book.asks))
        if best == self._told:
            return ()
        self._told = best
        return self._said(events.book_ticker(self._listing.spec.symbol, book, self._next_id(now)))


class PartialDepthTopic(BookTopic):
    """The first levels of the book, changed or not."""

    period: ClassVar[float | None] = SLOW

    def __init__(self, name: str, listing: Listing, engine: Engine, *, levels: int) -> None:
        super().__init__(name, listing, engine)
        self._levels = levels

    def update(self, now: int) -> Iterable[Message]:
        """The levels as they stand."""
        return self._said(events.partial_depth(self._look(now), self._levels, self._next_id(now)))


class FastPartialDepthTopic(PartialDepthTopic):
    """The same, ten times a second."""

    period: ClassVar[float | None] = FAST


class DepthTopic(BookTopic):
    """What changed in the book since the last event; the first one tells nothing that was there before.

    A client starts from a book REST has shown it between two events. That one may have levels neither of the two had,
    so its changes are told as well: else those levels would stay in the client's book for ever.
    """

    period: ClassVar[float | None] = SLOW

    def __init__(self, name: str, listing: Listing, engine: Engine, now: int) -> None:
        super().__init__(name, listing, engine)
        self._told = self._look(now)
        self._update_id = now

    def update(self, now: int) -> Iterable[Message]:
        """Levels that are new, different or gone (quantity zero)."""
        book = self._look(now)
        since = [self._told, *(shown for number, shown in self._listing.shown if number >= self._update_id)]
        bids = _changes([each.bids for each in since], book.bids)
        changed = (bids, _changes([each.asks for each in since], book.asks))
        if not any(changed):
            return ()
        self._told = book
        ids = (self._update_id + 1, self._next_id(now))
        symbol = self._listing.spec.symbol
        return (Message(self.name, lambda unit: events.depth_update(symbol, changed, ids, now * unit)),)


class FastDepthTopic(DepthTopic):
    """The same, ten times a second."""

    period: ClassVar[float | None] = FAST


class TickerTopic(BookTopic):
    """The last 24 hours with the best prices, every second."""

    period: ClassVar[float | None] = SLOW

    def __init__(self, name: str, listing: Listing, engine: Engine, *, prints: Prints) -> None:
        super().__init__(name, listing, engine)
        self._prints = prints

    def update(self, now: int) -> Iterable[Message]:
        """The day as it stands."""
        tape = self._listing.tape
        tape.reach(now)
        day, last = tape.span(now - DAY + 1, now + 1), self._prints.latest(now)
        if day is None or last is None:
            return ()
        book, symbol = self._look(now), self._listing.spec.symbol
        return (Message(self.name, lambda unit: events.ticker(symbol, day, book, last, moment=now, unit=unit)),)


def _changes(before: Iterable[tuple[Level, ...]], after: tuple[Level, ...]) -> list[Level]:
    """The levels of now that differ from one of the books before, and those of before that are gone."""
    now: dict[Decimal, Decimal] = dict(after)
    changed = {price: now.get(price, ZERO) for level in before for price, _ in set(level) ^ set(after)}
    return [Level(price, quantity) for price, quantity in changed.items()]

"""What happens next to an order that is open: pure functions of the order, its symbol's market and the time.

A resting order is filled as maker, at its own price, by whoever comes with a worse one: at the instant at which the
price reaches it, as much as the opposite levels within its limit hold, and once a second from then on as long as the
price stays there. An order that waits for its price begins to work at the instant the price comes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.model import Side
from thunes_cli.sim.amounts import to_scaled
from thunes_cli.sim.book import REFILL_MS, BookShape, highest_price_with_ask, lowest_price_with_bid, make_book
from thunes_cli.sim.market import Listing
from thunes_cli.sim.matching import opposite, take_quantity, within
from thunes_cli.sim.orders import SimOrder
from thunes_cli.sim.walk import Trail


class Happening(enum.Enum):
    """What an open order may meet."""

    FILL = enum.auto()
    TRIGGER = enum.auto()
    TRACK = enum.auto()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to an open order at an instant; ``quantity`` is what a FILL executes."""

    moment: int
    happening: Happening
    quantity: Decimal | None = None


def waits_above(order_type: str, side: Side) -> bool:
    """Whether an order of a type waits for a price above the market (else below it)."""
    return (side is Side.BUY) == order_type.startswith("STOP_LOSS")


class Watch:
    """Finds the next event of open orders. What a trailing order has seen is kept between looks, and found again."""

    def __init__(self, shape: BookShape) -> None:
        self._shape = shape
        self._trails: dict[tuple[str, int], tuple[int, Trail]] = {}

    def forget(self, order: SimOrder) -> None:
        """The order is not open any more, or has begun to work."""
        self._trails.pop((order.symbol, order.order_id), None)

    def forget_all(self) -> None:
        """No order is open any more."""
        self._trails.clear()

    def next_event(self, listing: Listing, order: SimOrder, since: int, now: int) -> Event | None:
        """The first event of an order in the span from ``since`` to ``now`` (both included), or None."""
        if order.working:
            return self._next_fill(listing, order, since, now)
        if order.trailing_delta is not None and order.trailing_time is not None:
            return self._next_turn(listing, order, now)
        rising = waits_above(order.type, order.side)
        moment = _first_touch(listing, max(since, order.update_time), now, to_scaled(order.stop_price), rising=rising)
        if moment is None:
            return None
        return Event(moment, Happening.TRIGGER if order.trailing_delta is None else Happening.TRACK)

    def _next_turn(self, listing: Listing, order: SimOrder, now: int) -> Event | None:
        assert order.trailing_delta is not None
        assert order.trailing_time is not None
        key = (order.symbol, order.order_id)
        if key in self._trails:
            walked, trail = self._trails[key]
        else:
            walked = order.trailing_time
            start = listing.tape.price(walked)
            trail = Trail(start, order.trailing_delta, falling=order.side is Side.SELL)
        for begin, end in listing.open_spans(walked, now):
            moment, trail = listing.tape.first_trail(begin, end, trail)
            if moment is not None:
                return Event(moment, Happening.TRIGGER)
        self._trails[key] = (now, trail)
        return None

    def _next_fill(self, listing: Listing, order: SimOrder, since: int, now: int) -> Event | None:
        met = order.update_time
        begin = max(since, _next_second(met) if order.executed_qty else met)
        moment = self._first_within(listing, order, begin, now)
        if moment is not None and moment == order.working_time:
            # What there was within its limit when it came has been taken.
            moment = self._first_within(listing, order, _next_second(moment), now)
        if moment is None:
            return None
        book = make_book(listing.price(moment), listing.spec, self._shape)
        offered = within(opposite(book, order.side), order.side, order.price)
        return Event(moment, Happening.FILL, take_quantity(offered, order.left).quantity)

    def _first_within(self, listing: Listing, order: SimOrder, begin: int, now: int) -> int | None:
        """The first instant at which the opposite side of the book is within the order's limit."""
        buying = order.side is Side.BUY
        reach = highest_price_with_ask if buying else lowest_price_with_bid
        level = reach(order.price, listing.spec, self._shape)
        return _first_touch(listing, begin, now, to_scaled(level), rising=not buying)


def _first_touch(listing: Listing, begin: int, end: int, level: int, *, rising: bool) -> int | None:
    for first, last in listing.open_spans(begin, end):
        moment = listing.tape.first_touch(first, last, level, falling=not rising)
        if moment is not None:
            return moment
    return None


def _next_second(moment: int) -> int:
    return (moment // REFILL_MS + 1) * REFILL_MS

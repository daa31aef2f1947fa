"""Killed between any two steps of an order's life, the next start takes it up: nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_room import Room, open_room
from fork_server import Killing

from thunes_cli.model import OrderState, Side

_LIFE = ("intent.before", "head.after")  # from the decision to the trail's head after the booking
# What the quick version kills at: each border of the way of a signal once, and the drain after the booking.
_BORDERS = (
    *("intent.before", "intent.after", "sent.before", "sent.after"),
    *("request.before", "request.torn", "request.after", "reply.before", "reply.after"),
    *("booked.before", "booked.after"),
)
_DRAIN = ("trail.before", "trail.torn", "trail.after", "sync.after", "head.before", "head.after")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A home that has traded once."""
    with open_room(tmp_path_factory.mktemp("crash"), candles=4000) as made:
        made.settle()
        yield made


_TRIES = 3


def events_of(room: Room, side: Side) -> tuple[str, ...]:
    """What a run that makes an order of a side comes by."""
    room.await_signal(side)
    ended = room.once()
    assert ended.code == 0, room.said
    assert room.orders()[-1].side is side
    assert room.orders()[-1].state is OrderState.FILLED
    return ended.events


def life(events: tuple[str, ...]) -> range:
    """The numbers (from 1) of an order's own events."""
    first = events.index(_LIFE[0])
    last = len(events) - 1 - events[::-1].index(_LIFE[1])
    return range(first + 1, last + 2)


def was_killed_at(room: Room, side: Side, number: int, event: str) -> bool:
    """Kill a run at one of its events, restart until all is settled, and prove that all is well.

    Now and then a run has something more to do (the hour's comparison, a fee to value), and dies elsewhere: all must be
    well then too, and the event is tried again. False when it never died there.
    """
    return any(_killed_at(room, side, number) == event for _ in range(_TRIES))


def _killed_at(room: Room, side: Side, number: int) -> str:
    room.await_signal(side)
    before = len(room.orders())

    ended = room.once(Killing(at=number))

    assert ended.code == -9
    room.settle()
    room.prove()
    orders = [order for order in room.orders()[before:] if order.side is side]
    bought = sum(order.state is OrderState.FILLED for order in orders)
    assert bought == 1 if side is Side.SELL else bought <= 1
    return ended.events[-1]


@pytest.mark.parametrize("side", list(Side))
def test_each_border_of_an_orders_life(room: Room, side: Side) -> None:
    """Decision, drain, SENT, first byte, reply, booking, head: before and after, torn where it can be torn."""
    events = events_of(room, side)
    numbers = [events.index(name) + 1 for name in _BORDERS]
    booked = events.index("booked.after")
    numbers += [events.index(name, booked) + 1 for name in _DRAIN]

    for number in numbers:
        assert was_killed_at(room, side, number, events[number - 1])


@pytest.mark.long
@pytest.mark.parametrize("side", list(Side))
def test_every_event_of_an_orders_life(room: Room, side: Side) -> None:
    """As above, at every single event from the decision to the end of the booking's drain."""
    events = events_of(room, side)

    for number in life(events):
        assert was_killed_at(room, side, number, events[number - 1])


@pytest.mark.long
def test_every_event_of_a_first_run(tmp_path: Path) -> None:
    """The very first contact may die anywhere too: account, baseline and trail are whole after the next."""
    with open_room(tmp_path / "reference") as made:
        made.await_signal(Side.BUY)
        count = len(made.once().events)
    for number in range(1, count + 1):
        with open_room(tmp_path / f"at-{number}") as made:
            made.await_signal(Side.BUY)
            assert made.once(Killing(at=number)).code == -9
            made.settle()
            made.prove()

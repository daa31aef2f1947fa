"""Whatever the network makes of an order or of its answer: at most one order a signal, and every exit goes out once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bad_proxy import FAULTS, BadProxy
from crash_room import Room, open_room
from fork_server import Killing

from thunes_cli.model import OrderState, Side


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, BadProxy]]:
    """A home whose way to the exchange leads through the proxy."""
    directory = tmp_path_factory.mktemp("proxied")
    proxies: list[BadProxy] = []

    def between(url: str) -> str:
        proxies.append(BadProxy(url))
        return proxies[0].url

    with open_room(directory, candles=4000, between=between, REQUEST_TIMEOUT_SECONDS="0.3") as room:
        room.settle()
        yield room, proxies[0]
        proxies[0].close()


def trade_through(
    room: Room, proxy: BadProxy, side: Side, *faults: str, lookups: tuple[str, ...] = ()
) -> list[OrderState]:
    """One signal through a bad network: all is settled in the end, and a position that was to be left is sold.

    Returns what became of the orders of that side; with the candle that an exit is done on another position may begin.
    """
    room.await_signal(side)
    before = len(room.orders())
    left = {position.id for position in room.open_positions()}
    proxy.faults.extend(faults)
    proxy.lookup_faults.extend(lookups)

    ended = room.once()

    assert ended.code == 0, room.said
    room.settle()
    while left & {position.id for position in room.open_positions()}:
        room.step()
        room.settle()
    assert not proxy.faults
    proxy.lookup_faults.clear()
    room.prove()
    return [order.state for order in room.orders()[before:] if order.side is side]


@pytest.mark.parametrize("side", list(Side))
def test_every_fault_of_the_network(rooms: tuple[Room, BadProxy], side: Side) -> None:
    """Connections that break before and after, answers that are none: asked, never sent again."""
    room, proxy = rooms
    for fault in FAULTS:
        states = trade_through(room, proxy, side, fault)

        assert set(states) <= {OrderState.FILLED, OrderState.NOT_PLACED}, fault
        assert states.count(OrderState.FILLED) == 1 or side is Side.BUY, fault


def test_an_exit_that_is_swallowed_again_and_again(rooms: tuple[Room, BadProxy]) -> None:
    """Attempt after attempt lost on the way, and one executed of which the answer is lost: sold once."""
    states = trade_through(*rooms, Side.SELL, "reset_before", "close_before", "reset_before", "timeout_1007_after")

    assert states == [OrderState.NOT_PLACED] * 3 + [OrderState.FILLED]


@pytest.mark.parametrize("side", list(Side))
def test_answers_about_the_order_that_prove_nothing(rooms: tuple[Room, BadProxy], side: Side) -> None:
    """A lagging source, an outage and a broken connection while asking: none of them is taken for "not placed"."""
    lookups = ("lag", "http_503", "lag", "reset_before", "lag", "lag", "lag")

    assert trade_through(*rooms, side, "reset_after", lookups=lookups) == [OrderState.FILLED]


def test_killed_while_in_doubt(rooms: tuple[Room, BadProxy]) -> None:
    """A bad network and kills together."""
    room, proxy = rooms
    for number, fault in enumerate(("reset_after", "reset_before", "http_503_after", "hang_before")):
        for side in Side:
            room.await_signal(side)
            proxy.faults.append(fault)
            room.once(Killing(on="unknown.before"))
            room.once(Killing(at=11 + 2 * number))
            room.settle()
            assert not proxy.faults
    room.prove()


def test_states_that_were_met(rooms: tuple[Room, BadProxy]) -> None:
    """The faults above led to doubt, and doubt to both of its ends."""
    room, proxy = rooms
    for side in Side:
        trade_through(room, proxy, side, "reset_after")
        trade_through(room, proxy, side, "reset_before")

    assert {order.state for order in room.orders()} >= {OrderState.FILLED, OrderState.NOT_PLACED}

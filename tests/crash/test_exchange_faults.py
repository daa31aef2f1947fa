"""Every fault of the simulated exchange that makes an outcome uncertain, and a symbol that is halted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crash_room import SYMBOL, Room, open_room

from thunes_cli.model import OrderState, Side

FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "http_503_before"},
    {"kind": "http_503_after"},
    {"kind": "timeout_1007_after"},
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    {"kind": "hang_before"},
    {"kind": "hang_after"},
    {"kind": "slow_body", "path": "POST /api/v3/order", "ms": 100},
    {"kind": "json_list", "path": "POST /api/v3/order"},
    {"kind": "partial_expire"},
    {"kind": "lookup_lag", "ms": 0, "queries": 5},
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A home that has traded once."""
    directory = tmp_path_factory.mktemp("faults")
    with open_room(directory, candles=4000, REQUEST_TIMEOUT_SECONDS="0.5") as made:
        made.settle()
        yield made


def trade_with(room: Room, side: Side, *faults: dict[str, object], runs: int = 60) -> list[OrderState]:
    """One signal while faults wait: settled in the end, what was to be left is sold, the books agree.

    Returns what became of the orders that were made meanwhile.
    """
    room.await_signal(side)
    before = len(room.orders())
    left = {position.id for position in room.open_positions()}
    for fault in faults:
        room.post("/sim/fault", dict(fault))

    room.once()

    room.post("/sim/faults/clear", {})
    room.settle(most=runs)
    for _ in range(60):
        if not left & {position.id for position in room.open_positions()}:
            break
        room.step()
        room.settle()
    assert not left & {position.id for position in room.open_positions()}
    room.prove()
    return [order.state for order in room.orders()[before:]]


@pytest.mark.parametrize("side", list(Side))
def test_a_book_that_runs_dry(room: Room, side: Side) -> None:
    """Half is bought, and held; half is sold, and the rest a moment later."""
    assert OrderState.EXPIRED in trade_with(room, side, {"kind": "partial_expire"})


@pytest.mark.long
@pytest.mark.parametrize("side", list(Side))
def test_a_lost_answer_and_a_source_that_lags(room: Room, side: Side) -> None:
    """Executed, the answer lost, and the next questions are answered "no such order"."""
    states = trade_with(room, side, {"kind": "lookup_lag", "ms": 0, "queries": 5}, {"kind": "reset_after"})

    assert states == [OrderState.FILLED]


@pytest.mark.long
@pytest.mark.parametrize("side", list(Side))
def test_every_fault(room: Room, side: Side) -> None:
    """All of them, one after the other."""
    for fault in FAULTS:
        states = trade_with(room, side, fault)

        assert states, fault
        assert not any(state.live for state in states), fault


@pytest.mark.long
@pytest.mark.parametrize("side", list(Side))
def test_a_firewall_that_answers_instead(room: Room, side: Side) -> None:
    """A 403 keeps everything off the exchange for a minute, the question what became of the order included."""
    states = trade_with(room, side, {"kind": "html_403", "path": "POST /api/v3/order"}, runs=600)

    assert states[0] is OrderState.NOT_PLACED


def test_an_hour_of_halt(room: Room) -> None:
    """A position that is to be left while its symbol is halted: few attempts, one alert, sold after."""
    room.await_signal(Side.SELL)
    (position,) = room.open_positions()
    room.post("/sim/fault", {"kind": "halt", "symbol": SYMBOL})

    for _ in range(20):
        assert room.once().code == 0, room.said
        room.step(3)
    attempts = [order for order in room.orders() if order.position_id == position.id and order.side is Side.SELL]
    alerts = room.home.rows("SELECT count(*) FROM alerts WHERE kind = 'exit_blocked'")[0][0]
    room.post("/sim/symbol", {"symbol": SYMBOL, "status": "TRADING"})
    for _ in range(10):
        room.step()
        room.settle()

    assert len(attempts) <= 8
    assert alerts == 1
    assert position.id not in {held.id for held in room.open_positions()}
    assert room.prove()[OrderState.FILLED]

"""A wall clock that is set, on which market time is reckoned, does not make an order a stranger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from trading_room import BUY_NOW, Room

from thunes_cli.clock import Anchor
from thunes_cli.exchange.failures import Rejected, TimestampRejected
from thunes_cli.model import ExitReason, OrderState, PositionStatus, Rejection, Side


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "back"])
def test_exit_decided_while_the_clock_was_wrong_is_booked(holding: Room, step: timedelta) -> None:
    """The exchange refuses the wrong time; sent again with the right one, the sale is ours, whatever we noted first."""
    holding.engine._exits.want(holding.positions()[0], ExitReason.OPERATOR)
    clock = holding.journal.clock
    right = clock.anchor
    clock.set_anchor(right._replace(market=right.market + step))
    holding.exchange.script = [TimestampRejected("outside of the recvWindow", -1021)]
    holding.engine._execution._resync = lambda: clock.set_anchor(
        Anchor(wall=right.wall, market=right.market, speed=right.speed)
    )
    holding.engine.stop_check()

    assert [order.state for order in holding.orders() if order.side is Side.SELL] == [OrderState.FILLED]
    assert holding.positions()[0].status is PositionStatus.CLOSED


def set_back(room: Room, step: timedelta = timedelta(hours=2)) -> None:
    """The machine's clock had stood ahead, and is right now; the exchange's, and what has really passed, go on."""
    clock = room.journal.clock
    market = clock.now()
    room.time.wall -= step
    clock.set_anchor(Anchor(wall=room.time.wall, market=market, speed=clock.speed))


def test_a_clock_that_is_set_back_holds_no_exit_back(holding: Room) -> None:
    """The next attempt was noted for a time two hours ahead; nobody waits for it."""
    holding.engine._exits.want(holding.positions()[0], ExitReason.OPERATOR)
    holding.exchange.script = [Rejected("Filter failure: LOT_SIZE", -1013)]
    holding.engine.stop_check()
    assert holding.positions()[0].status is PositionStatus.OPEN
    holding.engine.stop_check()
    assert holding.positions()[0].status is PositionStatus.OPEN  # the first back-off is not over

    set_back(holding)
    holding.engine.stop_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_a_clock_that_is_set_back_delays_no_question(room: Room) -> None:
    """An order in doubt is asked for as soon as without it."""
    room.exchange.script = ["unknown_after"]
    room.show(BUY_NOW)
    room.engine.signal_check()
    room.exchange.down = True
    room.resolver.resolve_due()
    assert room.orders()[0].state is OrderState.UNKNOWN
    room.exchange.down = False
    assert room.resolver.resolve_due() == 1  # the next second is not over

    set_back(room)

    assert room.resolver.resolve_due() == 0
    assert room.orders()[0].state is OrderState.FILLED


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (timedelta(days=1), Rejection.CLOCK_SKEW),
        (timedelta(seconds=2), Rejection.CLOCK_SKEW),
        (timedelta(days=-1), None),
    ],
    ids=["ahead", "a little", "back"],
)
def test_nothing_is_bought_by_a_clock_that_was_just_set(room: Room, step: timedelta, reason: Rejection | None) -> None:
    """Before anybody has looked at the clock: another day has another loss limit. Set back, no candle is closed yet."""
    room.show(BUY_NOW)
    room.time.wall += step

    (tick,) = room.engine.signal_check()

    assert tick.reason == reason
    assert room.orders() == []

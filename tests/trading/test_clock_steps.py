"""A wall clock that is set, on which market time is reckoned, does not make an order a stranger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from trading_room import Room

from thunes_cli.clock import Anchor
from thunes_cli.exchange.failures import TimestampRejected
from thunes_cli.model import ExitReason, OrderState, PositionStatus, Side


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

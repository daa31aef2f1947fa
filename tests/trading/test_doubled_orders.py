"""Somebody between us and the exchange sends an order twice: two carry one client id, and one of them is ours."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from reconcile_room import kinds, look, reconciler
from trading_room import BUY_NOW, HOUR, SELL_NOW, Room

from thunes_cli.ledger.identity import parse_client_order_id
from thunes_cli.model import ClientOrderId, MarketOrder, Order, OrderState, Side
from thunes_cli.trading.rebuild_survey import survey


def in_doubt(room: Room, side: Side) -> Order:
    """An order that was executed, of which the answer was lost."""
    if side is Side.SELL:
        room.show(BUY_NOW)
        room.engine.signal_check()
        room.pass_by(HOUR)
    room.exchange.script = ["unknown_after"]
    room.show(BUY_NOW if side is Side.BUY else SELL_NOW)
    room.engine.signal_check()
    return room.orders()[-1]


def send_again(room: Room, order: Order) -> None:
    """The same request, executed a second time."""
    wire = MarketOrder(
        order.symbol,
        order.side,
        order.client_order_id,
        quantity=order.requested_base,
        quote_quantity=order.requested_quote,
    )
    twin = room.exchange._execute(wire, room.journal.clock.now(), share=Decimal(1))
    room.exchange.reports[f"{order.client_order_id} again"] = twin


@pytest.mark.parametrize("side", list(Side))
def test_only_one_of_the_two_is_booked(room: Room, side: Side) -> None:
    """The other one is somebody else's, and said to be; no position is ever less than nothing."""
    order = in_doubt(room, side)
    send_again(room, order)
    held = room.exchange.reports[order.client_order_id]

    worker = reconciler(room)
    for _ in range(2):
        worker.settle(look(room))

    booked = room.orders()[-1]
    assert (booked.state, booked.executed_qty) == (OrderState.FILLED, held.executed_qty)
    assert booked.exchange_order_id == held.order_id
    assert all(position.quantity >= 0 for position in room.positions())
    assert "other_copy" in kinds(room)


def test_the_twin_does_not_stand_in_for_an_order_that_is_known(room: Room) -> None:
    """Asked by client id, the exchange shows the newest: ours is the one whose number we know."""
    order = in_doubt(room, Side.BUY)
    own = room.exchange.reports[order.client_order_id]
    room.exchange.reports[order.client_order_id] = replace(own, status="NEW", executed_qty=Decimal(0), trades=())
    room.resolver.resolve_due()
    assert room.orders()[-1].state is OrderState.ACKED
    send_again(room, order)
    twin = room.exchange.reports[f"{order.client_order_id} again"]
    room.exchange.reports = {"own": own, order.client_order_id: twin}

    for _ in range(30):
        room.pass_by(HOUR / 3600)
        room.resolver.resolve_due()

    booked = room.orders()[-1]
    assert (booked.state, booked.exchange_order_id) == (OrderState.FILLED, own.order_id)
    assert room.positions()[0].quantity == own.executed_qty - own.trades[0].commission


def test_a_cancelled_order_is_known_by_its_number(room: Room) -> None:
    """Cancelled by hand half done, it carries its cancel's client id: its fill is booked all the same."""
    order = in_doubt(room, Side.BUY)
    own = room.exchange.reports[order.client_order_id]
    room.exchange.reports[order.client_order_id] = replace(own, status="NEW", executed_qty=Decimal(0), trades=())
    room.resolver.resolve_due()
    assert room.orders()[-1].state is OrderState.ACKED
    cancelled = replace(own, client_order_id=ClientOrderId("web_cancel"), status="CANCELED")
    room.exchange.reports = {"web_cancel": cancelled}
    assert kinds(room) == ["unresolved_order"]

    for _ in range(30):
        room.pass_by(HOUR / 3600)
        room.resolver.resolve_due()

    booked = room.orders()[-1]
    assert (booked.state, booked.executed_qty) == (OrderState.CANCELED, own.executed_qty)
    assert kinds(room) == []


def test_what_the_exchange_has_acknowledged_is_never_called_not_placed(room: Room) -> None:
    """An order that cannot be found any more stays in doubt until somebody says what became of it."""
    order = in_doubt(room, Side.BUY)
    own = room.exchange.reports[order.client_order_id]
    room.exchange.reports[order.client_order_id] = replace(own, status="NEW", executed_qty=Decimal(0), trades=())
    room.resolver.resolve_due()
    room.exchange.reports = {}

    for _ in range(60):
        room.pass_by(HOUR / 3600)
        room.resolver.resolve_due()

    assert room.orders()[-1].state is OrderState.ACKED


def test_a_ledger_is_rebuilt_from_one_of_the_two(room: Room) -> None:
    """The survey counts each client id once."""
    order = in_doubt(room, Side.BUY)
    send_again(room, order)
    parts = parse_client_order_id(order.client_order_id)
    assert parts is not None

    found = survey(room.exchange, room.journal.clock, ["BTCUSDT"])

    assert len(found.traces[parts.instance].reports) == 1

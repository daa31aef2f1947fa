"""Fills that come late or in parts: to which position they belong, and when an order is over."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

from losses import ENTRY, Losses

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger import orders, positions
from thunes_cli.model import Order, OrderReport, OrderState, Position, PositionStatus, Side
from thunes_cli.trading.booking import Evidence, book


def events(journal: Journal) -> list[str]:
    journal.drain()
    return [json.loads(line)["event"] for line in journal.trail.path.read_text().splitlines()]


def held(journal: Journal) -> list[Position]:
    with journal.read() as connection:
        return positions.all_positions(connection)


def given_up(losses: Losses) -> Order:
    """A sale taken for not placed, whose position another one has sold since."""
    first = losses.sent_sell()
    with losses.journal.change() as change:
        assert orders.change_state(
            change.connection, first.id, expected=(OrderState.SENT,), to=OrderState.NOT_PLACED, at=change.at
        )
    losses.fill(losses._sent(Side.SELL, position_id=first.position_id), price=ENTRY)
    return first


def test_a_late_sale_belongs_to_the_position_it_was_made_for(journal: Journal) -> None:
    """The position is closed by then: its fill opens no other one, and the operator hears of it."""
    losses = Losses(journal)
    first = given_up(losses)
    assert [position.status for position in held(journal)] == [PositionStatus.CLOSED]

    late = losses.fill(first, price=ENTRY)

    assert (late.state, late.position_id) == (OrderState.FILLED, first.position_id)
    assert [position.id for position in held(journal)] == [first.position_id]
    assert "ORDER_FOUND_LATE" in events(journal)


def test_a_late_sale_takes_nothing_from_the_next_position(journal: Journal) -> None:
    """Which was opened since, of the same symbol."""
    losses = Losses(journal)
    first = given_up(losses)
    second = losses.fill(losses._sent(Side.BUY), price=ENTRY)
    assert second.position_id != first.position_id

    late = losses.fill(first, price=ENTRY)

    assert late.position_id == first.position_id
    (_, fresh) = held(journal)
    assert (fresh.id, fresh.status, fresh.quantity) == (second.position_id, PositionStatus.OPEN, 1)


def test_an_order_is_over_when_its_last_fill_is_booked(journal: Journal) -> None:
    """The exchange says FILLED and lists no trade yet: it is known to be there, and not finished."""
    losses = Losses(journal)
    order = losses._sent(Side.BUY)
    report = OrderReport(
        symbol=order.symbol,
        order_id=order.id,
        client_order_id=order.client_order_id,
        side=order.side,
        status="FILLED",
        orig_qty=Decimal(1),
        orig_quote_qty=ENTRY,
        executed_qty=Decimal(1),
        executed_quote=ENTRY,
        time=journal.clock.now(),
    )
    with journal.change() as change:
        evidence = Evidence(report, (), {})
        waiting = book(change, order.id, evidence, rules=None, max_daily_loss=losses.limit)

    assert waiting.state is OrderState.ACKED
    assert events(journal)[-1] == "ORDER_ACKED"
    done = losses.fill(replace(waiting, id=order.id), price=ENTRY)
    assert done.state is OrderState.FILLED
    assert events(journal).count("ORDER_FINISHED") == 1
    assert "ORDER_FOUND_LATE" not in events(journal)

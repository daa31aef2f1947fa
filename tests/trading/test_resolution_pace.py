"""How often an order in doubt is asked for: soon, never twice at once, and an absence counts only some time apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from trading_room import BUY_NOW, Room

from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.ledger import orders
from thunes_cli.model import ClientOrderId, OrderReport, OrderState
from thunes_cli.trading.resolution import ABSENCE_DISTANCE, RETRY

LESS = timedelta(milliseconds=999)
MS = timedelta(milliseconds=1)


@pytest.fixture
def asked(room: Room, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A room with a BUY in doubt, and which orders the exchange was asked for."""
    real = room.exchange.order
    asked: list[str] = []

    def order(symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        asked.append(client_order_id)
        return real(symbol, client_order_id)

    room.exchange.script = ["unknown_after"]
    room.show(BUY_NOW)
    room.engine.signal_check()
    monkeypatch.setattr(room.exchange, "order", order)
    return asked


def absences(room: Room) -> int:
    with room.journal.read() as connection:
        (sending,) = orders.unfinished(connection)
    return sending.absences


def test_it_is_asked_for_at_once(room: Room, asked: list[str]) -> None:
    """Nothing is waited for first."""
    room.resolver.resolve_due()

    assert len(asked) == 1
    assert room.orders()[0].state is OrderState.FILLED


def test_an_exchange_that_is_away_is_asked_once_a_second(room: Room, asked: list[str]) -> None:
    """However often the resolver looks."""
    room.exchange.down = True
    for _ in range(3):
        room.resolver.resolve_due()
    assert len(asked) == 1

    room.pass_by(LESS)
    room.resolver.resolve_due()
    assert len(asked) == 1
    room.pass_by(MS)
    room.resolver.resolve_due()
    assert len(asked) == 2


def test_an_order_that_still_works_is_asked_for_once_a_second(room: Room, asked: list[str]) -> None:
    """What it executed so far is booked, and it is looked after until its end."""
    (name,) = room.exchange.reports
    whole = room.exchange.reports[ClientOrderId(name)]
    room.exchange.reports[ClientOrderId(name)] = replace(whole, status="PARTIALLY_FILLED")
    for _ in range(3):
        room.resolver.resolve_due()
    assert (len(asked), room.orders()[0].state) == (1, OrderState.ACKED)

    room.exchange.reports[ClientOrderId(name)] = whole
    room.pass_by(RETRY)
    room.resolver.resolve_due()

    assert room.orders()[0].state is OrderState.FILLED


def test_absences_count_some_time_apart(room: Room, asked: list[str]) -> None:
    """Two answers of one moment may come from one source that lags: they are one."""
    room.exchange.hidden_queries = 99
    room.exchange.lists_lag = True
    room.resolver.resolve_due()
    assert absences(room) == 1

    with room.journal.change() as change:  # somebody else's question made it due early
        change.connection.execute("UPDATE orders SET next_try_wall = NULL")
    room.pass_by(ABSENCE_DISTANCE - MS)
    room.resolver.resolve_due()
    assert (absences(room), len(asked)) == (1, 2)
    room.resolver.resolve_due()
    assert len(asked) == 2  # it was asked for a moment ago

    room.pass_by(RETRY)
    room.resolver.resolve_due()
    assert absences(room) == 2


def test_a_failed_question_proves_no_absence(room: Room, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is not "no such order"."""

    def away(_symbol: str, _name: ClientOrderId) -> OrderReport | None:
        raise ExchangeDown("scripted")

    monkeypatch.setattr(room.exchange, "order", away)
    for _ in range(30):
        room.resolver.resolve_due()
        room.pass_by(RETRY)

    assert absences(room) == 0
    assert room.orders()[0].state is OrderState.UNKNOWN
    assert asked == []

"""Between the decision and the answer: what is read again before the first byte, and answers that prove nothing."""

from __future__ import annotations

import dataclasses
import fcntl
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from trading_room import BUY_NOW, HOUR, SELL_NOW, Room

from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.ledger import bans, controls
from thunes_cli.model import MarketOrder, Order, OrderReport, OrderState, PositionStatus, Rejection, Side, Trade
from thunes_cli.process import boot_id


def approved(room: Room) -> Order:
    """An entry that the rules have let through a moment ago; its INTENT is committed, nothing was sent."""
    room.show(BUY_NOW)
    quote = room.engine._quote("BTCUSDT")
    signal = room.engine._observe("BTCUSDT", "sma").signal
    assert signal is not None
    order = room.engine._entries.decide(signal, quote).order
    assert order is not None
    return order


def ban(room: Room) -> None:
    clock = room.journal.clock
    until = clock.wall() + HOUR
    with room.journal.change() as change:
        bans.save_ban(change.connection, bans.Ban(until, clock.monotonic() + 3600, boot_id(), 418, 1, clock.wall()))


def freeze(room: Room) -> None:
    with room.journal.change() as change:
        controls.freeze_symbol(change.connection, "BTCUSDT", reason="differs", actor="reconcile", at=change.at)


def tamper(room: Room) -> None:
    path = room.journal.trail.path
    path.write_bytes(path.read_bytes().replace(b"ACCOUNT_BOUND", b"ACCOUNT_FOUND").replace(b"BASELINE", b"BASEMENT"))


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        pytest.param(ban, "rate_limit_ban (HTTP 418", id="the exchange banned us"),
        pytest.param(freeze, Rejection.FROZEN, id="the symbol was frozen"),
        pytest.param(tamper, Rejection.TAMPERED, id="somebody changed the trail"),
    ],
)
def test_an_entry_that_must_not_leave_any_more(meanwhile: Callable[[Room], None], why: str, room: Room) -> None:
    """What changed since the decision counts: the order ends unsent, with its reason, and the symbol is free."""
    order = approved(room)
    meanwhile(room)

    ended = room.engine._execution.execute(order)

    assert ended.state is OrderState.NOT_PLACED
    assert str(ended.error).startswith(why)
    assert room.exchange.placed == []


def test_an_entry_whose_record_cannot_be_written(room: Room) -> None:
    """No entry leaves before its records stand on the trail; who has the trail's lock keeps it."""
    order = approved(room)
    descriptor = os.open(room.journal.trail.path.with_name("audit.lock"), os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    ended = room.engine._execution.execute(order)

    os.close(descriptor)
    assert (ended.state, ended.error) == (OrderState.NOT_PLACED, Rejection.AUDIT)
    assert room.exchange.placed == []


def test_an_exit_waits_for_the_ban(holding: Room) -> None:
    """A ban that came while an exit was being prepared holds its first byte; once it is over the exit goes out."""
    clock = holding.journal.clock
    ended_at: list[datetime] = []
    real = holding.engine._execution._commit_sent

    def banned_meanwhile(order: Order, *, expected: OrderState) -> Order:
        if not ended_at:
            ban(holding)
            ended_at.append(clock.wall() + HOUR)
        return real(order, expected=expected)

    holding.engine._execution._commit_sent = banned_meanwhile  # type: ignore[method-assign]
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    assert [order.side for order in holding.exchange.placed] == [Side.BUY]
    assert holding.orders()[-1].state is OrderState.NOT_PLACED

    holding.pass_by(ended_at[0] - clock.wall() + timedelta(minutes=10))
    holding.engine.stop_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_an_answer_about_another_order_is_no_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that does not fit what was sent is not booked: the order is asked for by its id, and found filled."""
    real = room.exchange.place

    def place(order: MarketOrder, *, timestamp_ms: int) -> OrderReport:
        return dataclasses.replace(real(order, timestamp_ms=timestamp_ms), side=Side.SELL)

    monkeypatch.setattr(room.exchange, "place", place)
    room.show(BUY_NOW)
    (tick,) = room.engine.signal_check()
    assert tick.order_state is OrderState.UNKNOWN
    assert room.positions() == []

    room.resolver.resolve_due()

    assert room.orders()[0].state is OrderState.FILLED
    assert room.positions()[0].quantity == Decimal("0.0006") * Decimal("0.999")
    assert len(room.exchange.placed) == 1


def test_trades_that_cannot_be_had_now_are_asked_for_later(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply without its trades is a fill of unknown fee: nothing is guessed, the position comes with the trades."""
    real = room.exchange.place
    lists = room.exchange.trades

    def place(order: MarketOrder, *, timestamp_ms: int) -> OrderReport:
        return dataclasses.replace(real(order, timestamp_ms=timestamp_ms), trades=())

    def trades(symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        del symbol, order_id, from_trade_id
        raise ExchangeDown("scripted")

    monkeypatch.setattr(room.exchange, "place", place)
    monkeypatch.setattr(room.exchange, "trades", trades)
    room.show(BUY_NOW)
    (tick,) = room.engine.signal_check()
    assert tick.order_state is OrderState.UNKNOWN
    assert room.positions() == []

    monkeypatch.setattr(room.exchange, "trades", lists)
    room.resolver.resolve_due()

    assert room.positions()[0].quantity == Decimal("0.0006") * Decimal("0.999")
    assert len(room.exchange.placed) == 1


def test_a_price_of_the_stream_while_nothing_answers(holding: Room) -> None:
    """The stop is reached while the exchange is away: the wish stands, and is fulfilled when it answers again."""
    price = dataclasses.replace(holding.engine._price("BTCUSDT"), value=Decimal(19000))
    holding.symbols.doubt("BTCUSDT")  # so that its rules must be asked for
    holding.exchange.down = True
    holding.engine.price_check("BTCUSDT", price)
    assert holding.positions()[0].status is PositionStatus.OPEN

    holding.exchange.down = False
    holding.pass_by(timedelta(seconds=31))
    holding.engine.stop_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED

"""What must not keep an exit from going out: a lock that is held, a halt, orders that get lost, somebody's bug."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from queued_alerts import pending_alerts
from scripted_exchange import rules_of
from trading_room import SELL_NOW, Room

from thunes_cli.exchange.failures import ExchangeDown, Rejected, TimestampRejected
from thunes_cli.market.feed import Price
from thunes_cli.model import OrderState, PositionStatus, Side

SECOND = timedelta(seconds=1)
CLOSED = Rejected("Market is closed.", -2010)


@contextmanager
def trail_held(room: Room) -> Iterator[None]:
    """Somebody holds the trail's lock and does not give it back."""
    descriptor = os.open(room.journal.trail.path.with_name("audit.lock"), os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


def alerts_of(room: Room, kind: str) -> int:
    with room.journal.read() as connection:
        return sum(alert.kind == kind for alert in pending_alerts(connection))


def sells(room: Room) -> list[OrderState]:
    return [order.state for order in room.orders() if order.side is Side.SELL]


def test_coins_that_somebody_took_out_do_not_keep_the_rest(holding: Room) -> None:
    """Refused for want of balance, an exit sells what the account still has, and no more."""
    (position,) = holding.positions()
    holding.exchange.balances["BTC"] = left = Decimal("0.00041")
    holding.exchange.script = [Rejected("Account has insufficient balance for requested action.", -2010)]
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    assert sells(holding) == [OrderState.REJECTED]

    holding.pass_by(30 * SECOND)
    holding.engine.stop_check()

    assert sells(holding) == [OrderState.REJECTED, OrderState.FILLED]
    assert holding.exchange.placed[-1].quantity == left
    assert holding.positions()[0].sold_qty == left < position.quantity


def test_nothing_left_to_sell_is_told(holding: Room) -> None:
    """An account without the coins gets no second order that must be refused: the exit is blocked, and said to be."""
    holding.exchange.balances["BTC"] = Decimal(0)
    holding.exchange.script = [Rejected("Account has insufficient balance for requested action.", -2010)]
    holding.show(SELL_NOW)
    holding.engine.signal_check()

    holding.pass_by(30 * SECOND)
    holding.engine.stop_check()

    assert sells(holding) == [OrderState.REJECTED]
    assert holding.positions()[0].exit_problem == "the account has only 0 BTC free"
    assert alerts_of(holding, "exit_blocked") == 1


def test_first_byte_of_an_exit_does_not_wait_for_the_trail(holding: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail's lock is asked for, never waited for, until the SELL is out; its records follow later."""
    waited: list[float] = []
    real = holding.journal.trail.drain

    def drain(*, wait_seconds: float) -> object:
        if len(holding.exchange.placed) == 1:  # the BUY
            waited.append(wait_seconds)
        return real(wait_seconds=wait_seconds)

    monkeypatch.setattr(holding.journal.trail, "drain", drain)
    holding.show(SELL_NOW)
    with trail_held(holding):
        holding.engine.signal_check()

    assert sells(holding) == [OrderState.FILLED]
    assert set(waited) == {0.0}
    assert holding.journal.drain().value == "clean"


def test_nothing_comes_between_the_commit_of_sent_and_the_first_byte(
    holding: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timestamp grows old while anything is waited for: the trail is drained before SENT and after the answer."""
    seen: list[str] = []
    real = holding.journal.trail.drain

    def drain(*, wait_seconds: float) -> object:
        with holding.journal.read() as connection:
            seen.extend(row["state"] for row in connection.execute("SELECT state FROM orders WHERE side = 'SELL'"))
        return real(wait_seconds=wait_seconds)

    monkeypatch.setattr(holding.journal.trail, "drain", drain)
    holding.show(SELL_NOW)
    holding.engine.signal_check()

    assert "SENT" not in seen
    assert "FILLED" in seen


def test_who_waited_in_vain_does_not_wait_again_at_once(holding: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step waits for the lock; the next ones, for a while, only ask."""
    waited: list[float] = []
    real = holding.journal.trail.drain

    def drain(*, wait_seconds: float) -> object:
        waited.append(wait_seconds)
        return real(wait_seconds=min(wait_seconds, 0.01))

    monkeypatch.setattr(holding.journal.trail, "drain", drain)
    with trail_held(holding):
        for _ in range(3):
            holding.journal.drain()
        holding.pass_by(11 * SECOND)
        holding.journal.drain()

    assert waited == [2.0, 0.0, 0.0, 2.0]


def test_an_hour_of_halt_is_few_attempts_and_one_alert(holding: Room) -> None:
    """A refused SELL makes us ask for the symbol's status: while it is halted nothing is sent, then it is sold."""
    holding.show(SELL_NOW)
    holding.exchange.script = [CLOSED] * 99
    holding.exchange.rules["BTCUSDT"] = rules_of(status="HALT")
    began = len(holding.exchange.placed)

    for _ in range(360):
        holding.engine.stop_check() if sells(holding) else holding.engine.signal_check()
        holding.pass_by(10 * SECOND)
    attempts = len(holding.exchange.placed) - began
    holding.exchange.rules["BTCUSDT"] = rules_of()
    holding.exchange.script = []
    for _ in range(6):
        holding.engine.stop_check()
        holding.pass_by(10 * SECOND)

    assert attempts <= 8
    assert alerts_of(holding, "exit_blocked") == 2  # that it is blocked, that it is sold after all
    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_a_halt_that_is_not_announced_is_few_attempts_too(holding: Room) -> None:
    """exchangeInfo says TRADING and orders are refused: the waits grow, one alert, sold after."""
    holding.show(SELL_NOW)
    holding.exchange.script = [CLOSED] * 99
    began = len(holding.exchange.placed)

    for _ in range(360):
        holding.engine.stop_check() if sells(holding) else holding.engine.signal_check()
        holding.pass_by(10 * SECOND)

    assert len(holding.exchange.placed) - began <= 11  # 10 s, 20 s … 10 min
    assert alerts_of(holding, "exit_blocked") == 1


def test_entries_see_a_halt_end(room: Room) -> None:
    """A symbol that was halted when it was asked about is entered when it trades again, without a restart."""
    room.exchange.rules["BTCUSDT"] = rules_of(status="HALT")
    room.symbols.refresh(["BTCUSDT"])
    room.exchange.rules["BTCUSDT"] = rules_of()

    rules = room.symbols.rules("BTCUSDT")

    assert rules is not None
    assert rules.tradable


def test_rules_in_doubt_that_cannot_be_asked_for_are_the_old_ones(room: Room) -> None:
    """An exchangeInfo that fails does not keep a position from being sold."""
    room.symbols.doubt("BTCUSDT")
    room.exchange.down = True

    assert room.symbols.rules("BTCUSDT") == rules_of()


def test_exits_that_get_lost_again_and_again_alert(holding: Room) -> None:
    """Attempts that a proof shows never arrived count: later ones wait, and the operator is told once."""
    holding.show(SELL_NOW)
    holding.exchange.script = ["unknown_before"] * 5
    began = holding.time.wall

    for _ in range(300):
        holding.engine.stop_check() if sells(holding) else holding.engine.signal_check()
        holding.resolver.resolve_due()
        holding.pass_by(SECOND)
        if holding.positions()[0].status is PositionStatus.CLOSED:
            break

    assert sells(holding) == [OrderState.NOT_PLACED] * 5 + [OrderState.FILLED]
    assert alerts_of(holding, "exit_blocked") == 2
    assert holding.time.wall - began > 100 * SECOND


def test_a_clock_that_cannot_be_read_again_ends_the_order(holding: Room) -> None:
    """−1021 proves that nothing was executed, whether or not the clock can be read then: nothing stays in doubt."""
    holding.show(SELL_NOW)
    holding.exchange.script = [TimestampRejected("outside of the recvWindow", -1021)]

    def fail() -> None:
        raise ExchangeDown("scripted")

    holding.engine._execution._resync = fail
    holding.engine.signal_check()

    assert sells(holding) == [OrderState.REJECTED]


def test_a_bug_in_one_symbols_check_does_not_stop_the_others(holding: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions of other symbols are looked at all the same, and the failure is told afterwards."""
    (position,) = holding.positions()
    held = {name: dataclasses.replace(position, symbol=name) for name in ("AUSDT", "BUSDT")}
    looked: list[str] = []

    def price(symbol: str) -> Price:
        looked.append(symbol)
        raise ZeroDivisionError if symbol == "AUSDT" else ExchangeDown("scripted")

    monkeypatch.setattr(holding.engine, "_open_positions", lambda: held)
    monkeypatch.setattr(holding.engine, "_price", price)
    for check in (holding.engine.stop_check, holding.engine.signal_check):
        looked.clear()
        with pytest.raises(ZeroDivisionError):
            check()
        assert looked[-2:] == ["AUSDT", "BUSDT"]


def test_a_price_that_cannot_be_noted_is_no_obstacle(holding: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last price is written down for status commands; a ledger that refuses it does not keep us from selling."""

    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("thunes_cli.trading.engine.save_price", refuse)
    holding.show(SELL_NOW)

    holding.engine.signal_check()

    assert sells(holding) == [OrderState.FILLED]

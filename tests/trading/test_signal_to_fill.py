"""The way of one signal: entry, exit, stop, and what stands in the ledger and on the trail afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from manual_time import NOON
from scripted_exchange import rules_of
from trading_room import BUY_AGAIN, BUY_NOW, HOUR, SELL_NOW, Room, assemble

from thunes_cli.exchange.failures import Rejected, TimestampRejected
from thunes_cli.ledger import controls, positions
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.model import ExitReason, Mode, OrderState, PositionStatus, Rejection, Side
from thunes_cli.risk.kill_switch import counted_result


def events(room: Room) -> list[str]:
    return [json.loads(line)["event"] for line in room.journal.trail.path.read_text().splitlines()]


def test_buy_signal_becomes_a_position(room: Room) -> None:
    """An approved BUY is journalled, sent once, filled, and booked net of the fee kept in base."""
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert (tick.signal, tick.decision, tick.order_state) == (Side.BUY, "approved", OrderState.FILLED)
    (position,) = room.positions()
    assert position.quantity == Decimal("0.0006") * Decimal("0.999")
    assert position.entry_price == 20000
    assert room.exchange.balances["BTC"] == 3 + position.quantity
    (order,) = room.exchange.placed
    assert (order.quote_quantity, order.quantity) == (Decimal(12), None)
    assert events(room)[-6:] == [
        "TRADE_APPROVED",
        "ORDER_INTENT",
        "ORDER_SENT",
        "FILL_BOOKED",
        "ORDER_FINISHED",
        "POSITION_OPENED",
    ]


def test_same_signal_is_entered_once(room: Room) -> None:
    """Checks within the same candle repeat the tick, not the order."""
    room.show(BUY_NOW)
    first = room.engine.signal_check()
    room.pass_by(timedelta(minutes=10))

    again = room.engine.signal_check()

    assert len(room.exchange.placed) == 1
    assert again[0].candle_open_time == first[0].candle_open_time


def test_sent_is_durable_before_the_first_byte(room: Room) -> None:
    """When the exchange sees the order, another process can already read it as SENT, with its timestamp."""
    room.show(BUY_NOW)
    seen: list[OrderState] = []
    room.exchange.before_place = lambda: seen.extend(order.state for order in room.orders())

    room.engine.signal_check()

    assert seen == [OrderState.SENT]


def test_sell_signal_sells_what_is_held_and_not_more(holding: Room) -> None:
    """The SELL is floored to the step; the rest too small to sell is dust, and the position is closed."""
    holding.show(SELL_NOW)

    (tick,) = holding.engine.signal_check()

    assert tick.order_state is OrderState.FILLED
    (position,) = holding.positions()
    assert position.status is PositionStatus.CLOSED
    assert holding.exchange.placed[-1].quantity == Decimal("0.00059")
    with holding.journal.read() as connection:
        dust, cost = positions.dust_of_symbol(connection, "BTCUSDT", exchange_epoch=1)
    assert dust == Decimal("0.0005994") - Decimal("0.00059")
    assert cost > 0
    assert holding.exchange.balances["BTC"] == 3 + dust


def test_dust_is_taken_back_by_the_next_buy(holding: Room) -> None:
    """What was left over belongs to the next position, at its cost."""
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    holding.pass_by(2 * HOUR)
    holding.show(BUY_AGAIN)

    holding.engine.signal_check()

    _, reopened = holding.positions()
    assert reopened.quantity == Decimal("0.0005994") + Decimal("0.0000094")
    with holding.journal.read() as connection:
        assert positions.dust_of_symbol(connection, "BTCUSDT", exchange_epoch=1) == (0, 0)
    assert holding.exchange.balances["BTC"] == 3 + reopened.quantity


def test_stop_loss_sells_without_a_signal(holding: Room) -> None:
    """A last price at the stop sells at the next look, candles or not."""
    holding.exchange.price = Decimal(19400)

    holding.engine.stop_check()

    (position,) = holding.positions()
    assert position.status is PositionStatus.CLOSED
    assert "EXIT_WANTED" in events(holding)


def test_price_above_the_stop_does_not_sell(holding: Room) -> None:
    """One step above the stop is not the stop."""
    holding.exchange.price = Decimal("19400.01")

    holding.engine.stop_check()

    assert holding.positions()[0].status is PositionStatus.OPEN


def test_sell_signal_missed_while_down_is_heard_later(holding: Room) -> None:
    """A SELL on an earlier candle since the entry still sells; it is not only the latest candle that counts."""
    holding.pass_by(3 * HOUR)
    holding.show([*SELL_NOW, 1, 1, 1])

    holding.engine.signal_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_old_buy_signal_is_not_entered(room: Room) -> None:
    """A BUY whose candle closed too long ago is refused, in the trail, once."""
    room.show(BUY_NOW)
    room.pass_by(timedelta(minutes=31))

    (tick,) = room.engine.signal_check()
    room.engine.signal_check()

    assert tick.reason is Rejection.EXPIRED
    assert room.exchange.placed == []
    assert events(room).count("TRADE_REJECTED") == 1


def test_kill_switch_between_decision_and_sending(room: Room) -> None:
    """The SENT commit reads the switch again: an entry approved a moment earlier does not leave."""
    room.show(BUY_NOW)
    quote = room.engine._quote("BTCUSDT")
    watch = room.engine._observe("BTCUSDT", "sma")
    assert watch.signal is not None
    entry = room.engine._entries.decide(watch.signal, quote)
    with room.journal.change() as change:
        controls.activate_kill_switch(change.connection, reason="now", actor="test", at=change.at)

    assert entry.order is not None
    order = room.engine._execution.execute(entry.order)

    assert order.state is OrderState.NOT_PLACED
    assert room.exchange.placed == []


def test_kill_switch_never_blocks_an_exit(holding: Room) -> None:
    """With the switch on, the symbol frozen and the mode exits-only, the SELL goes out."""
    with holding.journal.change() as change:
        controls.activate_kill_switch(change.connection, reason="now", actor="test", at=change.at)
        controls.freeze_symbol(change.connection, "BTCUSDT", reason="r", actor="a", at=change.at)
    holding.engine.mode = Mode.EXITS_ONLY
    holding.show(SELL_NOW)

    holding.engine.signal_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_exit_goes_out_with_the_trail_unwritable(holding: Room) -> None:
    """A trail that cannot be written stops entries, not exits; the records wait and arrive later."""
    trail = holding.journal.trail.path
    kept = trail.rename(trail.with_suffix(".away"))
    trail.mkdir()
    holding.show(SELL_NOW)

    holding.engine.signal_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED
    trail.rmdir()
    kept.rename(trail)
    holding.journal.drain()
    assert events(holding)[-1] == "POSITION_CLOSED"


def test_entry_is_refused_with_the_trail_unwritable(room: Room) -> None:
    """No entry without its record."""
    trail = room.journal.trail.path
    trail.rename(trail.with_suffix(".away"))
    trail.mkdir()
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert tick.reason is Rejection.AUDIT
    assert room.exchange.placed == []


@pytest.mark.parametrize(("limit", "trips"), [("1.20262", True), ("1.20263", False)], ids=["equal", "a step short"])
def test_daily_loss_trips_in_the_booking_transaction(
    holding: Room, bare_home: Path, limit: str, *, trips: bool
) -> None:
    """The fill that brings the day's loss to the limit activates the switch; the exit itself was not hindered."""
    room = assemble(holding.journal, holding.exchange, holding.time, home=bare_home, max_daily_loss=Decimal(limit))
    room.exchange.price = Decimal(18000)

    room.engine.stop_check()

    (position,) = room.positions()
    assert position.status is PositionStatus.CLOSED
    with room.journal.read() as connection:
        switch = controls.read_kill_switch(connection)
        # 0.00059 of what cost 20000 each, fees of 0.012 and 0.01062
        assert counted_result(connection, room.journal.clock.now()) == Decimal("-1.20262")
    assert switch.active is trips
    assert switch.actor == ("automatic" if trips else None)
    assert events(room).count("KILL_SWITCH_ACTIVATED") == int(trips)


def test_refused_exit_waits_longer_each_time_and_is_reported_once(holding: Room) -> None:
    """Attempts are numbered, spaced by a growing back-off, and the operator hears of it once."""
    holding.exchange.script = [Rejected("Account has insufficient balance", -2010)] * 5
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    for _ in range(60):
        holding.pass_by(timedelta(seconds=2))
        holding.engine.stop_check()

    attempts = [order for order in holding.orders() if order.side is Side.SELL]
    assert [order.attempt for order in attempts] == [1, 2, 3, 4]
    assert events(holding).count("EXIT_BLOCKED") == 1
    with holding.journal.read() as connection:
        (position,) = positions.open_positions(connection)
    assert position.exit_wanted is ExitReason.SIGNAL
    assert "insufficient" in (position.exit_problem or "")

    holding.exchange.script = []
    holding.pass_by(timedelta(minutes=10))
    holding.engine.stop_check()
    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_halted_symbol_is_sold_after_the_halt(holding: Room) -> None:
    """A halt makes no attempts; when it ends the exit goes out."""
    holding.exchange.rules["BTCUSDT"] = rules_of(status="HALT")
    holding.symbols.refresh(["BTCUSDT"])
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    assert [order.side for order in holding.orders()] == [Side.BUY]

    holding.exchange.rules["BTCUSDT"] = rules_of()
    holding.pass_by(timedelta(minutes=10))
    holding.engine.stop_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_partly_filled_expired_entry_is_a_position(room: Room) -> None:
    """A market order that ran out of book ends EXPIRED and still bought something."""
    room.exchange.script = ["half"]
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert tick.order_state is OrderState.EXPIRED
    assert room.positions()[0].quantity == Decimal("0.0003") * Decimal("0.999")


def test_partly_filled_exit_is_tried_again_for_the_rest(holding: Room) -> None:
    """What an exit left over and can still be sold is sold by the next attempt."""
    holding.exchange.script = ["half"]
    holding.show(SELL_NOW)
    holding.exchange.rules["BTCUSDT"] = rules_of(minimum="1")
    holding.symbols.refresh(["BTCUSDT"])
    holding.engine.signal_check()
    assert holding.positions()[0].status is PositionStatus.OPEN

    holding.pass_by(timedelta(seconds=11))
    holding.engine.stop_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED
    assert [order.attempt for order in holding.orders() if order.side is Side.SELL] == [1, 2]


def test_timestamp_rejection_is_retried_once(room: Room) -> None:
    """−1021 proves a refusal: the clock is read again, SENT is committed again, the order goes out once more."""
    room.exchange.script = [TimestampRejected("Timestamp for this request is outside of the recvWindow.", -1021)]
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert tick.order_state is OrderState.FILLED
    assert len(room.exchange.placed) == 2
    assert events(room).count("ORDER_SENT") == 2


def test_refused_entry_is_rejected_with_its_code(room: Room) -> None:
    """A known business refusal ends the order; nothing is doubted."""
    room.exchange.script = [Rejected("Account has insufficient balance for requested action.", -2010)]
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert tick.order_state is OrderState.REJECTED
    assert room.positions() == []


def test_first_check_after_init_enters_nothing_older(room: Room) -> None:
    """Only candles that close after the home was first ready are entered."""
    with room.journal.change() as change:
        save_entries_from(change.connection, NOON)
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert tick.reason is Rejection.EXPIRED

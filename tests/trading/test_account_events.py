"""What the account's stream tells is booked at once, by the same path as REST; strangers are told of once."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest
from queued_alerts import pending_alerts
from trading_room import BUY_NOW, HOUR, Room

from thunes_cli.clock import to_ms
from thunes_cli.market.feed import Price
from thunes_cli.model import ExitReason, OrderReport, OrderState, Trade, plain
from thunes_cli.trading.account_events import AccountEvents


def events_of(room: Room) -> AccountEvents:
    return AccountEvents(room.journal, room.exchange, room.symbols, max_daily_loss=Decimal(20))


def told_of(report: OrderReport, trades: list[Trade]) -> list[dict[str, Any]]:
    """The stream's events of an order: NEW, each trade, and the end if it is not FILLED."""
    base = {
        "e": "executionReport",
        "E": to_ms(report.time),
        "s": report.symbol,
        "c": report.client_order_id,
        "C": "",
        "S": str(report.side),
        "o": "MARKET",
        "q": plain(report.orig_qty),
        "Q": plain(report.orig_quote_qty),
        "i": report.order_id,
        "O": to_ms(report.time),
        "t": -1,
        "N": None,
    }
    told = [base | {"x": "NEW", "X": "NEW", "z": "0", "Z": "0"}]
    executed = quote = 0
    for trade in trades:
        executed, quote = executed + trade.quantity, quote + trade.quote_quantity
        status = "FILLED" if executed == report.executed_qty and report.status == "FILLED" else "PARTIALLY_FILLED"
        told.append(
            base
            | {
                "x": "TRADE",
                "X": status,
                "z": plain(executed),
                "Z": plain(quote),
                "t": trade.trade_id,
                "T": to_ms(trade.time),
                "L": plain(trade.price),
                "l": plain(trade.quantity),
                "Y": plain(trade.quote_quantity),
                "n": plain(trade.commission),
                "N": trade.commission_asset,
                "m": False,
            }
        )
    if report.status != "FILLED":
        told.append(base | {"x": report.status, "X": report.status, "z": plain(executed), "Z": plain(quote)})
    return told


def in_doubt(room: Room, script: str = "unknown_after") -> list[dict[str, Any]]:
    """A BUY whose answer was lost, and what the stream tells of it."""
    room.exchange.script = [script]
    room.show(BUY_NOW)
    room.engine.signal_check()
    (order,) = room.orders()
    assert order.state is OrderState.UNKNOWN
    report = room.exchange.reports[order.client_order_id]
    return told_of(report, room.exchange.trades("BTCUSDT", order_id=report.order_id))


def test_a_fill_whose_answer_was_lost_is_booked_by_the_stream(room: Room):
    """UNKNOWN to FILLED without a question."""
    told = in_doubt(room)

    came = events_of(room).take_in(told)

    (order,), (position,) = room.orders(), room.positions()
    assert (order.state, came.compare) == (OrderState.FILLED, False)
    assert position.quantity > 0


def test_events_in_any_order_and_twice_change_nothing(holding: Room):
    """Every order of the events, doubled: the ledger is as REST left it."""
    (order,), before = holding.orders(), holding.positions()
    report = holding.exchange.reports[order.client_order_id]
    told = told_of(report, holding.exchange.trades("BTCUSDT", order_id=report.order_id))
    events = events_of(holding)

    for shuffled in itertools.permutations([*told, *told], 4):
        assert events.take_in(shuffled).booked == 0

    assert holding.orders() == [order]
    assert holding.positions() == before


def test_the_last_event_first_leaves_the_rest_to_resolution(room: Room):
    """Reordered: nothing is guessed, and asking ends it."""
    told = in_doubt(room)
    room.exchange.hidden_queries = 0

    events_of(room).take_in([*reversed(told)])
    room.pass_by(HOUR / 60)
    room.resolver.resolve_due()

    (order,), (position,) = room.orders(), room.positions()
    assert order.state is OrderState.FILLED
    assert position.bought_qty == order.executed_qty


def test_the_stream_first_and_the_answer_after_it_book_once(room: Room):
    """The fill's event overtakes the answer to the order: one fill, one position."""
    room.show(BUY_NOW)
    events = events_of(room)
    placed = type(room.exchange).place

    def place(order: Any, *, timestamp_ms: int) -> OrderReport:
        report = placed(room.exchange, order, timestamp_ms=timestamp_ms)
        events.take_in(told_of(report, room.exchange.trades("BTCUSDT", order_id=report.order_id)))
        return report

    room.exchange.place = place  # type: ignore[method-assign]
    (tick,) = room.engine.signal_check()

    assert tick.order_state is OrderState.FILLED
    (order,), (position,) = room.orders(), room.positions()
    assert position.bought_qty == order.executed_qty


def test_an_expired_order_keeps_its_fills(room: Room):
    """The book ran dry: EXPIRED with a fill is a position."""
    room.exchange.script = ["half"]
    room.show(BUY_NOW)
    room.engine.signal_check()
    (order,), before = room.orders(), room.positions()
    report = room.exchange.reports[order.client_order_id]
    told = told_of(report, room.exchange.trades("BTCUSDT", order_id=report.order_id))

    events_of(room).take_in(told)

    assert room.positions() == before
    assert room.orders()[0].state is OrderState.EXPIRED


def stranger(room: Room, **changes: Any) -> dict[str, Any]:
    """A market order that somebody else placed, filled."""
    now = to_ms(room.journal.clock.now())
    return {
        "e": "executionReport",
        "E": now,
        "s": "BTCUSDT",
        "c": "web_1",
        "C": "",
        "S": "BUY",
        "o": "MARKET",
        "x": "TRADE",
        "X": "FILLED",
        "q": "0.001",
        "Q": "20",
        "i": 999,
        "z": "0.001",
        "Z": "20",
        "O": now,
        "t": 5000,
        "T": now,
        "L": "20000",
        "l": "0.001",
        "Y": "20",
        "n": "0.000001",
        "N": "BTC",
        **changes,
    }


def queued(room: Room) -> list[str]:
    with room.journal.read() as connection:
        return [each.text for each in pending_alerts(connection) if each.kind == "external_order"]


def test_an_execution_that_is_not_ours_is_told_of_once(room: Room):
    """One alert for the order, however many events it has; then ledger and exchange are to be compared."""
    room.pass_by(HOUR)
    events = events_of(room)
    parts = [
        stranger(room, x="NEW", X="NEW", z="0", Z="0", t=-1, N=None),
        stranger(room, X="PARTIALLY_FILLED", z="0.0004", Z="8", l="0.0004", Y="8"),
        stranger(room),
        stranger(room),
    ]

    came = events.take_in(parts)

    assert came.compare
    (text,) = queued(room)
    assert "web_1" in text
    assert room.orders() == []


def test_a_strangers_resting_order_is_told_of_before_it_is_filled(room: Room):
    """It blocks our coins already."""
    room.pass_by(HOUR)
    assert events_of(room).take_in([stranger(room, o="LIMIT", x="NEW", X="NEW", z="0", Z="0", t=-1, N=None)]).compare
    assert len(queued(room)) == 1


@pytest.mark.parametrize("event", [{"e": "executionReport"}, {"e": "balanceUpdate", "a": "USDT", "d": "5"}])
def test_what_it_does_not_understand_is_compared_for(room: Room, event):
    """Malformed, or something that came from outside: nothing is booked from it."""
    assert events_of(room).take_in([event]).compare


def test_a_stop_on_a_streams_price_sells(holding: Room):
    """The price is at the stop: sold at this very price, not at the next look."""
    (position,) = holding.positions()
    clock = holding.journal.clock
    holding.engine.price_check("BTCUSDT", Price(position.stop_price + 1, clock.now(), clock.monotonic()))
    assert len(holding.orders()) == 1

    holding.engine.price_check("BTCUSDT", Price(position.stop_price, clock.now(), clock.monotonic()))

    assert holding.orders()[-1].reason == ExitReason.STOP_LOSS
    assert holding.orders()[-1].state is OrderState.FILLED

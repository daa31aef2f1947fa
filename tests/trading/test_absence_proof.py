"""An order is taken for not placed only with the whole proof: each part of it alone holds the verdict back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from trading_room import BUY_NOW, HOUR, SELL_NOW, Room

from thunes_cli.clock import to_ms
from thunes_cli.ledger import breakers, orders
from thunes_cli.model import OrderState, Side
from thunes_cli.process import ProcessIdentity, boot_id, start_tick, this_process
from thunes_cli.trading.resolution import Resolver

SECOND = timedelta(seconds=1)
MS = timedelta(milliseconds=1)
SPAN = timedelta(seconds=5 + 5)  # recvWindow and margin
IN_DOUBT, PROVEN = OrderState.UNKNOWN, OrderState.NOT_PLACED


@pytest.fixture
def doubtful(room: Room) -> Room:
    """A room whose one order, sent just now, got no answer; the exchange never saw it."""
    room.exchange.script = ["unknown_before"]
    room.show(BUY_NOW)
    room.engine.signal_check()
    return room


def events(room: Room) -> list[str]:
    """The trail's events, oldest first."""
    return [json.loads(line)["event"] for line in room.journal.trail.path.read_text().splitlines()]


def ask(room: Room) -> OrderState:
    """Ask once, and what is thought of the order then."""
    room.resolver.resolve_due()
    return room.orders()[0].state


def test_the_exchanges_clock_must_be_past_its_last_instant(doubtful: Room) -> None:
    """Our own time does not say when the exchange stops taking an order: at the very instant it still may."""
    last = doubtful.journal.clock.now() + SPAN
    doubtful.exchange.server_time = lambda: last  # type: ignore[method-assign]
    for _ in range(10):
        doubtful.pass_by(HOUR)
        assert ask(doubtful) is IN_DOUBT

    doubtful.exchange.server_time = lambda: last + MS  # type: ignore[method-assign]
    doubtful.pass_by(HOUR)

    assert ask(doubtful) is PROVEN


def test_as_much_must_have_gone_by_here(doubtful: Room) -> None:
    """An exchange whose clock jumps ahead proves nothing before our own monotonic clock agrees."""
    seen = []
    for _ in range(7):
        doubtful.time.wall += HOUR
        seen.append(ask(doubtful))
        doubtful.time.monotonic += 2

    assert seen == [IN_DOUBT] * 6 + [PROVEN]  # after 0, 2 ... 10 s, and the first time that is more than ten


def test_one_answer_is_not_enough_however_late(doubtful: Room) -> None:
    """Three of them."""
    doubtful.pass_by(HOUR)
    seen = []
    for _ in range(3):
        seen.append(ask(doubtful))
        doubtful.pass_by(2 * SECOND)

    assert seen == [IN_DOUBT, IN_DOUBT, PROVEN]
    assert events(doubtful)[-2:] == ["ORDER_UNKNOWN", "ORDER_NOT_PLACED"]


def test_answers_in_a_row_are_one(doubtful: Room) -> None:
    """What is asked within two seconds of the last answer that counted does not count, whatever the wall clock says."""
    doubtful.pass_by(HOUR)
    seen = []
    for _ in range(5):
        seen.append(ask(doubtful))
        doubtful.time.wall += HOUR
        doubtful.time.monotonic += 1.999

    assert seen == [IN_DOUBT] * 4 + [PROVEN]  # the first, third and fifth


def test_answers_of_an_earlier_boot_do_not_count(doubtful: Room) -> None:
    """How long ago they were, nobody can tell."""
    doubtful.pass_by(HOUR)
    for _ in range(2):
        ask(doubtful)
        doubtful.pass_by(2 * SECOND)
    with doubtful.journal.change() as change:
        change.connection.execute("UPDATE orders SET last_absence_boot = 'another'")
    seen = []
    for _ in range(3):
        seen.append(ask(doubtful))
        doubtful.pass_by(2 * SECOND)

    assert seen == [IN_DOUBT, IN_DOUBT, PROVEN]


def test_an_order_that_the_exchange_has_had_is_never_taken_for_absent(doubtful: Room) -> None:
    """Once acknowledged it exists, whatever later answers say."""
    (order,) = doubtful.orders()
    with doubtful.journal.change() as change:
        acked = orders.change_state(
            change.connection, order.id, expected=(OrderState.UNKNOWN,), to=OrderState.ACKED, at=change.at
        )
    assert acked

    for _ in range(6):
        doubtful.pass_by(HOUR)
        assert ask(doubtful) is OrderState.ACKED


def test_somebody_elses_order_of_that_id_proves_nothing_either_way(doubtful: Room) -> None:
    """It is in the list and does not fit: neither booked nor taken for the proof that ours is not there."""
    (order,) = doubtful.orders()
    doubtful.exchange.script = ["ok"]
    wire = replace(doubtful.exchange.placed[0], side=Side.SELL, quantity=Decimal("0.001"), quote_quantity=None)
    doubtful.exchange.place(wire, timestamp_ms=to_ms(doubtful.journal.clock.now()))
    assert wire.client_order_id == order.client_order_id

    for _ in range(8):
        doubtful.pass_by(2 * SECOND)
        assert ask(doubtful) is IN_DOUBT
    assert doubtful.positions() == []


# -- whom it is asked about ------------------------------------------------------------------------------------------


@pytest.fixture
def asked(doubtful: Room, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that the exchange is asked for."""
    asked: list[str] = []

    def order(_symbol: str, client_order_id: str) -> None:
        asked.append(client_order_id)

    monkeypatch.setattr(doubtful.exchange, "order", order)
    return asked


def belongs(room: Room, owner: ProcessIdentity) -> None:
    """The order as it stands while that process waits for its answer."""
    with room.journal.change() as change:
        change.connection.execute(
            "UPDATE orders SET state = 'SENT', owner_pid = ?, owner_boot = ?, owner_started = ?", owner
        )


def test_another_living_process_is_not_interfered_with(doubtful: Room, asked: list[str]) -> None:
    """While it waits for its answer nobody asks, however long that takes, and nothing is concluded."""
    init = ProcessIdentity(1, boot_id(), start_tick(1) or 0)
    belongs(doubtful, init)

    for _ in range(6):
        doubtful.pass_by(HOUR)
        assert ask(doubtful) is OrderState.SENT
    assert asked == []


def test_our_own_order_is_left_alone_only_while_it_is_under_way(doubtful: Room, asked: list[str]) -> None:
    """A thread of ours is at it, or was and failed; then it is adopted."""
    belongs(doubtful, this_process())
    (order,) = doubtful.orders()
    under_way = {order.id}
    terms = {"margin": doubtful.plan.not_placed_margin, "max_daily_loss": Decimal(20)}
    resolver = Resolver(
        doubtful.journal, doubtful.exchange, doubtful.symbols, in_flight=lambda: frozenset(under_way), **terms
    )
    doubtful.pass_by(HOUR)

    assert resolver.adopt() == 0
    under_way.clear()
    assert resolver.adopt() == 1

    assert doubtful.orders()[0].state is OrderState.UNKNOWN
    assert asked == []


def test_it_is_not_asked_before_its_time(doubtful: Room, asked: list[str]) -> None:
    """Each answer says when the next question is due; a burst of passes asks once."""
    doubtful.pass_by(HOUR)

    for _ in range(5):
        ask(doubtful)
    doubtful.pass_by(2 * SECOND)
    ask(doubtful)

    assert len(asked) == 2


def test_nothing_is_asked_while_the_wire_is_closed(doubtful: Room, asked: list[str]) -> None:
    """An open breaker lets only its own probe out."""
    with doubtful.journal.change() as change:
        clock = doubtful.journal.clock
        breakers.save_opened(
            change.connection,
            breakers.REST,
            cause="HTTP 503",
            wall=change.at_wall,
            monotonic=clock.monotonic(),
            boot=boot_id(),
        )
    doubtful.pass_by(HOUR)

    assert ask(doubtful) is IN_DOUBT
    assert asked == []


def test_whoever_comes_second_changes_and_tells_nothing(doubtful: Room) -> None:
    """Somebody else has found the order meanwhile: no event says that it was not placed."""
    (before,) = doubtful.orders()
    with doubtful.journal.change() as change:
        orders.change_state(
            change.connection, before.id, expected=(OrderState.UNKNOWN,), to=OrderState.ACKED, at=change.at
        )

    assert not doubtful.resolver._move(before, OrderState.NOT_PLACED, why="a test")

    assert doubtful.orders()[0].state is OrderState.ACKED
    assert "ORDER_NOT_PLACED" not in events(doubtful)


def test_sales_that_never_arrive_are_an_exit_that_is_blocked(holding: Room) -> None:
    """Each proof that one was not placed is a failed attempt; the third tells the operator."""
    holding.exchange.script = ["unknown_before"] * 3
    holding.show(SELL_NOW)

    for _ in range(120):
        holding.engine.signal_check()
        holding.resolver.resolve_due()
        holding.pass_by(2 * SECOND)
        if len(holding.exchange.placed) == 1 + 3 + 1:
            break

    ends = [order.state for order in holding.orders()[1:]]
    assert ends == [PROVEN] * 3 + [OrderState.FILLED]
    assert "EXIT_BLOCKED" in events(holding)

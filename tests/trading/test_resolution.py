"""Every doubt is ended by asking: nothing is lost, nothing is sent twice, a negative needs proof."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from manual_time import ManualTime
from scripted_exchange import ScriptedExchange
from trading_room import BUY_AGAIN, BUY_NOW, HOUR, SELL_NOW, Room, assemble

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.failures import BreakerOpen, NotSent, OutcomeUnknown
from thunes_cli.ledger import orders
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import take_client_order_id
from thunes_cli.ledger.reconcile import begin_finding
from thunes_cli.model import MarketOrder, OrderState, PositionStatus, Side
from thunes_cli.process import ProcessIdentity, boot_id

SECOND = timedelta(seconds=1)
FORK = multiprocessing.get_context("fork")


def settle(room: Room, *, seconds: int = 60) -> int:
    """Let the resolver work once a second; how many seconds it took."""
    for second in range(seconds):
        if room.resolver.resolve_due() == 0:
            return second
        room.pass_by(SECOND)
    pytest.fail("still unresolved")


def test_executed_after_a_time_out_is_found_and_booked(room: Room) -> None:
    """An order whose answer was lost is found by its id; it is never sent again."""
    room.exchange.script = ["unknown_after"]
    room.show(BUY_NOW)
    (tick,) = room.engine.signal_check()
    assert tick.order_state is OrderState.UNKNOWN

    settle(room)

    assert [order.state for order in room.orders()] == [OrderState.FILLED]
    assert len(room.exchange.placed) == 1
    assert room.exchange.balances["BTC"] == 3 + room.positions()[0].quantity


def test_symbol_takes_no_entry_while_in_doubt(room: Room) -> None:
    """While one outcome is open, no other order of that symbol can exist."""
    room.exchange.script = ["unknown_before"]
    room.show(BUY_NOW)
    room.engine.signal_check()
    room.pass_by(timedelta(hours=3))
    room.show(BUY_AGAIN)

    (tick,) = room.engine.signal_check()

    assert tick.reason == "duplicate_position"
    assert len(room.exchange.placed) == 1


def test_absence_needs_all_of_its_proof(room: Room) -> None:
    """Not placed is believed after recvWindow + margin on both clocks and three answers, not sooner."""
    room.exchange.script = ["unknown_before"]
    room.show(BUY_NOW)
    room.engine.signal_check()

    took = settle(room)

    (order,) = room.orders()
    assert order.state is OrderState.NOT_PLACED
    assert took > 10  # recvWindow 5 s + margin 5 s
    assert len(room.exchange.placed) == 1


def test_lagging_answers_prove_nothing(room: Room) -> None:
    """ "No such order" from a lagging source, ever so often, loses against the order list."""
    room.exchange.script = ["unknown_after"]
    room.exchange.hidden_queries = 1000
    room.show(BUY_NOW)
    room.engine.signal_check()

    settle(room)

    assert [order.state for order in room.orders()] == [OrderState.FILLED]


@pytest.mark.parametrize("side", list(Side))
def test_balances_that_show_it_outweigh_every_list(room: Room, side: Side) -> None:
    """No query and no list knows it for minutes, but its coins moved: it is waited for, and booked in the end."""
    if side is Side.SELL:
        room.show(BUY_NOW)
        room.engine.signal_check()
        room.pass_by(HOUR)
    room.exchange.script = ["unknown_after"]
    room.exchange.hidden_queries, room.exchange.lists_lag = 10_000, True
    room.show(BUY_NOW if side is Side.BUY else SELL_NOW)
    room.engine.signal_check()

    for _ in range(300):
        assert room.resolver.resolve_due() == 1
        room.pass_by(SECOND)
    room.exchange.hidden_queries, room.exchange.lists_lag = 0, False

    settle(room)
    assert {order.state for order in room.orders()} == {OrderState.FILLED}
    assert len(room.exchange.placed) == len(room.orders())


def test_coins_that_moved_otherwise_do_not_hold_a_symbol_for_ever(room: Room) -> None:
    """The order was never placed, and a deposit looks as if it had been: after ten minutes no list lags any more."""
    room.exchange.script = ["unknown_before"]
    room.show(BUY_NOW)
    room.engine.signal_check()
    room.exchange.balances["BTC"] += Decimal("0.0006")

    took = settle(room, seconds=700)

    assert took > 600
    assert room.orders()[0].state is OrderState.NOT_PLACED


def test_a_difference_that_is_known_contradicts_nothing(room: Room) -> None:
    """A comparison has found the deposit already: the order is proven not placed as soon as without it."""
    room.exchange.balances["BTC"] += Decimal("0.0006")
    with room.journal.change() as change:
        begin_finding(
            *(change.connection, "exchange_more:BTC:0.0006"),
            kind="exchange_more",
            severity="medium",
            exchange_epoch=1,
            at=change.at,
        )
    room.exchange.script = ["unknown_before"]
    room.show(BUY_NOW)
    room.engine.signal_check()

    assert settle(room) < 30

    assert room.orders()[0].state is OrderState.NOT_PLACED


def test_nothing_is_concluded_while_the_exchange_is_silent(room: Room) -> None:
    """An exchange that cannot be asked proves neither; the truth is booked when it answers."""
    room.exchange.script = ["unknown_after"]
    room.show(BUY_NOW)
    room.engine.signal_check()
    room.exchange.down = True
    for _ in range(120):
        assert room.resolver.resolve_due() == 1
        room.pass_by(SECOND)
    room.exchange.down = False

    settle(room)

    assert [order.state for order in room.orders()] == [OrderState.FILLED]


def test_exit_in_doubt_is_resolved_then_tried_again(holding: Room) -> None:
    """A SELL that never arrived is proven so, and the next attempt sells once."""
    holding.exchange.script = ["unknown_before"]
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    settle(holding)

    holding.engine.stop_check()

    (position,) = holding.positions()
    assert position.status is PositionStatus.CLOSED
    sells = [order for order in holding.orders() if order.side is Side.SELL]
    assert [(order.attempt, order.state) for order in sells] == [(1, OrderState.NOT_PLACED), (2, OrderState.FILLED)]


@pytest.mark.parametrize(
    "failure", [NotSent("connection refused"), BreakerOpen("the breaker is open", "soon")], ids=["refused", "breaker"]
)
def test_what_never_left_is_not_doubted(room: Room, failure: Exception) -> None:
    """A failure that proves that nothing was sent ends the order at once."""
    room.exchange.script = [failure]
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert tick.order_state is OrderState.NOT_PLACED


def test_answer_that_does_not_fit_is_not_ours(room: Room) -> None:
    """An order of the same id but another side or amount is not booked as ours."""
    room.exchange.script = [OutcomeUnknown("lost")]
    room.show(BUY_NOW)
    room.engine.signal_check()
    (order,) = room.orders()
    stranger = room.exchange._execute(
        MarketOrder("BTCUSDT", Side.SELL, order.client_order_id, quantity=Decimal("0.5")),
        room.journal.clock.now(),
        share=Decimal(1),
    )
    room.exchange.reports[order.client_order_id] = stranger

    for _ in range(5):
        room.resolver.resolve_due()
        room.pass_by(2 * SECOND)

    assert room.orders()[0].state is OrderState.UNKNOWN
    assert room.positions() == []


def dead_process() -> ProcessIdentity:
    """A process of this boot that has ended."""
    worker = FORK.Process(target=int)
    worker.start()
    worker.join()
    return ProcessIdentity(worker.pid or 0, boot_id(), 1)


def leave_behind(room: Room, *, sent: bool, base: str = "BTC") -> None:
    """An order as a process killed before or after the SENT commit leaves it."""
    with room.journal.change() as change:
        connection = change.connection
        new = orders.NewOrder(
            client_order_id=take_client_order_id(connection, Side.BUY),
            exchange_epoch=1,
            symbol=f"{base}USDT",
            base=base,
            quote="USDT",
            side=Side.BUY,
            strategy="sma",
            stop_loss_pct=Decimal(3),
            requested_quote=Decimal(12),
        )
        order = orders.insert_intent(connection, new, at=change.at, owner=dead_process())
        if sent:
            orders.change_state(
                connection,
                order.id,
                expected=(OrderState.INTENT,),
                to=OrderState.SENT,
                at=change.at,
                sent_timestamp_ms=int(change.at.timestamp() * 1000),
                recv_window_ms=5000,
                sent_mono=room.time.monotonic,
                sent_boot=boot_id(),
            )


def test_orders_in_doubt_share_a_look_at_the_account(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is the dearest question of a proof: orders that fall due together ask it once."""
    for base in ("BTC", "ETH", "SOL"):
        leave_behind(room, sent=True, base=base)
    answer, looks = room.exchange.account, []
    monkeypatch.setattr(room.exchange, "account", lambda: looks.append(1) or answer())

    settle(room)

    assert [order.state for order in room.orders()] == [OrderState.NOT_PLACED] * 3
    assert looks == [1]


def test_intent_of_a_dead_process_was_never_sent(room: Room) -> None:
    """INTENT after a crash is NOT_PLACED at once: the first byte leaves only after SENT is durable."""
    leave_behind(room, sent=False)

    assert room.resolver.adopt() == 1

    assert room.orders()[0].state is OrderState.NOT_PLACED


def test_sent_of_a_dead_process_is_unknown(room: Room) -> None:
    """SENT after a crash may have been executed: it is asked for."""
    leave_behind(room, sent=True)

    assert room.resolver.adopt() == 1

    assert room.orders()[0].state is OrderState.UNKNOWN


def test_order_of_a_living_process_is_left_alone(room: Room) -> None:
    """Another process's order in flight is that process's business."""
    ready, done = FORK.Event(), FORK.Event()

    def hold() -> None:
        own = Journal(Ledger(room.journal.ledger.path), room.journal.trail.path, room.journal.clock)
        other = assemble(own, ScriptedExchange(own.clock), room.time, home=room.journal.ledger.path.parent)
        other.exchange.before_place = lambda: (ready.set(), done.wait(30))  # type: ignore[assignment,return-value]
        other.show(BUY_NOW)
        other.engine.signal_check()

    worker = FORK.Process(target=hold)
    worker.start()
    assert ready.wait(30)

    adopted = room.resolver.adopt()

    done.set()
    worker.join()
    assert adopted == 0
    assert [order.state for order in room.orders()] == [OrderState.FILLED]


def test_earlier_boot_waits_from_our_own_start(time: ManualTime, journal: Journal, bare_home: Path) -> None:
    """A monotonic reading of another boot proves nothing: the wait counts from the resolver's start."""
    room = assemble(journal, ScriptedExchange(journal.clock), time, home=bare_home)
    leave_behind(room, sent=True)
    with journal.change() as change:
        change.connection.execute("UPDATE orders SET sent_boot = 'another', sent_mono = 0")
    room.pass_by(timedelta(hours=1))
    later = assemble(journal, room.exchange, time, home=bare_home)

    took = settle(later)

    assert took > 10
    assert later.orders()[0].state is OrderState.NOT_PLACED

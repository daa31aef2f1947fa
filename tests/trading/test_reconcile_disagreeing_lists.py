"""Lists of the exchange that disagree, with each other or with what a process is at: asked again, not guessed."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from reconcile_room import findings, forget_fills, kinds, look, reconciler, stranger
from trading_room import HOUR, SELL_NOW, Room

from thunes_cli.errors import MismatchError
from thunes_cli.model import Order, OrderReport, OrderState, PositionStatus, Side, Trade
from thunes_cli.process import ProcessIdentity, boot_id, start_tick
from thunes_cli.trading.operator_word import Judgement
from thunes_cli.trading.reconcile_look import Scope

ALICE = Judgement("alice", "monthly wipe")
SECOND = timedelta(seconds=1)
EVERYTHING = Scope(since=None)


@contextmanager
def another_process() -> Iterator[ProcessIdentity]:
    """A process that lives until the end."""
    with subprocess.Popen(["sleep", "600"]) as child:
        yield ProcessIdentity(child.pid, boot_id(), start_tick(child.pid) or 0)
        child.send_signal(signal.SIGKILL)


def sell_in_doubt(room: Room, outcome: str) -> Order:
    """The exit of the room's position, sent, with an answer that never came."""
    room.exchange.script.append(outcome)
    room.show(SELL_NOW)
    room.engine.signal_check()
    return room.orders()[-1]


def owned(room: Room, order: Order, owner: ProcessIdentity, state: OrderState) -> None:
    """That process has the order in hand."""
    with room.journal.change() as change:
        change.connection.execute(
            "UPDATE orders SET state = ?, owner_pid = ?, owner_boot = ?, owner_started = ? WHERE id = ?",
            (state, *owner[:2], owner.started, order.id),
        )


def wipe(room: Room) -> None:
    room.exchange.reports.clear()
    room.exchange.balances = {"USDT": Decimal(10000), "BTC": Decimal(1)}


def split(report: OrderReport) -> tuple[Trade, Trade]:
    """Its trade as two of half the size."""
    (trade,) = report.trades
    half = {
        "quantity": trade.quantity / 2,
        "quote_quantity": trade.quote_quantity / 2,
        "commission": trade.commission / 2,
    }
    return replace(trade, **half), replace(trade, **half, trade_id=trade.trade_id + 1000)


# -- what another process is at ---------------------------------------------------------------------------------------


def test_an_order_that_a_living_process_is_sending_is_no_difference(holding: Room) -> None:
    """For as long as a request may take; then, or when its process is gone, it is an order in doubt like any other."""
    order = sell_in_doubt(holding, "unknown_after")
    with another_process() as owner:
        owned(holding, order, owner, OrderState.SENT)
        assert look(holding).books.in_flight == {order.id}
        assert kinds(holding) == []
        holding.pass_by(16 * SECOND)
        assert kinds(holding) == ["unresolved_order"]
        owned(holding, order, owner, OrderState.INTENT)
        with holding.journal.change() as change:
            change.connection.execute("UPDATE orders SET sent_mono = NULL WHERE id = ?", (order.id,))
        assert look(holding).books.in_flight == {order.id}
    assert look(holding).books.in_flight == frozenset()


def test_a_wipe_is_not_accepted_while_an_order_leaves(holding: Room) -> None:
    """Which life it belongs to is not known before it has its answer."""
    order = sell_in_doubt(holding, "unknown_before")
    wipe(holding)
    with another_process() as owner:
        owned(holding, order, owner, OrderState.SENT)
        worker = reconciler(holding)
        with pytest.raises(MismatchError, match="on its way"):
            worker.accept(worker.look(EVERYTHING), ALICE)


def test_an_order_in_doubt_ends_with_the_wipe(holding: Room) -> None:
    """Nobody can be asked about it any more: it ends as expired, its position with the others of that life."""
    doubtful = sell_in_doubt(holding, "unknown_before")
    wipe(holding)
    worker = reconciler(holding)
    done = worker.routine(by="job")
    assert done.look.comparison.wiped

    worker.accept(done.look, ALICE)

    (order,) = [each for each in holding.orders() if each.id == doubtful.id]
    assert (order.state, order.error) == (OrderState.EXPIRED, "the exchange was wiped")
    assert [position.status for position in holding.positions()] == [PositionStatus.CLOSED]
    assert '"why":"the exchange was wiped"' in holding.journal.trail.path.read_text().replace(": ", ":")
    assert findings(holding) == []


# -- lists that lag ---------------------------------------------------------------------------------------------------


def test_trades_that_the_list_has_not_yet_are_asked_for_by_order(
    holding: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list shows half of what the order says it executed; the order's own trades complete it."""
    (report,) = holding.exchange.reports.values()
    first, second = split(report)
    holding.exchange.reports[report.client_order_id] = replace(report, trades=(first, second))
    before = holding.positions()[0].quantity
    forget_fills(holding, first.trade_id)

    def trades(symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        del symbol, from_trade_id
        return [first] if order_id is None else [first, second]

    monkeypatch.setattr(holding.exchange, "trades", trades)
    reconciler(holding).routine(by="job")

    assert holding.positions()[-1].quantity == before


def test_an_order_that_only_its_trade_tells_of_is_asked_for_by_name(
    holding: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither list nor number shows the order yet: nothing is booked before it is told of, then all of it."""
    before = holding.positions()[0].quantity
    (trade,) = holding.exchange.trades("BTCUSDT")
    forget_fills(holding, trade.trade_id)
    monkeypatch.setattr(holding.exchange, "orders", lambda *_, **__: [])
    holding.exchange.hidden_queries = 99
    assert reconciler(holding).routine(by="job").applied == ()

    holding.exchange.hidden_queries = 0
    reconciler(holding).routine(by="job")

    assert holding.positions()[-1].quantity == before


def test_an_order_that_still_works_is_asked_for_again(holding: Room) -> None:
    """Half executed and not over: what there is gets booked, and the order is looked after until its end."""
    sent = sell_in_doubt(holding, "unknown_after")
    whole = holding.exchange.reports[sent.client_order_id]
    first, second = split(whole)
    holding.exchange.reports[sent.client_order_id] = replace(
        whole, status="PARTIALLY_FILLED", executed_qty=first.quantity, executed_quote=first.quote_quantity,
        trades=(first,),
    )  # fmt: skip

    reconciler(holding).routine(by="job")

    order = holding.orders()[-1]
    assert (order.state, order.executed_qty) == (OrderState.ACKED, first.quantity)
    holding.exchange.reports[sent.client_order_id] = replace(whole, trades=(first, second))
    holding.resolver.resolve_due()
    assert holding.orders()[-1].state is OrderState.ACKED  # it was asked for a moment ago
    holding.pass_by(SECOND)
    holding.resolver.resolve_due()
    assert holding.orders()[-1].state is OrderState.FILLED
    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_a_sale_whose_purchase_nobody_remembers_is_not_booked(holding: Room) -> None:
    """There is no position it could belong to: it stays a finding for a person, and nothing is invented."""
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    bought, _ = holding.exchange.reports
    del holding.exchange.reports[bought]
    with holding.journal.change() as change:
        for table in ("dust_moves", "fills", "orders", "positions"):
            change.connection.execute(f"DELETE FROM {table}")
    holding.pass_by(HOUR)

    done = reconciler(holding).routine(by="job")

    assert done.applied == ()
    assert holding.orders() == []
    assert "unrecorded_fill" in kinds(holding)


def test_trades_of_an_order_that_nobody_lists_are_a_strangers(holding: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their sums are known, how the order stands is not; accepted, they explain the balances."""
    foreign = stranger(holding, Side.BUY, "100")
    lists = holding.exchange.orders
    monkeypatch.setattr(
        holding.exchange,
        "orders",
        lambda *args, **more: [each for each in lists(*args, **more) if each.order_id != foreign.order_id],
    )
    worker = reconciler(holding)
    assert kinds(holding) == ["external_order", "local_more", "exchange_more"]
    done = worker.routine(by="job")

    worker.accept(done.look, Judgement("alice", "mine"))

    assert kinds(holding) == []


def test_a_booked_trade_that_the_list_lacks_is_missing(holding: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is listed and its trade is not: said, and nothing is unbooked."""
    holding.pass_by(HOUR)
    before = holding.positions()
    monkeypatch.setattr(holding.exchange, "trades", lambda *_, **__: [])

    assert "missing_order" in kinds(holding)
    reconciler(holding).routine(by="job")

    assert holding.positions() == before

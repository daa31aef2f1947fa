"""What a comparison settles by itself, what it stops, and what it tells whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from reconcile_room import findings, forget_fills, frozen, kinds, look, reconciler, stranger
from settled_room import alerts, events
from trading_room import BUY_NOW, HOUR, SELL_NOW, Room

from thunes_cli.ledger.external import read_external
from thunes_cli.model import OrderState, PositionStatus, Side
from thunes_cli.risk.freezing import freeze_symbol
from thunes_cli.risk.kill_switch import counted_result
from thunes_cli.trading.booking import refold
from thunes_cli.trading.reconcile_look import Scope


def test_a_lost_fill_is_booked_as_it_was(holding: Room) -> None:
    """Position, cost and result are those of the ledger that never lost it."""
    (before,) = holding.positions()
    (trade,) = holding.exchange.trades("BTCUSDT")
    forget_fills(holding, trade.trade_id)

    done = reconciler(holding).routine(by="job")

    (after,) = holding.positions()
    assert replace(after, id=before.id, entry_time=before.entry_time) == before
    assert [item.kind for item in done.applied] == ["unrecorded_fill"]
    assert done.look.comparison.clean
    assert "taken for finished with 0" in alerts(holding, "late_order")[0]


def test_an_order_that_the_ledger_lost_is_ours_again(holding: Room) -> None:
    """A ledger restored from before the order: its client id says that it is ours, so it is booked."""
    with holding.journal.change() as change:
        for table in ("fills", "orders", "positions"):
            change.connection.execute(f"DELETE FROM {table}")
    holding.pass_by(HOUR)

    done = reconciler(holding).routine(by="start")

    (position,) = holding.positions()
    assert position.quantity == Decimal("0.0005994")
    assert [item.kind for item in done.applied] == ["unrecorded_fill"]
    assert events(holding, "ORDER_IMPORTED")
    assert findings(holding) == []


def test_a_lost_round_trip_is_booked_in_order(holding: Room) -> None:
    """The sale belongs to the position that the purchase opens."""
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    with holding.journal.change() as change:
        for table in ("dust_moves", "fills", "orders", "positions"):
            change.connection.execute(f"DELETE FROM {table}")
    holding.pass_by(HOUR)

    reconciler(holding).routine(by="start")

    (position,) = holding.positions()
    assert position.status is PositionStatus.CLOSED
    assert findings(holding) == []


def test_an_order_in_doubt_is_settled(holding: Room) -> None:
    """What the exchange says of it now is booked, whoever asked first."""
    holding.exchange.script.append("unknown_after")
    holding.show(SELL_NOW)
    holding.engine.signal_check()

    done = reconciler(holding).routine(by="job")

    assert holding.orders()[-1].state is OrderState.FILLED
    assert [item.kind for item in done.applied] == ["unresolved_order"]


def test_a_proven_negative_found_after_all_is_booked(room: Room) -> None:
    """Never ignored: the coins are there."""
    room.exchange.script.append("unknown_after")
    room.show(BUY_NOW)
    room.engine.signal_check()
    (order,) = room.orders()
    with room.journal.change() as change:
        change.connection.execute("UPDATE orders SET state = 'NOT_PLACED'")
    room.pass_by(timedelta(minutes=1))

    reconciler(room).routine(by="job")

    assert room.orders()[0].state is OrderState.FILLED
    assert "taken for not placed" in alerts(room, "late_order")[0]
    assert order.client_order_id in alerts(room, "late_order")[0]


def test_an_order_taken_for_a_strangers_is_taken_back(room: Room) -> None:
    """Its trades were told long before itself; once it is listed under our id, nobody is accused any more."""
    room.exchange.script.append("unknown_after")
    room.show(BUY_NOW)
    room.engine.signal_check()
    with room.journal.change() as change:
        change.connection.execute("UPDATE orders SET state = 'NOT_PLACED'")
    room.pass_by(timedelta(minutes=1))
    listed = room.exchange.orders
    room.exchange.orders = lambda _symbol, **_: []  # type: ignore[method-assign]
    reconciler(room).routine(by="job")
    assert "external_order" in kinds(room)

    room.exchange.orders = listed  # type: ignore[method-assign]
    reconciler(room).routine(by="job")

    assert room.orders()[0].state is OrderState.FILLED
    assert findings(room) == []
    with room.journal.read() as connection:
        assert read_external(connection, exchange_epoch=1) == []


def test_a_strangers_order_keeps_its_name(holding: Room) -> None:
    """Cancelled, it is listed under its cancel's id; the operator knows it by the one that was alerted."""
    placed = stranger(holding, Side.BUY, "100")
    holding.exchange.reports[placed.client_order_id] = replace(placed, status="PARTIALLY_FILLED")
    reconciler(holding).routine(by="job")

    holding.exchange.reports = {
        name: replace(report, status="CANCELED", client_order_id="cancel_1") if name == "web_7f3a" else report
        for name, report in holding.exchange.reports.items()
    }

    assert {ref.client_order_id for found in findings(holding) for ref in found.orders} == {"web_7f3a"}


def test_doing_it_twice_changes_nothing(holding: Room) -> None:
    """Nothing is booked, recorded or alerted a second time."""
    (trade,) = holding.exchange.trades("BTCUSDT")
    forget_fills(holding, trade.trade_id)
    reconciler(holding).routine(by="job")
    before = (holding.positions(), holding.orders(), len(alerts(holding)))

    again = reconciler(holding).routine(by="job")

    assert again.applied == ()
    assert (holding.positions(), holding.orders(), len(alerts(holding))) == before


def test_a_fee_the_exchange_says_otherwise_is_corrected(holding: Room) -> None:
    """To the last digit, with what it does to position and result."""
    with holding.journal.change() as change:
        change.connection.execute("UPDATE fills SET fee = '0.0000001', fee_quote = '0.002'")
        refold(change, 1)
    assert kinds(holding) == ["fee_drift"]

    reconciler(holding).routine(by="job")

    (position,) = holding.positions()
    assert position.quantity == Decimal("0.0005994")
    assert events(holding, "FEE_CORRECTED")[0]["fee"] == "0.0000006"
    assert findings(holding) == []


def test_a_finding_alerts_once_as_long_as_it_lasts(holding: Room) -> None:
    """New findings alert, lasting ones do not, and the end is told."""
    holding.exchange.balances["USDT"] += 50
    worker = reconciler(holding)

    worker.routine(by="job")
    worker.routine(by="job")
    assert len(alerts(holding)) == 1
    assert "50 USDT more" in alerts(holding)[0]
    holding.exchange.balances["USDT"] -= 50
    worker.routine(by="job")

    assert alerts(holding)[1:] == ["Ledger and exchange agree again. Next: thunes status"]
    assert [record["clean"] for record in events(holding, "RECONCILED")] == [False, False, True]


def test_information_does_not_alert(holding: Room) -> None:
    """Five hundred testnet assets wake nobody."""
    holding.exchange.balances["SHIB"] = Decimal(1000)

    done = reconciler(holding).routine(by="job")

    assert done.look.comparison.clean
    assert alerts(holding) == []


@pytest.mark.parametrize(
    ("trouble", "stopped"),
    [
        pytest.param("deposit", set(), id="money came"),
        pytest.param("stranger", set(), id="somebody traded"),
        pytest.param("gone", {"BTCUSDT"}, id="coins of a position are gone"),
        pytest.param("copy", {"BTCUSDT"}, id="a second copy of this home"),
        pytest.param("wiped", {"BTCUSDT"}, id="a wiped exchange"),
    ],
)
def test_what_is_not_understood_takes_no_entries(holding: Room, trouble: str, stopped: set[str]) -> None:
    """Where it is not known what we hold, nothing more is bought; a deposit stops nobody."""
    if trouble == "deposit":
        holding.exchange.balances["USDT"] += 50
    elif trouble == "gone":
        holding.exchange.balances["BTC"] = Decimal(0)
    elif trouble == "wiped":
        holding.exchange.reports.clear()
        holding.exchange.balances = {"USDT": Decimal(10000), "BTC": Decimal(1)}
    else:
        name = "thabcdefzzz-B-1" if trouble == "copy" else "web_1"
        stranger(holding, Side.BUY, "100", client_order_id=name)

    reconciler(holding).routine(by="job")

    assert frozen(holding).keys() == stopped


@pytest.mark.parametrize("trouble", ["copy", "wiped", "web"])
def test_what_stops_everything_does_so_whoever_asked(holding: Room, trouble: str) -> None:
    """An operator's comparison says "entries are stopped" and means it; it freezes nothing else, and frees again."""
    worker = reconciler(holding)
    before = dict(holding.exchange.reports), dict(holding.exchange.balances)
    if trouble == "wiped":
        holding.exchange.reports.clear()
        holding.exchange.balances = {"USDT": Decimal(10000), "BTC": Decimal(1)}
    else:
        stranger(holding, Side.BUY, "100", client_order_id="thabcdefzzz-B-1" if trouble == "copy" else "web_1")

    worker.keep(look(holding), by="operator")

    assert frozen(holding).keys() == (set() if trouble == "web" else {"BTCUSDT"})
    if trouble == "wiped":
        holding.exchange.reports, holding.exchange.balances = before
        worker.keep(look(holding), by="operator")
        assert frozen(holding) == {}


def test_a_freeze_of_ours_ends_with_its_reason_and_others_stay(holding: Room) -> None:
    """What a person froze only a person frees."""
    balance = holding.exchange.balances["BTC"]
    holding.exchange.balances["BTC"] = Decimal(0)
    worker = reconciler(holding)
    worker.routine(by="job")
    with holding.journal.change() as change:
        freeze_symbol(change, "ETHUSDT", reason="by hand", actor="alice")
    holding.exchange.balances["BTC"] = balance

    worker.routine(by="job")

    assert frozen(holding).keys() == {"ETHUSDT"}


def test_the_next_look_reads_only_what_is_new(holding: Room) -> None:
    """Cursors move; what waits to be booked is found again."""
    worker = reconciler(holding)
    worker.routine(by="job")
    holding.pass_by(timedelta(days=3))
    asked: list[int | None] = []
    answer = holding.exchange.trades

    def trades(symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> object:
        asked.append(from_trade_id)
        return answer(symbol, order_id=order_id, from_trade_id=from_trade_id)

    holding.exchange.trades = trades  # type: ignore[method-assign, assignment]
    (trade,) = answer("BTCUSDT")

    done = worker.routine(by="job")

    assert done.look.comparison.clean
    assert asked[0] == trade.trade_id, "the newest of ours shows that the exchange still knows us"


def test_what_cannot_be_booked_yet_is_found_again(holding: Room) -> None:
    """A run that settled nothing does not read past what it found."""
    (trade,) = holding.exchange.trades("BTCUSDT")
    forget_fills(holding, trade.trade_id)
    worker = reconciler(holding)
    worker.keep(worker.look(Scope(since=holding.journal.clock.now())), by="operator")

    again = worker.look(Scope(since=holding.journal.clock.now()))

    assert [str(each.kind) for each in again.comparison.findings] == ["unrecorded_fill"]


def test_results_found_late_count_towards_the_daily_loss(holding: Room) -> None:
    """A loss that nobody had booked trips the switch when it is booked."""
    holding.exchange.price = Decimal(10500)
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    with holding.journal.read() as connection:
        loss = counted_result(connection, holding.journal.clock.now())
    assert loss < -5
    forget_fills(holding, holding.exchange.trades("BTCUSDT")[-1].trade_id)

    reconciler(holding).routine(by="job")

    with holding.journal.read() as connection:
        assert counted_result(connection, holding.journal.clock.now()) == loss

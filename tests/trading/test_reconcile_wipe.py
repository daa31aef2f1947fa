"""Two lives of one exchange, two copies of one home: what belongs to whom after a wipe or beside a twin."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from reconcile_room import findings, frozen, reconciler, stranger
from scripted_exchange import rules_of
from settled_room import alerts, events
from trading_room import BUY_AGAIN, BUY_NOW, HOUR, SELL_NOW, Room

from thunes_cli.ledger.identity import read_identity
from thunes_cli.model import OrderState, PositionStatus, Side
from thunes_cli.trading.operator_word import Judgement


def test_trading_goes_on_after_a_wipe_is_accepted(holding: Room) -> None:
    """Old positions end outside the result, a new baseline is taken, and the next signal is bought."""
    holding.exchange.reports.clear()
    holding.exchange.balances = {"USDT": Decimal(10000), "BTC": Decimal(1)}
    worker = reconciler(holding)
    done = worker.routine(by="job")
    (before,) = holding.positions()
    worker.accept(done.look, Judgement("alice", "monthly wipe"))

    (position,) = holding.positions()
    assert (position.status, position.quantity, position.realized) == (PositionStatus.CLOSED, 0, before.realized)
    assert frozen(holding) == {}
    assert findings(holding) == []
    holding.pass_by(2 * HOUR)
    holding.show(BUY_AGAIN)
    holding.engine.signal_check()
    assert holding.orders()[-1].state is OrderState.FILLED
    assert findings(holding) == []


def test_a_wiped_exchanges_grant_is_not_sold(holding: Room) -> None:
    """Its coins are not ours: the exit waits, and says for what."""
    holding.exchange.reports.clear()
    holding.exchange.balances = {"USDT": Decimal(10000), "BTC": Decimal(1)}
    reconciler(holding).routine(by="job")
    holding.exchange.price = Decimal(19000)

    holding.engine.stop_check()

    (position,) = holding.positions()
    assert position.exit_wanted is not None
    assert "wiped" in (position.exit_problem or "")
    assert holding.exchange.balances["BTC"] == 1


def test_a_copy_is_the_reason_that_is_given(room: Room) -> None:
    """Entries are refused by that name, on every symbol."""
    stranger(room, Side.BUY, "100", client_order_id="thabcdefzzz-B-1")
    room.pass_by(HOUR)
    reconciler(room).routine(by="job")
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert (tick.decision, tick.reason) == ("rejected", "other_copy")


def test_ids_that_a_copy_may_use_are_left_to_it(room: Room) -> None:
    """A number we never used, under our own epoch: from now on ours is another, drawn once and on the trail."""
    stranger(room, Side.BUY, "100", client_order_id="thabcdefabc-B-999")
    room.pass_by(HOUR)

    reconciler(room).routine(by="job")
    reconciler(room).routine(by="job")

    (drawn,) = events(room, "EPOCH_DRAWN")
    with room.journal.read() as connection:
        assert read_identity(connection).epoch == drawn["epoch"] != "abc"
    assert (drawn["before"], drawn["client_order_id"], drawn["why"]) == ("abc", "thabcdefabc-B-999", "copy")


def test_a_purchase_after_the_wipe_is_ours_in_the_next_life(holding: Room) -> None:
    """Bought before anybody noticed the wipe: it stays a position, and its coins are not in the new baseline."""
    holding.exchange.reports.clear()
    holding.exchange.balances = {"USDT": Decimal(10000), "ETH": Decimal(0)}
    with holding.journal.change() as change:
        change.connection.execute("UPDATE positions SET symbol = 'ETHUSDT', base = 'ETH'")
        change.connection.execute("UPDATE orders SET symbol = 'ETHUSDT', base = 'ETH'")
        change.connection.execute("UPDATE fills SET symbol = 'ETHUSDT', fee_asset = 'ETH'")
    holding.exchange.rules["ETHUSDT"] = rules_of("ETHUSDT")
    holding.pass_by(2 * HOUR)
    holding.show(BUY_AGAIN)
    holding.engine.signal_check()
    assert [position.symbol for position in holding.positions()] == ["ETHUSDT", "BTCUSDT"]
    holding.pass_by(HOUR)
    worker = reconciler(holding)
    done = worker.routine(by="job")
    assert done.look.comparison.wiped

    worker.accept(done.look, Judgement("alice", "wipe"))

    old, new = holding.positions()
    assert (old.status, new.status) == (PositionStatus.CLOSED, PositionStatus.OPEN)
    assert (old.exchange_epoch, new.exchange_epoch) == (1, 2)
    assert findings(holding) == []
    holding.exchange.price = Decimal(10)
    holding.exchange.price = Decimal(19000)
    holding.engine.stop_check()
    assert holding.positions()[1].status is PositionStatus.CLOSED
    assert findings(holding) == []


def test_trade_ids_that_begin_anew_are_noticed(holding: Room) -> None:
    """A wiped exchange counts from one again: nothing is guessed, and it settles once accepted."""
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    first, *_ = holding.exchange.reports.values()
    holding.exchange.reports.clear()
    holding.exchange._next_id = first.trades[0].trade_id - 1
    holding.exchange.balances = {"USDT": Decimal(10000), "BTC": Decimal(1)}
    holding.pass_by(2 * HOUR)
    holding.show(BUY_AGAIN)

    holding.engine.signal_check()

    order = holding.orders()[-1]
    assert order.state is OrderState.ACKED
    assert "was the exchange wiped?" in alerts(holding, "trade_id_reused")[0]
    holding.pass_by(HOUR)
    worker = reconciler(holding)
    done = worker.routine(by="job")
    assert done.look.comparison.wiped
    worker.accept(done.look, Judgement("alice", "wipe"))
    holding.pass_by(timedelta(seconds=5))
    holding.resolver.resolve_due()
    assert holding.orders()[-1].state is OrderState.FILLED
    assert findings(holding) == []

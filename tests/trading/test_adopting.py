"""What a person's word does to coins: it is folded like a trade, moves no money, and is never said twice."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from reconcile_room import findings, forget_fills, frozen, kinds, look, reconciler, stranger
from trading_room import HOUR, SELL_NOW, Room

from thunes_cli.errors import MismatchError, NotFound
from thunes_cli.ledger import positions
from thunes_cli.ledger.baseline import read_not_ours
from thunes_cli.model import ExitReason, Position, PositionStatus, Side
from thunes_cli.risk.kill_switch import counted_result
from thunes_cli.trading.adopting import (
    Accepted,
    LedgerMoved,
    accept_difference,
    accept_explained,
    adopt,
    release,
    require_position,
)
from thunes_cli.trading.operator_word import Judgement

ALICE = Judgement("alice", "I know", {"uid": 1000, "sudo_user": None, "tty": "/dev/pts/1", "host": "here"})
MANY = Decimal(1_000_000)


def accept(room: Room, asset: str) -> Accepted:
    seen = look(room)
    reconciler(room).keep(seen, by="operator")
    with room.journal.change() as change:
        done = accept_difference(change, seen, asset, ALICE)
        accept_explained(change, seen, {asset})
    return done


def take(room: Room, quantity: str, price: str, *, who: Judgement = ALICE) -> tuple[Position, bool]:
    seen = look(room)
    with room.journal.change() as change:
        return adopt(
            change,
            seen,
            room.exchange.rules["BTCUSDT"],
            quantity=Decimal(quantity),
            price=Decimal(price),
            plan=room.plan,
            who=who,
        )


def let_go(room: Room, *, price: str = "21000", quantity: str | None = None) -> Position:
    seen = look(room)
    with room.journal.change() as change:
        return release(
            change,
            seen,
            require_position(seen, "BTCUSDT"),
            price=Decimal(price),
            quantity=None if quantity is None else Decimal(quantity),
            rules=room.exchange.rules["BTCUSDT"],
            max_daily_loss=MANY,
            who=ALICE,
        )


def not_ours(room: Room, asset: str) -> Decimal:
    with room.journal.read() as connection:
        return read_not_ours(connection, exchange_epoch=1)[asset]


def test_an_accepted_difference_belongs_to_the_baseline(holding: Room) -> None:
    """The deposit is known from then on, and the trail says who knew it."""
    before = not_ours(holding, "USDT")
    holding.exchange.balances["USDT"] += 50

    done = accept(holding, "USDT")

    assert (done.before, done.after) == (before, before + 50)
    assert findings(holding) == []
    record = json.loads(holding.journal.trail.path.read_text().splitlines()[-1])
    assert (record["event"], record["asset"], record["quantity"]) == ("DIFFERENCE_ACCEPTED", "USDT", "50")
    assert (record["actor"], record["reason"], record["uid"]) == ("alice", "I know", 1000)


def test_accepting_twice_changes_nothing(holding: Room) -> None:
    """The second time there is no difference left."""
    holding.exchange.balances["USDT"] += 50
    accept(holding, "USDT")

    done = accept(holding, "USDT")

    assert done.before == done.after


def test_coins_of_a_position_are_not_accepted_away(holding: Room) -> None:
    """Else the bot would hold a position that cannot be sold; the way out is named."""
    holding.exchange.balances["BTC"] = Decimal(0)

    with pytest.raises(MismatchError, match="says that") as caught:
        accept(holding, "BTC")

    assert "reconcile close BTCUSDT --price" in caught.value.hint


def test_what_our_orders_explain_is_booked_and_not_judged(holding: Room) -> None:
    """A difference of our own making is no deposit."""
    (trade,) = holding.exchange.trades("BTCUSDT")
    forget_fills(holding, trade.trade_id)

    with pytest.raises(MismatchError, match="booked first"):
        accept(holding, "BTC")


def test_an_accepted_trade_by_hand_is_known_with_both_its_assets(holding: Room) -> None:
    """Once everything it moved is accepted, the order itself is no finding any more."""
    stranger(holding, Side.SELL, "0.5")
    accept(holding, "BTC")
    assert "external_order" in kinds(holding)

    accept(holding, "USDT")

    assert findings(holding) == []


def test_adopted_coins_are_a_position_with_a_stop(room: Room) -> None:
    """Bought at the stated price, taken from what was there before us; the account is as it was."""
    room.pass_by(HOUR)

    position, changed = take(room, "0.5", "19000")

    assert changed
    assert (position.status, position.quantity, position.cost) == (PositionStatus.OPEN, Decimal("0.5"), 9500)
    assert (position.entry_price, position.stop_price, position.realized) == (19000, Decimal("18430.00"), 0)
    assert not_ours(room, "BTC") == Decimal("2.5")
    assert findings(room) == []


def test_adopting_takes_the_unexplained_first(room: Room) -> None:
    """A deposit that is adopted needs no acceptance."""
    room.exchange.balances["BTC"] += Decimal("0.2")

    take(room, "0.5", "19000")

    assert not_ours(room, "BTC") == Decimal("2.7")
    assert findings(room) == []


def test_the_same_word_twice_is_one_word(room: Room) -> None:
    """A command that is repeated does not take more."""
    take(room, "0.5", "19000")

    position, changed = take(room, "0.5", "19000")

    assert not changed
    assert position.quantity == Decimal("0.5")


def test_another_word_adds_to_the_position(holding: Room) -> None:
    """To what was bought; the average is over both."""
    position, _ = take(holding, "0.0005994", "30000")

    assert position.quantity == 2 * Decimal("0.0005994")
    bought, paid = Decimal("0.0006") + Decimal("0.0005994"), 12 + Decimal("17.982")
    assert abs(position.entry_price - paid / bought) < Decimal("1e-9")
    assert findings(holding) == []


def test_no_more_than_there_is_can_be_adopted(room: Room) -> None:
    """Coins nobody has cannot be ours."""
    with pytest.raises(MismatchError, match="3 BTC that are not ours"):
        take(room, "3.00000001", "19000")


def test_adopted_coins_are_sold_like_bought_ones(room: Room) -> None:
    """By the same machinery; result and dust follow from the stated cost, and nothing stays unexplained."""
    take(room, "0.000999", "20000")
    room.exchange.price = Decimal(19000)

    room.engine.stop_check()

    (position,) = room.positions()
    assert position.status is PositionStatus.CLOSED
    sold = Decimal("0.00099")
    assert position.realized == sold * 19000 * Decimal("0.999") - sold * 20000
    assert findings(room) == []


def test_coins_that_left_by_hand_close_the_position_at_a_stated_price(holding: Room) -> None:
    """The result counts; the money, wherever it went, is judged by itself."""
    holding.exchange.balances["BTC"] = Decimal(0)

    position = let_go(holding)

    assert position.status is PositionStatus.CLOSED
    assert position.realized == Decimal("0.0005994") * (21000 - 20000) - Decimal("0.012")
    assert position.exit_price == 21000
    with holding.journal.read() as connection:
        assert counted_result(connection, holding.journal.clock.now()) == position.realized
    order = holding.orders()[-1]
    assert order.client_order_id.startswith("MANUAL_RECONCILIATION-")


def test_only_what_is_missing_leaves(holding: Room) -> None:
    """The rest is there, and stays a position."""
    with holding.journal.change() as change:
        change.connection.execute("UPDATE baseline SET quantity = '0' WHERE asset = 'BTC'")
    holding.exchange.balances["BTC"] = Decimal("0.0004")

    position = let_go(holding)

    assert (position.status, position.quantity) == (PositionStatus.OPEN, Decimal("0.0004"))
    assert findings(holding) == []


def test_coins_that_are_there_are_not_released(holding: Room) -> None:
    """They can be sold."""
    with pytest.raises(MismatchError, match="0 of position 1 are missing"):
        let_go(holding)


def test_a_word_against_a_ledger_that_moved_is_refused(holding: Room) -> None:
    """Two people at once: the second looks again."""
    holding.exchange.balances["USDT"] += 50
    seen = look(holding)
    accept(holding, "USDT")

    with pytest.raises(LedgerMoved), holding.journal.change() as change:
        accept_difference(change, seen, "USDT", ALICE)


def test_without_a_position_there_is_nothing_to_release(room: Room) -> None:
    """Not found is 10."""
    with pytest.raises(NotFound):
        require_position(look(room), "BTCUSDT")


def test_a_wiped_exchange_is_accepted_as_a_whole(holding: Room) -> None:
    """Asset by asset it would be a lie."""
    holding.exchange.reports.clear()
    holding.exchange.balances = {"USDT": Decimal(1), "BTC": Decimal(1)}

    with pytest.raises(MismatchError, match="wiped"):
        accept(holding, "USDT")


def test_a_wish_to_sell_ends_with_the_position(holding: Room) -> None:
    """Nothing is left to be sold."""
    holding.exchange.balances["BTC"] = Decimal(0)
    (position,) = holding.positions()
    with holding.journal.change() as change:
        positions.want_exit(change.connection, position.id, ExitReason.OPERATOR, since=change.at)

    assert let_go(holding).exit_wanted is None or holding.positions()[0].exit_wanted is None


def test_everything_at_once(holding: Room) -> None:
    """One word for all that only a person can settle; a position without a known price stays as it is."""
    holding.exchange.balances["BTC"] = Decimal(0)
    holding.exchange.balances["USDT"] += 50
    holding.exchange.balances["SHIB"] = Decimal(5)
    worker = reconciler(holding)
    seen = look(holding)
    worker.keep(seen, by="operator")

    worker.accept(seen, ALICE)
    assert kinds(holding) == ["local_more"]
    worker.accept(look(holding), ALICE, price=Decimal(20000))
    worker.accept(look(holding), ALICE)

    assert findings(holding) == []
    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_a_copy_that_is_known_stops_nothing_until_it_trades_again(holding: Room) -> None:
    """Acceptance is of the orders there are, not of those to come."""
    stranger(holding, Side.BUY, "100", client_order_id="thabcdefzzz-B-1")
    worker = reconciler(holding)
    done = worker.routine(by="job")

    worker.accept(done.look, ALICE)
    assert frozen(holding) == {}
    assert findings(holding) == []
    stranger(holding, Side.BUY, "100", client_order_id="thabcdefzzz-B-2")
    worker.routine(by="job")

    assert frozen(holding).keys() == {"BTCUSDT"}


def test_the_next_sale_after_a_word_keeps_the_books_straight(holding: Room) -> None:
    """A word between two trades is folded where it was said."""
    take(holding, "0.001", "18000")
    holding.pass_by(HOUR)
    holding.show(SELL_NOW)

    holding.engine.signal_check()

    (position,) = holding.positions()
    assert position.status is PositionStatus.CLOSED
    assert findings(holding) == []

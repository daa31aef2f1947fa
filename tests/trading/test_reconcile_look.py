"""What a comparison finds on a home and an exchange that really traded, and what it never takes for a difference."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from reconcile_room import findings, forget_fills, kinds, look, reconciler, stranger
from trading_room import HOUR, SELL_NOW, Room

from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.model import OrderState, Side
from thunes_cli.trading.findings import Kind, Severity


def sell(room: Room) -> None:
    room.show(SELL_NOW)
    room.engine.signal_check()
    room.pass_by(HOUR)


def test_a_home_that_traded_is_clean(holding: Room) -> None:
    """Buying, fees kept in base, selling and dust leave nothing unexplained, to the last digit."""
    assert findings(holding) == []
    sell(holding)

    seen = look(holding)

    assert seen.comparison.findings == ()
    assert seen.comparison.checked == {"assets": 2, "orders": 2, "trades": 2}
    assert all(asset.difference == 0 for asset in seen.comparison.assets.values())


def test_a_lost_fill_is_found_as_that_fill_and_nothing_else(holding: Room) -> None:
    """The evidence is the order and its trade; balances that it explains are not reported again."""
    (trade,) = holding.exchange.trades("BTCUSDT")
    forget_fills(holding, trade.trade_id)

    (finding,) = findings(holding)

    assert (finding.kind, finding.safe, finding.symbol) == (Kind.UNRECORDED_FILL, True, "BTCUSDT")
    assert [ref.trade_id for ref in finding.trades] == [trade.trade_id]
    assert [ref.order_id for ref in finding.orders] == [trade.order_id]


def test_a_deposit_is_exchange_more(holding: Room) -> None:
    """Money that no order brought: a question for the operator, not an error of ours."""
    holding.exchange.balances["USDT"] += 50

    (finding,) = findings(holding)

    assert (finding.kind, finding.severity) == (Kind.EXCHANGE_MORE, Severity.MEDIUM)
    assert (finding.asset, finding.difference, finding.safe) == ("USDT", 50, False)
    assert "accept USDT" in finding.action


def test_coins_that_left_under_a_position_are_critical(holding: Room) -> None:
    """The account holds less than the position says: the position must be closed by word, not accepted away."""
    holding.exchange.balances["BTC"] = Decimal("0.0001")

    (finding,) = findings(holding)

    assert (finding.kind, finding.severity, finding.symbol) == (Kind.LOCAL_MORE, Severity.CRITICAL, "BTCUSDT")
    assert finding.action.startswith("reconcile close BTCUSDT --price")


def test_a_withdrawal_of_the_operators_own_coins_is_not(holding: Room) -> None:
    """What was there before us may leave; the position is still backed."""
    holding.exchange.balances["BTC"] -= 3

    (finding,) = findings(holding)

    assert (finding.kind, finding.severity) == (Kind.LOCAL_MORE, Severity.HIGH)
    assert "accept BTC" in finding.action


def test_somebody_elses_order_is_named_with_what_it_moved(holding: Room) -> None:
    """That is what a stolen key looks like: the order, and the balances it explains."""
    report = stranger(holding, Side.SELL, "0.5")

    found = findings(holding)

    assert sorted(str(each.kind) for each in found) == ["exchange_more", "external_order", "local_more"]
    for each in found:
        assert [ref.order_id for ref in each.orders] == [report.order_id]
    assert all("explained by" in each.message for each in found if each.asset)


def test_a_sale_by_hand_states_its_price(holding: Room) -> None:
    """When an order that is not ours sold what we hold, its price is proposed."""
    holding.exchange.balances["BTC"] -= 3
    with holding.journal.change() as change:
        change.connection.execute("UPDATE baseline SET quantity = '0' WHERE asset = 'BTC'")
    holding.exchange.price = Decimal(21000)
    stranger(holding, Side.SELL, "0.00059")

    actions = {each.asset: each.action for each in findings(holding) if each.kind is Kind.LOCAL_MORE}

    assert actions["BTC"] == 'reconcile close BTCUSDT --price 21000 --reason "..."'


@pytest.mark.parametrize(
    ("client_order_id", "kind"),
    [
        pytest.param("web_1", "external_order", id="somebody"),
        pytest.param("thzzzzzzabc-B-1", "other_instance", id="another home"),
        pytest.param("thabcdefzzz-B-1", "other_copy", id="epoch we never drew"),
        pytest.param("thabcdefabc-B-999", "other_copy", id="number we never used"),
    ],
)
def test_client_ids_say_whose_an_order_is(holding: Room, client_order_id: str, kind: str) -> None:
    """Instance, epoch and number are all in the id."""
    stranger(holding, Side.BUY, "100", client_order_id=client_order_id)

    assert kind in kinds(holding)


def test_what_was_before_the_baseline_is_not_ours_to_explain(room: Room) -> None:
    """The account's past is inside the baseline."""
    stranger(room, Side.BUY, "100")
    room.pass_by(timedelta(days=1))
    with room.journal.change() as change:
        change.connection.execute("DELETE FROM baseline")
        change.connection.execute("DELETE FROM exchange_epochs")
    room.gate.open()
    room.pass_by(HOUR)

    assert findings(room) == []


def test_a_question_that_fails_is_no_finding(holding: Room) -> None:
    """Could not find out is never "flat"."""
    holding.exchange.down = True

    with pytest.raises(ExchangeDown):
        reconciler(holding).routine(by="job")

    with holding.journal.read() as connection:
        assert connection.execute("SELECT count(*) FROM reconcile_runs").fetchone()[0] == 0


def test_an_order_in_doubt_is_unresolved(holding: Room) -> None:
    """The exchange executed what we could not hear of: found as such, not as coins from nowhere."""
    holding.exchange.script.append("unknown_after")
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    assert holding.orders()[-1].state is OrderState.UNKNOWN

    (finding,) = findings(holding)

    assert (finding.kind, finding.safe) == (Kind.UNRESOLVED_ORDER, True)
    assert len(finding.trades) == 1


def test_trades_told_before_their_order_accuse_nobody(holding: Room) -> None:
    """The list of orders lags behind that of trades: what fits our order in doubt is not somebody else's."""
    holding.exchange.script.append("unknown_after")
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    doubtful = holding.orders()[-1]
    told = holding.exchange.orders
    holding.exchange.orders = lambda symbol, **bounds: [  # type: ignore[method-assign]
        report for report in told(symbol, **bounds) if report.client_order_id != doubtful.client_order_id
    ]

    (finding,) = findings(holding)

    assert (finding.kind, finding.safe) == (Kind.UNRESOLVED_ORDER, False)
    assert [trade.quantity for trade in finding.trades] == [doubtful.requested_base]
    assert "the exchange does not list it" in finding.message


def test_trades_beyond_an_order_in_doubt_are_somebody_elses(holding: Room) -> None:
    """Another order's trades of the same side are attributed to nobody twice."""
    holding.exchange.script.append("unknown_after")
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    stranger(holding, Side.SELL, "1")
    holding.exchange.orders = lambda _symbol, **_: []  # type: ignore[method-assign]

    assert sorted(kinds(holding)) == ["exchange_more", "external_order", "local_more", "unresolved_order"]


def test_a_trade_between_two_answers_is_no_difference(holding: Room) -> None:
    """Somebody trades exactly while we read: balances and trades still fit."""
    answer = holding.exchange.account
    strokes = [lambda: stranger(holding, Side.BUY, "100"), lambda: None]

    def account() -> object:
        seen = answer()
        (strokes.pop(0) if strokes else (lambda: None))()
        return seen

    holding.exchange.account = account  # type: ignore[method-assign]

    found = [each for each in findings(holding) if each.asset is not None]

    assert all("explained by 1 order made outside THUNES" in each.message for each in found)


def test_dust_is_said_but_does_not_count(holding: Room) -> None:
    """Less than can be sold, in either direction, is no reason to wake anybody."""
    holding.exchange.balances["BTC"] += Decimal("0.000001")

    (finding,) = findings(holding)

    assert (finding.kind, finding.counts) == (Kind.DUST, False)


def test_assets_that_we_do_not_trade_are_information(holding: Room) -> None:
    """A testnet account comes with hundreds of them."""
    holding.exchange.balances["SHIB"] = Decimal(1000)

    (finding,) = findings(holding)

    assert (finding.kind, finding.severity, finding.asset) == (Kind.EXCHANGE_MORE, Severity.INFO, "SHIB")


def test_bnb_always_counts(holding: Room) -> None:
    """Fees are paid in it, whether it is traded or not."""
    holding.exchange.balances["BNB"] = Decimal(1)

    (finding,) = findings(holding)

    assert finding.counts


def test_an_order_the_exchange_forgot_is_missing(holding: Room) -> None:
    """One of two is gone: not a wiped exchange, but something nobody can explain."""
    sell(holding)
    first, _ = holding.exchange.reports
    del holding.exchange.reports[first]

    assert kinds(holding) == ["missing_order"]


def test_what_an_order_in_doubt_may_have_moved_is_no_theft(holding: Room) -> None:
    """Balances are ahead of both lists: the doubt is the finding, not the coins that are gone."""
    holding.exchange.script.append("unknown_after")
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    holding.exchange.reports.pop(holding.orders()[-1].client_order_id)

    assert kinds(holding) == ["unresolved_order"]

    holding.exchange.balances["USDT"] -= 1000000  # a SELL takes none
    assert kinds(holding) == ["local_more", "unresolved_order"]


def test_what_was_booked_a_moment_ago_is_not_missing_yet(holding: Room) -> None:
    """The answer to an order came with its trades; the lists of both come later."""
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    holding.exchange.reports.pop(holding.orders()[-1].client_order_id)
    holding.pass_by(timedelta(seconds=1))

    assert kinds(holding) == []
    holding.pass_by(timedelta(seconds=10))
    assert kinds(holding) == ["missing_order"]


def test_a_list_that_lags_is_asked_by_name(holding: Room) -> None:
    """Before an order counts as missing, the exchange is asked for it."""
    sell(holding)
    holding.exchange.orders = lambda _symbol, **_: []  # type: ignore[method-assign]

    assert kinds(holding) == []


def test_a_wiped_exchange_is_recognised(holding: Room) -> None:
    """All our orders gone and the balances back to a grant is not a theft."""
    holding.exchange.reports.clear()
    holding.exchange.balances = {"USDT": Decimal(10000), "BTC": Decimal(1)}

    (finding,) = findings(holding)

    assert (finding.kind, finding.severity) == (Kind.EXCHANGE_RESET, Severity.CRITICAL)


def test_one_symbol_alone(holding: Room) -> None:
    """Only its orders and its base are compared then."""
    holding.exchange.balances["USDT"] += 50
    (trade,) = holding.exchange.trades("BTCUSDT")
    forget_fills(holding, trade.trade_id)

    assert [each.kind for each in look(holding, symbol="BTCUSDT").comparison.findings] == [Kind.UNRECORDED_FILL]

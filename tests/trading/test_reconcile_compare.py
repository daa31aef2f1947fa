"""The comparison as arithmetic: what equals is clean, what is missing is found as itself, to the last digit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from manual_time import NOON
from reconcile_stories import ASSETS, BEGAN, TERMS, Story, booked, stories, without

from thunes_cli.model import ZERO, ClientOrderId, Environment, Order, OrderState, Side, Trade
from thunes_cli.trading.accounting import add_effects, asset_effects, trade_effects
from thunes_cli.trading.findings import Kind, Severity
from thunes_cli.trading.reconcile_compare import compare
from thunes_cli.trading.reconcile_inputs import Listed, Market, Window


@given(stories())
def test_a_ledger_that_heard_of_everything_is_clean(story: Story) -> None:
    """Whatever was traded by whom, with fees in any asset."""
    comparison = story.compare()

    assert comparison.findings == ()
    assert all(asset.difference == 0 for asset in comparison.assets.values())


@given(stories(), st.data())
def test_any_single_missing_fill_is_found_as_that_fill(story: Story, data: st.DataObject) -> None:
    """One finding, with exactly that trade as evidence, and not a word about balances."""
    books = story.books()
    if not books.fills:
        return
    fill = data.draw(st.sampled_from(books.fills))

    (finding,) = compare(story.market(), without(books, fill), TERMS).findings

    assert (finding.kind, finding.safe, finding.severity) == (Kind.UNRECORDED_FILL, True, Severity.HIGH)
    assert [(ref.symbol, ref.trade_id) for ref in finding.trades] == [(fill.symbol, fill.trade_id)]
    assert [ref.order_id for ref in finding.orders] == [fill.order_id]


@given(stories(), st.data())
def test_an_order_that_the_ledger_lacks_is_found_with_all_its_trades(story: Story, data: st.DataObject) -> None:
    """Its client id says that it is ours."""
    filled = [each for each in story.made if each.ours and each.trades]
    if not filled:
        return
    lost = data.draw(st.sampled_from(filled))
    books = story.books()
    books = replace(
        books,
        orders=tuple(order for order in books.orders if order.id != lost.order.id),
        fills=tuple(fill for fill in books.fills if fill.order_id != lost.order.id),
    )

    (finding,) = compare(story.market(), books, TERMS).findings

    assert (finding.kind, finding.safe) == (Kind.UNRECORDED_FILL, True)
    assert {ref.trade_id for ref in finding.trades} == {trade.trade_id for trade in lost.trades}


@given(stories(), st.sampled_from(["BTC", "ETH", "USDT", "BNB", "DOGE"]), st.decimals("-90", "90", places=8))
def test_what_no_order_explains_is_found_to_the_last_digit(story: Story, asset: str, amount: Decimal) -> None:
    """By its asset and its sign; dust and assets that are not traded are information."""
    comparison = story.compare(**{asset: amount})

    if amount == 0:
        assert comparison.clean
        return
    (finding,) = comparison.findings
    assert (finding.asset, finding.difference) == (asset, amount)
    dust = abs(amount) < TERMS.steps.get(asset, ZERO)
    assert finding.kind == (Kind.DUST if dust else Kind.EXCHANGE_MORE if amount > 0 else Kind.LOCAL_MORE)
    assert finding.counts is not (dust or asset == "DOGE")
    assert not finding.safe


@given(stories(), st.data())
def test_a_strangers_order_is_named_and_explains_its_balances(story: Story, data: st.DataObject) -> None:
    """Nothing of it is taken for ours, nothing of ours for it."""
    strange = [each for each in story.made if not each.ours and each.trades]
    if not strange:
        return
    new = data.draw(st.sampled_from(strange))
    base, quote = ASSETS[new.order.symbol]
    effects = trade_effects(new.trades, base=base, quote=quote)
    books = story.books()
    not_ours = dict(books.not_ours)
    add_effects(not_ours, {asset: -amount for asset, amount in effects.items()})
    known_before = tuple(each for each in books.external if each.order_id != new.report.order_id)

    findings = compare(story.market(), replace(books, not_ours=not_ours, external=known_before), TERMS).findings

    named = [finding for finding in findings if finding.kind is Kind.EXTERNAL_ORDER]
    assert [ref.order_id for finding in named for ref in finding.orders] == [new.report.order_id]
    moved = {finding.asset: finding.difference for finding in findings if finding.asset is not None}
    assert moved == {asset: amount for asset, amount in effects.items() if amount}


@given(stories(), st.data())
def test_what_a_living_process_is_at_is_no_finding(story: Story, data: st.DataObject) -> None:
    """SENT, executed, not yet booked: the balances already have it, and nobody is alarmed."""
    filled = [each for each in story.made if each.ours and each.trades]
    if not filled:
        return
    live = data.draw(st.sampled_from(filled))
    books = story.books()
    sent = replace(live.order, state=OrderState.SENT, exchange_order_id=None, executed_qty=ZERO, executed_quote=ZERO)
    books = replace(
        books,
        orders=tuple(sent if order.id == sent.id else order for order in books.orders),
        fills=tuple(fill for fill in books.fills if fill.order_id != sent.id),
        in_flight=frozenset({sent.id}),
    )

    assert compare(story.market(), books, TERMS).findings == ()
    (finding,) = compare(story.market(), replace(books, in_flight=frozenset()), TERMS).findings
    assert (finding.kind, finding.safe) == (Kind.UNRESOLVED_ORDER, True)


@given(stories(), st.data())
def test_a_fee_that_differs_is_found_as_a_fee(story: Story, data: st.DataObject) -> None:
    """Not as a balance."""
    books = story.books()
    if not books.fills:
        return
    fill = data.draw(st.sampled_from(books.fills))
    drifted = replace(fill, fee=fill.fee + Decimal("0.00000001"))
    books = replace(books, fills=tuple(drifted if each is fill else each for each in books.fills))

    (finding,) = compare(story.market(), books, TERMS).findings

    assert (finding.kind, finding.safe) == (Kind.FEE_DRIFT, True)
    assert [ref.trade_id for ref in finding.trades] == [fill.trade_id]


@given(stories())
def test_an_exchange_that_forgot_everything_was_wiped(story: Story) -> None:
    """One finding; on a live account it is every order by itself, for orders never vanish there."""
    filled = [each for each in story.made if each.ours and each.trades]
    if not filled:
        return
    listed = {symbol: Listed(Window(symbol, *assets)) for symbol, assets in ASSETS.items()}
    empty = Market(BEGAN, "42", {"USDT": Decimal(1)}, listed)
    books = story.books()

    (finding,) = compare(empty, books, TERMS).findings
    live = compare(empty, replace(books, environment=Environment.LIVE), TERMS).findings

    assert finding.kind is Kind.EXCHANGE_RESET
    assert {f.orders[0].client_order_id for f in live if f.kind is Kind.MISSING_ORDER} >= {
        each.order.client_order_id for each in filled
    }


@given(stories(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(story: Story, random: object) -> None:
    """The same rows give the same findings, in the same order."""
    market, books = story.market(USDT=Decimal(5)), story.books()
    shuffled = [list(books.orders), list(books.fills), list(books.external)]
    for rows in shuffled:
        random.shuffle(rows)  # type: ignore[attr-defined]
    mixed = replace(books, orders=tuple(shuffled[0]), fills=tuple(shuffled[1]), external=tuple(shuffled[2]))

    assert compare(market, mixed, TERMS).findings == compare(market, books, TERMS).findings


def test_effects_of_fills_and_of_trades_are_the_same() -> None:
    """Both sides reckon alike."""
    trade = Trade("BTCUSDT", 1, 1, Side.BUY, Decimal(7), Decimal(2), Decimal(14), Decimal("0.1"), "BNB", NOON)
    order = Order(
        *(1, ClientOrderId("x"), 1, 1, "BTCUSDT", "BTC", "USDT", Side.BUY, OrderState.FILLED, "rsi", Decimal(3)),
        *(None, Decimal(14), ZERO, ZERO, None, None, None, None, NOON, NOON, None, None, None),
    )

    assert asset_effects([booked(trade, order)], assets=ASSETS) == trade_effects([trade], base="BTC", quote="USDT")

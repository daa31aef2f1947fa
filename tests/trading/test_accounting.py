"""What fills make of a position: exact, whatever their order, whatever asset the fee is kept in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from manual_time import NOON
from opened_position import OPENED

from thunes_cli.ledger.positions import DustMove
from thunes_cli.model import Fill, Position, PositionStatus, Side
from thunes_cli.trading.accounting import apply_fold, asset_effects, fee_in_quote, fold, unrealized


def fill(
    number: int, side: Side, price: str, quantity: str, *, fee: str = "0", fee_asset: str = "USDT", fee_quote: str = ""
) -> Fill:
    inside = fee_in_quote(Decimal(fee), fee_asset, price=Decimal(price), base="BTC", quote="USDT")
    value = Decimal(fee_quote) if inside is None else inside
    return Fill(
        id=number,
        exchange_epoch=1,
        symbol="BTCUSDT",
        trade_id=number,
        order_id=1,
        position_id=1,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        quote_quantity=Decimal(price) * Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=fee_asset,
        fee_quote=value,
        fee_valued="exact",
        realized=Decimal(0),
        traded_at=NOON + timedelta(seconds=number),
    )


def test_fee_in_base_makes_the_quantity_smaller() -> None:
    """What can be sold is what the exchange left of the purchase; the fee is a loss at once."""
    folded = fold([fill(1, Side.BUY, "20000", "0.001", fee="0.000001", fee_asset="BTC")], [], base="BTC")

    assert folded.quantity == Decimal("0.000999")
    assert folded.cost == Decimal("19.98")
    assert folded.realized == Decimal("-0.02")
    assert folded.fees == Decimal("0.02")


def test_round_trip_with_fees_in_three_assets() -> None:
    """Base, quote and BNB fees all end in the result, each once."""
    fills = [
        fill(1, Side.BUY, "100", "1", fee="0.001", fee_asset="BTC"),
        fill(2, Side.BUY, "110", "1", fee="0.0002", fee_asset="BNB", fee_quote="0.05"),
        fill(3, Side.SELL, "120", "1.999", fee="0.2", fee_asset="USDT"),
    ]

    folded = fold(fills, [], base="BTC")

    cash = Decimal(120) * Decimal("1.999") - Decimal("0.2") - 100 - 110
    assert folded.quantity == 0
    assert folded.cost == 0
    assert folded.realized == cash - Decimal("0.05")
    assert folded.fees == Decimal("0.1") + Decimal("0.05") + Decimal("0.2")


def test_dust_leaves_at_cost_and_comes_back() -> None:
    """A remainder moved to the dust account takes its share of the cost along, and brings it to the next position."""
    fills = [fill(1, Side.BUY, "100", "1"), fill(2, Side.SELL, "100", "0.9")]
    left = fold(fills, [], base="BTC")

    closed = fold(fills, [DustMove(1, "BTCUSDT", left.quantity, left.cost)], base="BTC")
    reopened = fold([fill(3, Side.BUY, "200", "1")], [DustMove(2, "BTCUSDT", -left.quantity, -left.cost)], base="BTC")

    assert (closed.quantity, closed.cost, closed.realized) == (0, 0, 0)
    assert (reopened.quantity, reopened.cost) == (Decimal("1.1"), Decimal(210))


def test_selling_the_fee_asset_itself() -> None:
    """Selling BNB with the fee kept in BNB takes both from the inventory at cost."""
    bought = replace(fill(1, Side.BUY, "100", "2"), symbol="BNBUSDT")
    sold = replace(fill(2, Side.SELL, "100", "1"), symbol="BNBUSDT", fee=Decimal("0.5"), fee_asset="BNB")

    folded = fold([bought, sold], [], base="BNB")

    assert folded.quantity == Decimal("0.5")
    assert folded.realized == Decimal(-50)


def test_a_fee_in_the_asset_sold_that_what_is_held_cannot_pay() -> None:
    """The account's other coins pay it: a loss at its value, and the position ends with nothing, not with less."""
    fee = {"fee": Decimal("0.5"), "fee_asset": "BNB", "fee_quote": Decimal(60), "symbol": "BNBUSDT"}
    bought = replace(fill(1, Side.BUY, "100", "2"), symbol="BNBUSDT")
    sold = [replace(fill(number, Side.SELL, "120", "1"), **fee) for number in (2, 3)]

    folded = fold([bought, *sold], [], base="BNB")

    assert (folded.quantity, folded.cost) == (0, 0)
    assert folded.realized == 240 - 200 - 60 - 60
    assert folded.lent == 120


quantities = st.decimals("0.00001", "10", places=5)
prices = st.decimals("0.01", "100000", places=2)


@st.composite
def histories(draw: st.DrawFn) -> list[Fill]:
    """Buys and sells that never sell more than is held, fees in any asset."""
    fills: list[Fill] = []
    held = Decimal(0)
    for number in range(1, draw(st.integers(1, 8)) + 1):
        price, quantity = draw(prices), draw(quantities)
        asset = draw(st.sampled_from(["BTC", "USDT", "BNB"]))
        side = draw(st.sampled_from([Side.BUY, Side.SELL])) if held > 0 else Side.BUY
        if side is Side.SELL:
            quantity = min(quantity, held)
        fee = (quantity if asset == "BTC" else Decimal("0.01")) * Decimal("0.001")
        fills.append(fill(number, side, str(price), str(quantity), fee=str(fee), fee_asset=asset, fee_quote="0.03"))
        held += quantity if side is Side.BUY else -quantity
        held = max(held - (fee if asset == "BTC" else 0), Decimal(0))
    return fills


@given(histories(), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(fills: list[Fill], random: object) -> None:
    """Any interleaving and duplication of the same fills gives the same position."""
    shuffled = [*fills, *fills]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert fold(shuffled, [], base="BTC") == fold(fills, [], base="BTC")


@given(histories())
def test_the_books_balance(fills: list[Fill]) -> None:
    """Cash + inventory at cost = realised result + fees that others paid at their value; never negative.

    To the last digit. Others are the account's BNB, and coins beyond what is held.
    """
    folded = fold(fills, [], base="BTC")
    effects = asset_effects(fills, assets={"BTCUSDT": ("BTC", "USDT")})
    bnb_value = sum((item.fee_quote for item in fills if item.fee_asset == "BNB"), Decimal(0))

    assert effects["USDT"] + folded.cost == folded.realized + bnb_value + folded.lent
    assert effects["BTC"] <= folded.quantity
    assert folded.lent or effects["BTC"] == folded.quantity
    assert folded.quantity >= 0
    assert folded.cost >= 0


def test_a_partial_sale_takes_its_share_of_the_cost() -> None:
    """At the average price of what is held; what is left keeps the rest, and each sale has its own result."""
    bought = [fill(1, Side.BUY, "100", "1"), fill(2, Side.BUY, "200", "3")]
    sold = [fill(3, Side.SELL, "180", "1"), fill(4, Side.SELL, "150", "3")]

    half_way = fold([*bought, sold[0]], [], base="BTC")
    folded = fold([*bought, *sold], [], base="BTC")

    assert (half_way.quantity, half_way.cost, half_way.realized) == (3, 525, 5)
    assert (folded.quantity, folded.cost, folded.realized) == (0, 0, -70)
    assert dict(folded.realized_by_fill) == {1: 0, 2: 0, 3: 5, 4: -75}
    assert (folded.bought_qty, folded.bought_quote, folded.sold_qty, folded.sold_quote) == (4, 700, 4, 630)


def test_a_share_that_does_not_come_out_even_loses_nothing() -> None:
    """A third is rounded once, to the 1e-12; the last sale takes what is left to the last digit."""
    bought = replace(fill(1, Side.BUY, "33", "3"), quote_quantity=Decimal(100))
    sold = [fill(number, Side.SELL, "40", "1") for number in (2, 3, 4)]

    costs = [fold([bought, *sold[:count]], [], base="BTC").cost for count in range(4)]

    assert costs == [100, Decimal("66.666666666667"), Decimal("33.333333333333"), 0]
    assert fold([bought, *sold], [], base="BTC").realized == 20


def test_fees_of_a_sale_in_each_asset() -> None:
    """In quote and in BNB its value is taken from the result; neither touches what is held."""
    bought = fill(1, Side.BUY, "100", "2")
    in_quote = fill(2, Side.SELL, "110", "1", fee="0.11", fee_asset="USDT")
    in_bnb = fill(2, Side.SELL, "110", "1", fee="0.0003", fee_asset="BNB", fee_quote="0.09")

    for sold, fee in ((in_quote, Decimal("0.11")), (in_bnb, Decimal("0.09"))):
        folded = fold([bought, sold], [], base="BTC")
        assert (folded.quantity, folded.cost) == (1, 100)
        assert (folded.realized, folded.fees, folded.lent) == (10 - fee, fee, 0)


def test_what_a_fee_is_worth() -> None:
    """The trade tells it where it was kept in quote or base; no fee is worth nothing in any asset."""
    worth = {"price": Decimal(200), "base": "BTC", "quote": "USDT"}

    assert fee_in_quote(Decimal(3), "USDT", **worth) == 3
    assert fee_in_quote(Decimal("0.5"), "BTC", **worth) == 100
    assert fee_in_quote(Decimal(0), "BNB", **worth) == 0
    assert fee_in_quote(Decimal("1e-8"), "BNB", **worth) is None


def test_a_sale_of_what_fees_had_taken_gives_back_no_more_than_that() -> None:
    """More was sold than is held: so much of an earlier fee was paid by others after all, at its value."""
    bought = replace(fill(1, Side.BUY, "100", "2"), symbol="BNBUSDT")
    kept = {"fee": Decimal("0.5"), "fee_asset": "BNB", "fee_quote": Decimal(50), "symbol": "BNBUSDT"}
    sold = [
        replace(fill(2, Side.SELL, "100", "1"), **kept),
        replace(fill(3, Side.SELL, "100", "0.7"), symbol="BNBUSDT"),
    ]

    folded = fold([bought, *sold], [], base="BNB")

    assert (folded.quantity, folded.cost, folded.lent) == (0, 0, 20)
    assert folded.realized == -50


def test_a_position_is_closed_when_something_went_and_nothing_is_left() -> None:
    """Not while a part of it is held, and not because nothing has come yet."""
    bought, some, rest = fill(1, Side.BUY, "100", "2"), fill(2, Side.SELL, "90", "1"), fill(3, Side.SELL, "80", "1")

    def position(*fills: Fill) -> Position:
        return apply_fold(OPENED, fold(fills, [], base="BTC"))

    assert [position(*fills).status for fills in ([], [bought], [bought, some])] == [PositionStatus.OPEN] * 3
    assert position(bought, some).exit_time is None
    closed = position(bought, some, rest)
    assert (closed.status, closed.exit_time) == (PositionStatus.CLOSED, rest.traded_at)
    assert (closed.entry_time, closed.realized) == (bought.traded_at, -30)


def test_what_selling_now_would_add() -> None:
    """Quantity at the price, less what it cost; the fee of that sale is not known yet."""
    held = replace(OPENED, quantity=Decimal("0.5"), cost=Decimal(100))

    assert unrealized(held, Decimal(240)) == 20
    assert unrealized(held, Decimal(200)) == 0
    assert unrealized(held, Decimal(0)) == -100


def test_a_position_without_a_fill_keeps_its_beginning() -> None:
    """Its order is on the way: nothing is held, and since when is known."""
    folded = apply_fold(OPENED, fold([], [], base="BTC"))

    assert folded == OPENED

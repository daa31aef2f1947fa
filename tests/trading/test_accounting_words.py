"""Coins that moved by word, folded among trades: exact, whatever order they are seen in, and never as money."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from manual_time import NOON
from test_accounting import fill, prices, quantities

from thunes_cli.model import Fill, FillSource, Side
from thunes_cli.trading.accounting import asset_effects, fold


def word(number: int, source: FillSource, price: str, quantity: str, *, after: int) -> Fill:
    """What was said after a trade."""
    side = Side.BUY if source is FillSource.ADOPTED else Side.SELL
    said = fill(1000 + number, side, price, quantity)
    moment = NOON + timedelta(seconds=after, milliseconds=number)
    return replace(said, trade_id=-number, source=source, after_trade=after, traded_at=moment)


def test_adopted_coins_were_bought_at_their_price() -> None:
    """They have a cost and an average, and no fee."""
    folded = fold([word(1, FillSource.ADOPTED, "100", "2", after=0)], [], base="BTC")

    assert (folded.quantity, folded.cost, folded.bought_qty, folded.bought_quote) == (2, 200, 2, 200)
    assert (folded.realized, folded.fees) == (0, 0)


def test_released_coins_were_sold_at_their_price() -> None:
    """The result counts."""
    rows = [fill(1, Side.BUY, "100", "2"), word(1, FillSource.MANUAL, "150", "2", after=1)]

    folded = fold(rows, [], base="BTC")

    assert (folded.quantity, folded.cost, folded.realized, folded.sold_quote) == (0, 0, 100, 300)


def test_what_a_wiped_exchange_lost_leaves_at_cost() -> None:
    """Outside the result: neither sold nor lost."""
    rows = [fill(1, Side.BUY, "100", "2"), word(1, FillSource.RESET, "0", "2", after=1)]

    folded = fold(rows, [], base="BTC")

    assert (folded.quantity, folded.cost, folded.realized, folded.sold_qty) == (0, 0, 0, 0)
    assert folded.last_exit is not None


def test_a_word_has_its_place_among_the_trades() -> None:
    """A trade that was found late does not move it: the share of the cost is that of the moment it was said."""
    said_early = [
        fill(1, Side.BUY, "100", "1"),
        word(1, FillSource.MANUAL, "150", "1", after=1),
        fill(2, Side.BUY, "200", "1"),
    ]

    folded = fold(said_early, [], base="BTC")

    assert (folded.realized, folded.cost) == (50, 200)


def test_words_move_coins_and_no_money() -> None:
    """What the operator took for them went elsewhere."""
    rows = [word(1, FillSource.ADOPTED, "100", "2", after=0), word(2, FillSource.MANUAL, "150", "1", after=0)]

    assert asset_effects(rows, assets={"BTCUSDT": ("BTC", "USDT")}) == {"BTC": Decimal(1)}


@st.composite
def spoken_histories(draw: st.DrawFn) -> list[Fill]:
    """Trades and words that never take more than is held."""
    rows: list[Fill] = []
    held, traded = Decimal(0), 0
    for number in range(1, draw(st.integers(1, 10)) + 1):
        price, quantity = draw(prices), draw(quantities)
        said = draw(st.booleans())
        taking = held > 0 and draw(st.booleans())
        quantity = min(quantity, held) if taking else quantity
        held += -quantity if taking else quantity
        if said:
            source = FillSource.MANUAL if taking else FillSource.ADOPTED
            rows.append(word(number, source, str(price), str(quantity), after=traded))
        else:
            rows.append(fill(number, Side.SELL if taking else Side.BUY, str(price), str(quantity), fee="0.01"))
            traded = number
    return rows


@given(spoken_histories(), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(rows: list[Fill], random: object) -> None:
    """As for trades alone."""
    shuffled = [*rows, *rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert fold(shuffled, [], base="BTC") == fold(rows, [], base="BTC")


@given(spoken_histories())
def test_the_books_balance(rows: list[Fill]) -> None:
    """Cash, less what adopted coins cost, plus what released ones fetched, plus inventory at cost = result."""
    folded = fold(rows, [], base="BTC")
    effects = asset_effects(rows, assets={"BTCUSDT": ("BTC", "USDT")})
    words = [row for row in rows if row.source is not FillSource.EXCHANGE]
    told = sum(((1 if row.side is Side.SELL else -1) * row.quote_quantity for row in words), Decimal(0))

    assert effects.get("USDT", Decimal(0)) + told + folded.cost == folded.realized
    assert effects["BTC"] == folded.quantity >= 0
    assert folded.cost >= 0

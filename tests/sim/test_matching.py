"""Taking from a book: pure, exact, best price first."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.model import Side
from thunes_cli.sim.amounts import EXACT, multiply
from thunes_cli.sim.book import (
    Book,
    BookShape,
    Level,
    highest_price_with_ask,
    lowest_price_with_bid,
    make_book,
)
from thunes_cli.sim.matching import commission, opposite, take_quantity, take_quote, within
from thunes_cli.sim.symbols import spec_of

D = Decimal
BTC = spec_of("BTCUSDT")
LEVELS = (Level(D(100), D(2)), Level(D(101), D(3)), Level(D(102), D(5)))


def test_quantity_is_taken_level_by_level() -> None:
    """Four of a book of 2 + 3 + 5 takes the first level whole and part of the second."""
    match = take_quantity(LEVELS, D(4))

    assert match.takes == (Level(D(100), D(2)), Level(D(101), D(2)))
    assert (match.quantity, match.quote, match.dry) == (D(4), D(402), False)


def test_a_dry_book_says_so() -> None:
    """Twelve of a book of ten takes ten."""
    match = take_quantity(LEVELS, D(12))

    assert (match.quantity, match.dry) == (D(10), True)


def test_quote_amount_buys_on_the_step_and_never_costs_more() -> None:
    """410.5 buys two at 100 and two at 101 on a grid of one, leaving 8.5."""
    match = take_quote(LEVELS, D("410.5"), step=D(1))

    assert (match.quantity, match.quote, match.dry) == (D(4), D(402), False)


@pytest.mark.parametrize(("quote", "quantity", "dry"), [("200", 2, False), ("503", 5, False), ("1013", 10, False)])
def test_quote_amount_that_ends_with_a_level(quote: str, quantity: int, dry: bool) -> None:  # noqa: FBT001
    """An amount that exactly pays for whole levels leaves the book not dry."""
    match = take_quote(LEVELS, D(quote), step=D(1))

    assert (match.quantity, match.dry) == (D(quantity), dry)


def test_quote_amount_larger_than_the_book() -> None:
    """More than the book is worth takes all of it and runs dry."""
    assert take_quote(LEVELS, D(2000), step=D(1)).dry
    assert take_quote((), D(10), step=D(1)) == take_quantity((), D(1))


@given(st.decimals("0.01", "1000000", places=8), st.sampled_from([D("0.00001"), D("0.1"), D(1)]))
def test_quote_amount_is_used_as_well_as_can_be(quote: Decimal, step: Decimal) -> None:
    """What is left over of a quote amount would not pay for another step at the last price."""
    match = take_quote(LEVELS, quote, step=step)

    assert match.quote <= quote
    assert all(EXACT.remainder(each.quantity, step) == 0 for each in match.takes)
    if not match.dry:
        last = match.takes[-1].price if match.takes else LEVELS[0].price
        assert quote - match.quote < multiply(last, step) + D("0.00000003")


def test_limit_cuts_the_book() -> None:
    """A BUY takes no ask above its limit, a SELL no bid below it."""
    bids = tuple(reversed(LEVELS))

    assert within(LEVELS, Side.BUY, D(101)) == LEVELS[:2]
    assert within(bids, Side.SELL, D(101)) == bids[:2]


@given(
    st.decimals("0.02", "900000", places=2),
    st.decimals("0", "1000", places=1),
    st.decimals("1", "10000000", places=0),
)
def test_a_book_is_a_book(price: Decimal, spread: Decimal, depth: Decimal) -> None:
    """At any price, spread and depth: best first, bids below asks, all on tick and step and above zero."""
    book = make_book(price, BTC, BookShape(spread, depth))

    assert book.asks
    assert [each.price for each in book.asks] == sorted({each.price for each in book.asks})
    assert [each.price for each in book.bids] == sorted({each.price for each in book.bids}, reverse=True)
    if book.bids:
        assert book.bids[0].price < book.asks[0].price
    for level in (*book.bids, *book.asks):
        assert level.price > 0
        assert level.quantity > 0
        assert level.price % BTC.tick == 0
        assert EXACT.remainder(level.quantity, BTC.step) == 0


@given(st.decimals("1", "100000", places=2), st.decimals("0", "100", places=1))
def test_prices_at_which_a_resting_order_trades(limit: Decimal, spread: Decimal) -> None:
    """The thresholds are exact: one tick further and the best opposite price is out of reach."""
    shape = BookShape(spread, D(100000))
    high, low = highest_price_with_ask(limit, BTC, shape), lowest_price_with_bid(limit, BTC, shape)

    assert high <= 0 or make_book(high, BTC, shape).asks[0].price <= limit
    assert make_book(high + BTC.tick, BTC, shape).asks[0].price > limit
    assert make_book(low, BTC, shape).bids[0].price >= limit
    below = make_book(low - BTC.tick, BTC, shape).bids if low > BTC.tick else ()
    assert not below or below[0].price < limit


def test_depth_and_spread_are_what_was_asked_for() -> None:
    """Twenty levels of each side hold the depth; the spread is that many basis points, rounded outwards to ticks."""
    book = make_book(D(60000), BTC, BookShape(D(2), D(200000)))

    assert len(book.asks) == len(book.bids) == 20
    assert book.asks[0].price == D(60006)
    assert book.bids[0].price == D(59994)
    worth = sum(price * quantity for price, quantity in book.asks)
    assert D(199900) < worth <= D(200000)


def test_what_was_eaten_is_gone() -> None:
    """Taken quantities are missing at their price, and an emptied level is no level."""
    book = Book(bids=LEVELS[:1], asks=LEVELS)

    left = book.without({D(100): D(2), D(101): D(1)}, {})

    assert left.asks == (Level(D(101), D(2)), Level(D(102), D(5)))
    assert opposite(left, Side.SELL) == LEVELS[:1]


def test_commission_is_cut_off_after_eight_decimals() -> None:
    """0.1 % of 0.00018 is 0.00000018, and of 0.00000999 nothing."""
    assert commission(D("0.00018"), D("0.001")) == D("0.00000018")
    assert commission(D("0.00000999"), D("0.001")) == D(0)

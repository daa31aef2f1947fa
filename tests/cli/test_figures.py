"""Numbers and times for people."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.cli.figures import money, price, rounded
from thunes_cli.counts import count
from thunes_cli.spans import short_span, span


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (-5, "0 s", "0 s"),
        (42, "42 s", "42 s"),
        (180, "3 min", "3 min"),
        (192, "3 min 12 s", "3 min"),
        (7500, "2 h 05 min", "2.0 h"),
        (7200, "2 h", "2.0 h"),
        (86399, "23 h 59 min", "23.9 h"),
        (86400, "1 d", "1.0 d"),
        (273600, "3 d 4 h", "3.1 d"),
    ],
)
def test_spans(seconds: int, long: str, short: str) -> None:
    """Two units at most; an unused second one is left out."""
    assert span(timedelta(seconds=seconds)) == long
    assert short_span(timedelta(seconds=seconds)) == short


@pytest.mark.parametrize(
    ("value", "quote", "text"),
    [
        ("12.34567", "USDT", "+12.3457"),
        ("-0.00001", "USDT", "0.0000"),
        ("-0.00001", "BTC", "-0.00001000"),
        ("0", "", "0.0000"),
        ("-20.4", "", "-20.4000"),
    ],
)
def test_money(value: str, quote: str, text: str) -> None:
    """Four places, eight for a coin; never "-0"."""
    assert money(Decimal(value), quote=quote, sign=True) == text


def test_unknown_is_a_dash() -> None:
    """Not zero."""
    assert money(None) == price(None) == "-"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=12))
def test_prices_have_no_exponent(value: Decimal) -> None:
    """Eight digits are enough for the eye; JSON has the exact value."""
    assert "E" not in price(value)
    assert abs(Decimal(price(value)) - value) <= value * Decimal("1e-7")


def test_averages_are_cut_at_eight_places() -> None:
    """Half to even, like money."""
    assert rounded(Decimal("1.000000005")) == Decimal("1.00000000")


def test_counts() -> None:
    """One, or several."""
    assert (count(1, "order"), count(2, "order")) == ("1 order", "2 orders")

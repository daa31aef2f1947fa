"""From JSON to values, or to a clear "this makes no sense"."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from exchange_cases import FULL, ORDER, TRADE
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.exchange import replies
from thunes_cli.exchange.replies import MalformedReply
from thunes_cli.ledger.bans import RateLimits
from thunes_cli.model import ZERO

PARSERS = [
    replies.server_time,
    replies.price,
    replies.symbol_rules,
    replies.candles,
    replies.account,
    replies.key_restrictions,
    replies.order,
    replies.orders,
    replies.placed_order,
    replies.trades,
]
_LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False)
_ANYTHING = st.recursive(
    _LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=6
)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(reply=_ANYTHING)
def test_nothing_but_malformed_reply_gets_out(parse: Callable[[Any], object], reply: Any) -> None:
    """Any JSON is either understood, whatever it says, or refused as malformed with a reason."""
    try:
        understood = parse(reply)
    except MalformedReply as malformed:
        assert str(malformed)  # noqa: PT017 - both ways out are right
    else:
        assert understood is not None


@given(field=st.sampled_from(sorted(FULL)), value=_ANYTHING)
def test_an_order_with_a_broken_field_is_malformed_or_whole(field: str, value: Any) -> None:
    """A field of the wrong shape never becomes an amount by accident."""
    with contextlib.suppress(MalformedReply, ArithmeticError):
        report = replies.placed_order(FULL | {field: value})

        assert report.executed_qty.is_finite()
        assert sum((trade.quantity for trade in report.trades), ZERO) in {ZERO, report.executed_qty}


@pytest.mark.parametrize(
    "field", ["symbol", "id", "orderId", "price", "qty", "quoteQty", "commission", "time", "isBuyer"]
)
def test_a_trade_lacking_a_field_is_malformed(field: str) -> None:
    """Half a trade is no trade."""
    with pytest.raises(MalformedReply, match=field):
        replies.trades([{key: value for key, value in TRADE.items() if key != field}])


def test_numbers_are_exact_and_unknown_values_pass() -> None:
    """All digits survive, an unknown status is kept, an amount the exchange no longer knows stays negative."""
    entry = ORDER | {"time": 1, "executedQty": "123456789.000000001", "cummulativeQuoteQty": "-1", "status": "NEWEST"}

    report = replies.order(entry)

    assert report.executed_qty == Decimal("123456789.000000001")
    assert report.executed_quote == -1
    assert report.status == "NEWEST"


def test_quote_amounts_of_fills_are_cut_after_eight_decimals() -> None:
    """The exchange keeps eight decimals; the sum must agree with the order's own total."""
    fill = {"price": "0.00000003", "qty": "0.5", "commission": "0", "commissionAsset": "BNB", "tradeId": 1}
    entry = FULL | {"executedQty": "0.5", "cummulativeQuoteQty": "0.00000001", "fills": [fill]}

    assert replies.placed_order(entry).trades[0].quote_quantity == Decimal("0.00000001")


def test_rate_limits_are_known_by_kind_and_interval() -> None:
    """Weight a minute, orders in ten seconds and a day; other limits, and entries of unknown shape, are passed over."""
    limits = [
        7,
        {"rateLimitType": "ORDERS"},
        {"rateLimitType": [], "interval": "DAY", "intervalNum": 1, "limit": 9},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": "160000"},
    ]
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}

    assert replies.rate_limits({"rateLimits": [*limits, weight]}) == RateLimits(6000, 50, None)
    assert replies.rate_limits({"rateLimits": limits}) == RateLimits(None, 50, None)
    assert replies.rate_limits([]) == RateLimits(None, None, None)

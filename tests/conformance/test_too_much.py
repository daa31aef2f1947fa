"""Too much weight, and how each client hears of it: 429 with how long to wait, then a ban of the address.

python-binance: BinanceAPIException −1003 with status 429, then 418, ``Retry-After`` in its response.
ccxt: DDoSProtection. Binance's SDK: TooManyRequestsError, then RateLimitBanError, both with ``retry_after``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
from binance.exceptions import BinanceAPIException
from binance_common.errors import RateLimitBanError, TooManyRequestsError
from connecting import connect_ccxt, connect_official, connect_python_binance
from serving import Serving, stepped

SYMBOL = "BTCUSDT"
# Deep books weigh 250 each, of which a minute has 6000: enough of them even if a new minute begins meanwhile.
ENOUGH = 60


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Serving]:
    """A server that will be no good afterwards."""
    with Serving(stepped(tmp_path / "sim")) as serving:
        yield serving


def refusals(ask: Callable[[], Any], kinds: tuple[type[Exception], ...], times: int) -> Iterator[Any]:
    """Each refusal of a question that is asked again and again."""
    for _ in range(times):
        try:
            ask()
        except kinds as refusal:
            yield refusal


def first(found: Iterator[Any], holds: Callable[[Any], bool]) -> Any:
    """The first of which something holds."""
    refusal = next((each for each in found if holds(each)), None)
    assert refusal is not None
    return refusal


def test_python_binance(patient: Serving) -> None:
    """−1003 and a status, and seconds to wait in the response's headers."""
    client = connect_python_binance(patient)
    asked = refusals(lambda: client.get_order_book(symbol=SYMBOL, limit=5000), (BinanceAPIException,), 10 * ENOUGH)

    slower = first(asked, lambda each: each.status_code == 429)
    banned = first(asked, lambda each: each.status_code == 418)

    client.session.close()
    assert (slower.code, banned.code) == (-1003, -1003)
    assert 0 < int(slower.response.headers["Retry-After"]) <= 60
    assert int(banned.response.headers["Retry-After"]) > 60
    assert "banned until" in banned.message


def test_ccxt(patient: Serving) -> None:
    """Its own class for it."""
    client = connect_ccxt(patient)
    asked = refusals(
        lambda: client.public_get_depth({"symbol": SYMBOL, "limit": 5000}), (ccxt.DDoSProtection,), 10 * ENOUGH
    )

    slower = first(asked, lambda each: "429" in str(each))
    banned = first(asked, lambda each: "418" in str(each))
    client.close()
    assert "-1003" in str(slower)
    assert "banned until" in str(banned)


def test_official(patient: Serving) -> None:
    """A class for each, with the seconds to wait."""
    client = connect_official(patient)
    kinds = (TooManyRequestsError, RateLimitBanError)
    asked = refusals(lambda: client.depth(SYMBOL, limit=5000), kinds, 10 * ENOUGH)

    slower = first(asked, lambda each: isinstance(each, TooManyRequestsError))
    banned = first(asked, lambda each: isinstance(each, RateLimitBanError))

    assert (slower.status_code, banned.status_code) == (-1003, -1003)
    assert 0 < slower.retry_after <= 60 < banned.retry_after

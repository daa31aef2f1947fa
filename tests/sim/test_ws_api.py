"""The WebSocket API: requests, their answers and errors."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from serving import Serving
from ws_clients import Wire, signed, wire

D = Decimal
API = "/ws-api/v3"
WEIGHT = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}


@pytest.fixture
def api(standing: Serving) -> Iterator[Wire]:
    """A connection to the WebSocket API."""
    with wire(standing, API) as client:
        yield client


def weight(answer: dict[str, Any]) -> int:
    """The used weight an answer tells."""
    return int(next(each for each in answer["rateLimits"] if each["rateLimitType"] == "REQUEST_WEIGHT")["count"])


def test_the_envelope(api: Wire, standing: Serving) -> None:
    """id as it was sent, status, result, and the limits unless they are not wanted; a version may be named."""
    for identity in (1, -7, "a-b_9", None):
        api.send({"id": identity, "method": "v3/time"})
        answer = api.next()
        assert answer == {
            "id": identity,
            "status": 200,
            "result": {"serverTime": standing.now()},
            "rateLimits": [WEIGHT | {"count": weight(answer)}],
        }
    assert "rateLimits" not in api.request("ping", returnRateLimits=False)
    with wire(standing, f"{API}?returnRateLimits=false") as hidden:
        assert hidden.request("ping") == {"id": "r-1", "status": 200, "result": {}}
        assert "rateLimits" in hidden.request("ping", returnRateLimits=True)


def test_weights(standing: Serving) -> None:
    """Connecting weighs 2, a ping 1, a subscription 2; orders nothing when they succeed. REST counts the same."""
    with wire(standing, API) as client:
        first = weight(client.request("ping"))
        with wire(standing, API):
            assert weight(client.request("ping")) - first in {3, 3 - first - 1}  # unless a new minute began
        before = weight(client.request("ping"))
        assert weight(client.request("session.subscriptions")) - before == 2
        rest = standing.send("GET", "/api/v3/ping").headers["X-MBX-USED-WEIGHT-1M"]
        assert int(rest) - before == 3
        order = client.request(
            "order.test", **signed(standing, symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="20")
        )
        assert order["result"] == {}


@pytest.mark.parametrize(
    ("request_", "status", "code", "identity"),
    [
        ("{", 400, -1135, None),
        ("[]", 400, -1135, None),
        ("[" * 5000, 400, -1135, None),
        ({"method": "ping"}, 400, -1135, None),
        ({"id": "", "method": "ping"}, 400, -1135, None),
        ({"id": 1.5, "method": "ping"}, 400, -1135, None),
        ({"id": 1}, 400, -1135, 1),
        ({"id": 1, "method": 5}, 400, -1135, 1),
        ({"id": 1, "method": "ping", "params": []}, 400, -1135, None),
        ({"id": 1, "method": "nosuch"}, 400, -1020, 1),
        ({"id": 1, "method": "userDataStream.start", "params": {"apiKey": "x"}}, 400, -1020, 1),
        ({"id": 1, "method": "ping", "params": {"colour": "red"}}, 400, -1104, 1),
        ({"id": 1, "method": "klines", "params": {"symbol": "BTCUSDT"}}, 400, -1102, 1),
        ({"id": 1, "method": "avgPrice", "params": {"symbol": "NOSUCH"}}, 400, -1121, 1),
        ({"id": 1, "method": "account.status", "params": {"timestamp": 1}}, 401, -2014, 1),
        ({"id": 1, "method": "account.status", "params": {"apiKey": "k" * 64}}, 401, -2015, 1),
        ({"id": 1, "method": "userDataStream.subscribe"}, 401, -1002, 1),
        ({"id": 1, "method": "userDataStream.unsubscribe"}, 400, -2036, 1),
        ({"id": 1, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": "x"}}, 400, -1100, 1),
    ],
)
def test_errors(api: Wire, request_: Any, status: int, code: int, identity: Any) -> None:
    """Envelope and codes of what is refused; the connection lives on."""
    api.send(request_)
    answer = api.next()

    assert (answer["status"], answer["error"]["code"], answer["id"]) == (status, code, identity)
    assert answer["error"]["msg"]
    assert "result" not in answer
    assert api.request("ping")["status"] == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signature": "0" * 64}, -1022),
        ({"recvWindow": 5}, -1022),
        ({"signature": None}, -1102),
        ({"timestamp": None}, -1102),
        ({"apiKey": "short"}, -2014),
    ],
)
def test_signed_requests_that_are_not(api: Wire, standing: Serving, change: dict[str, Any], code: int) -> None:
    """A wrong or missing signature or time, a parameter that was not signed, a broken key."""
    params = {name: value for name, value in (signed(standing) | change).items() if value is not None}

    assert api.request("account.status", **params)["error"]["code"] == code


def test_signatures_are_over_sorted_raw_text(api: Wire, standing: Serving) -> None:
    """Numbers as they were written, nothing percent-encoded, upper or lower case hex."""
    params = signed(standing, recvWindow=6000.25, omitZeroBalances="true")
    answer = api.request("account.status", **(params | {"signature": params["signature"].upper()}))

    assert answer["result"] == standing.signed("GET", "/api/v3/account", omitZeroBalances="true").body


def test_answers_are_rests(api: Wire, standing: Serving) -> None:
    """Market data under another name."""
    for method, path, params in (
        ("exchangeInfo", "exchangeInfo", {"symbol": "BTCUSDT"}),
        ("klines", "klines", {"symbol": "BTCUSDT", "interval": "5m", "limit": 5}),
        ("depth", "depth", {"symbol": "BTCUSDT", "limit": 5}),
        ("avgPrice", "avgPrice", {"symbol": "BTCUSDT"}),
        ("ticker.price", "ticker/price", {"symbol": "BTCUSDT"}),
        ("ticker.book", "ticker/bookTicker", {"symbol": "BTCUSDT"}),
    ):
        assert api.request(method, **params)["result"] == standing.get(f"/api/v3/{path}", **params)
    several = api.request("ticker.price", symbols=["BTCUSDT", "ETHUSDT"])["result"]
    assert several == standing.get("/api/v3/ticker/price", symbols='["BTCUSDT","ETHUSDT"]')


def test_an_orders_life(api: Wire, standing: Serving) -> None:
    """Placed, looked up, canceled, bought and listed; REST sees the same orders."""
    resting = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    resting |= {"quantity": "0.001", "price": "50000.00", "newClientOrderId": "ws-1"}
    placed = api.request("order.place", **signed(standing, **resting))
    name = {"symbol": "BTCUSDT", "origClientOrderId": "ws-1"}

    assert placed["result"]["status"] == "NEW"
    assert [each["rateLimitType"] for each in placed["rateLimits"]] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
    assert placed["rateLimits"][1]["count"] == 1
    rest = standing.signed("GET", "/api/v3/order", **name).body
    assert api.request("order.status", **signed(standing, **name))["result"] == rest
    assert len(api.request("openOrders.status", **signed(standing, symbol="BTCUSDT"))["result"]) == 1
    duplicate = api.request("order.place", **signed(standing, **resting))
    assert (duplicate["status"], duplicate["error"]["code"]) == (400, -2010)
    assert api.request("order.cancel", **signed(standing, **name))["result"]["status"] == "CANCELED"
    bought = api.request(
        "order.place", **signed(standing, symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="20")
    )
    assert bought["result"]["fills"]
    trades = api.request("myTrades", **signed(standing, symbol="BTCUSDT"))["result"]
    assert trades == standing.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT").body


def test_sessions_need_another_kind_of_key(api: Wire, standing: Serving) -> None:
    """An HMAC key cannot log on; the session says who it is."""
    assert api.request("session.logon", **signed(standing))["error"]["code"] == -4056
    status = api.request("session.status")["result"]
    assert status["serverTime"] == standing.now()
    assert (status["apiKey"], status["authorizedSince"], status["userDataStream"]) == (None, None, False)
    assert status["returnRateLimits"] is True
    assert api.request("session.logout")["result"]["apiKey"] is None

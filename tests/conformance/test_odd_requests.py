"""Requests that are unusual, and right or wrong by the letter of Binance's rules, written byte by byte.

Where parameters travel (query, body, both), in which order and encoding they are signed, what a timestamp and a
window may look like, both ids at once, and the code for each parameter that is unknown, double, empty, missing or
made of the wrong characters. Also what every answer carries, errors and 404s included.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from connecting import price_at
from serving import Reply, Serving

D = Decimal
SYMBOL = "BTCUSDT"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def sent(serving: Serving, method: str, path: str, *, query: str = "", body: str | None = None) -> Reply:
    """A request with the key's header, exactly as written."""
    url = f"{path}?{query}" if query else path
    headers = {"X-MBX-APIKEY": serving.key} | (FORM if body is not None else {})
    return serving.send(method, url, body=body, headers=headers)


def stamped(serving: Serving, text: str) -> str:
    """Parameters with the exchange's time."""
    return f"{text}&timestamp={serving.now()}"


def resting(serving: Serving, client_id: str) -> dict[str, Any]:
    """An order that stays open."""
    price = price_at(serving, "0.9")
    reply = serving.order(
        side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001", price=price, newClientOrderId=client_id
    )
    assert reply.status == 200
    return dict(reply.body)


def test_parameters_in_the_query_of_a_post(still: Serving) -> None:
    """An order may be sent without any body."""
    text = stamped(still, f"symbol={SYMBOL}&side=BUY&type=MARKET&quoteOrderQty=50")

    reply = sent(still, "POST", "/api/v3/order", query=f"{text}&signature={still.sign(text)}")

    assert (reply.status, reply.body["status"]) == (200, "FILLED")


@pytest.mark.parametrize("place", ["query", "body"])
def test_parameters_in_query_and_body(still: Serving, place: str) -> None:
    """Query and body are signed as one text with nothing in between; the signature may be in either."""
    query = f"symbol={SYMBOL}&side=BUY&type=MARKET"
    body = stamped(still, "quoteOrderQty=50&newOrderRespType=RESULT")
    signature = f"&signature={still.sign(query + body)}"
    if place == "query":
        query += signature
    else:
        body += signature

    reply = sent(still, "POST", "/api/v3/order", query=query, body=body)

    assert (reply.status, reply.body.get("status")) == (200, "FILLED")
    assert "fills" not in reply.body


def test_the_query_wins(still: Serving) -> None:
    """What is in both counts as the query has it."""
    query, body = "quoteOrderQty=50", stamped(still, f"symbol={SYMBOL}&side=BUY&type=MARKET&quoteOrderQty=5000")

    reply = sent(still, "POST", "/api/v3/order", query=query, body=f"{body}&signature={still.sign(query + body)}")

    assert reply.body["origQuoteOrderQty"] == "50.00000000"


def test_delete_with_a_body(still: Serving) -> None:
    """A cancel's parameters may be in its body."""
    order = resting(still, "odd-delete")
    body = stamped(still, f"symbol={SYMBOL}&orderId={order['orderId']}")

    reply = sent(still, "DELETE", "/api/v3/order", body=f"{body}&signature={still.sign(body)}")

    assert reply.body["status"] == "CANCELED"


@pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase], ids=["upper", "lower", "swapped"])
def test_case_of_a_signature(still: Serving, change: Any) -> None:
    """An HMAC in hexadecimal is read in either case."""
    text = stamped(still, "omitZeroBalances=true")

    assert sent(still, "GET", "/api/v3/account", query=f"{text}&signature={change(still.sign(text))}").status == 200


def test_any_order_of_parameters(still: Serving) -> None:
    """They are signed as they stand, sorted or not."""
    text = f"timestamp={still.now()}&type=MARKET&symbol={SYMBOL}&quoteOrderQty=50&side=BUY&recvWindow=60000"

    assert sent(still, "POST", "/api/v3/order/test", body=f"{text}&signature={still.sign(text)}").body == {}


def test_encoded_text_is_what_is_signed(still: Serving) -> None:
    """Percent-encode first, then sign: the encoded text is good, the decoded one is not."""
    encoded = stamped(still, f"symbol={SYMBOL}&side=BUY&type=MARKET&quoteOrderQty=50&newClientOrderId=%6Fdd%2Dencoded")
    plain = encoded.replace("%6Fdd%2Dencoded", "odd-encoded")
    path = "/api/v3/order"

    assert sent(still, "POST", path, body=f"{encoded}&signature={still.sign(plain)}").code == -1022
    reply = sent(still, "POST", path, body=f"{encoded}&signature={still.sign(encoded)}")
    assert reply.body["clientOrderId"] == "odd-encoded"


def test_a_signature_that_needs_encoding_is_decoded(still: Serving) -> None:
    """The signature itself travels percent-encoded."""
    text = stamped(still, "recvWindow=5000")
    signature = "".join(f"%{ord(each):02X}" for each in still.sign(text))

    assert sent(still, "GET", "/api/v3/account", query=f"{text}&signature={signature}").status == 200


def test_timestamps_in_microseconds(real_time: Serving) -> None:
    """A timestamp has 13 or 16 digits; both mean the same instant."""
    for timestamp in (real_time.now(), real_time.now() * 1000 + 123):
        assert real_time.signed("GET", "/api/v3/account", timestamp=timestamp).status == 200
    assert real_time.signed("GET", "/api/v3/account", timestamp=(real_time.now() - 7000) * 1000).code == -1021


@pytest.mark.parametrize(
    ("window", "code"),
    [("5000.5", None), ("0.001", None), ("59999.999", None), ("60000.001", -1131), ("5000.1234", -1100), ("-1", -1100)],
)
def test_windows(still: Serving, window: str, code: int | None) -> None:
    """A window may have three decimals and be a minute."""
    assert still.signed("GET", "/api/v3/account", recvWindow=window).code == code


def test_both_ids(still: Serving) -> None:
    """The order's id finds it, then the client's id must be its own: −2039 for a query, −2011 for a cancel."""
    order = resting(still, "odd-both")
    right = {"symbol": SYMBOL, "orderId": order["orderId"], "origClientOrderId": "odd-both"}
    wrong = right | {"origClientOrderId": "odd-other"}

    assert still.signed("GET", "/api/v3/order", **wrong).code == -2039
    assert still.signed("DELETE", "/api/v3/order", **wrong).code == -2011
    assert still.signed("GET", "/api/v3/order", **right).body["clientOrderId"] == "odd-both"
    assert still.signed("DELETE", "/api/v3/order", **right).body["status"] == "CANCELED"


def test_a_client_id_is_free_again(still: Serving) -> None:
    """A client id is unique among open orders only: it can be used again after a fill, and a query finds the newest."""
    first = still.buy("50", newClientOrderId="odd-again").body
    second = still.buy("50", newClientOrderId="odd-again").body
    resting(still, "odd-open")
    price = price_at(still, "0.9")
    taken = still.order(
        side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001", price=price, newClientOrderId="odd-open"
    )
    found = still.signed("GET", "/api/v3/order", symbol=SYMBOL, origClientOrderId="odd-again").body

    assert first["orderId"] < second["orderId"] == found["orderId"]
    assert (taken.code, taken.body["msg"]) == (-2010, "Duplicate order sent.")
    assert still.signed("DELETE", "/api/v3/order", symbol=SYMBOL, origClientOrderId="odd-open").status == 200


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("&colour=red", -1104),
        ("&side=BUY", -1101),
        ("&newClientOrderId=", -1105),
        ("&newClientOrderId=" + "a" * 37, -1100),
        ("&newClientOrderId=%C3%A4", -1100),
        ("&newClientOrderId=" + "a" * 36, None),
        ("&newOrderRespType=full", -1130),
        ("&strategyId=1.5", -1100),
        ("&strategyId=99999999999999999999", -1108),
        ("&recvWindow=", -1105),
        ("&&", None),
    ],
)
def test_odd_parameters(still: Serving, more: str, code: int | None) -> None:
    """Each kind of oddity has its own code."""
    text = stamped(still, f"symbol={SYMBOL}&side=BUY&type=MARKET&quoteOrderQty=50{more}")

    assert sent(still, "POST", "/api/v3/order/test", body=f"{text}&signature={still.sign(text)}").code == code


@pytest.mark.parametrize("number", ["1e-5", "+1", "-1", "0x1", " 1", "1,5", "١", "1.", ".5", "NaN", "", "1 "])
def test_numbers_that_are_none(still: Serving, number: str) -> None:
    """A quantity is digits and at most one point between them."""
    reply = still.signed("POST", "/api/v3/order/test", symbol=SYMBOL, side="BUY", type="MARKET", quantity=number)

    assert (reply.status, reply.code) == (400, -1105 if number == "" else -1100)


@pytest.mark.parametrize("name", ["symbol", "side", "type", "timestamp", "signature"])
def test_mandatory_parameters(still: Serving, name: str) -> None:
    """−1102 names what is missing."""
    params = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quoteOrderQty": "50", "timestamp": str(still.now())}
    params.pop(name, None)
    text = urlencode(params)
    body = text if name == "signature" else f"{text}&signature={still.sign(text)}"

    reply = sent(still, "POST", "/api/v3/order", body=body)

    assert reply.code == -1102
    assert f"'{name}'" in reply.body["msg"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("symbol=btcusdt", -1100),
        ("symbol=NOPE", -1121),
        ("symbol=", -1105),
        (f"symbol={SYMBOL}&symbols=%5B%22{SYMBOL}%22%5D", -1128),
        ("symbols=%5B%5D", -1100),
        ("symbols=BTCUSDT", -1100),
        (f"symbols=%5B%22{SYMBOL}%22,%22{SYMBOL}%22%5D", -1151),
        (f"symbol={SYMBOL}&signature=1", -1104),
        (f"symbol={SYMBOL}&symbolStatus=HALT", -1220),
    ],
)
def test_odd_symbols(still: Serving, query: str, code: int) -> None:
    """How a symbol can be wrong."""
    reply = still.send("GET", f"/api/v3/ticker/price?{query}")

    assert (reply.status, reply.code) == (400, code)


def test_limits_are_cut_not_refused(still: Serving) -> None:
    """More than the most gives the most."""
    assert len(still.get("/api/v3/klines", symbol=SYMBOL, interval="1m", limit=5000)) == 1000
    assert len(still.get("/api/v3/trades", symbol=SYMBOL, limit=5000)) == 1000
    assert still.send("GET", f"/api/v3/klines?symbol={SYMBOL}&interval=1m&limit=0").status == 400


def test_a_body_of_a_get_is_not_read(still: Serving) -> None:
    """GET has parameters in its query only."""
    body = stamped(still, "omitZeroBalances=true")

    assert sent(still, "GET", "/api/v3/account", body=f"{body}&signature={still.sign(body)}").code == -1102


def test_another_secret_by_hand(still: Serving) -> None:
    """A signature made with another secret, or over another text, is none."""
    text = stamped(still, "recvWindow=5000")
    other = hmac.new(b"another", text.encode(), hashlib.sha256).hexdigest()

    assert sent(still, "GET", "/api/v3/account", query=f"{text}&signature={other}").code == -1022
    assert (
        sent(still, "GET", "/api/v3/account", query=f"omitZeroBalances=true&{text}&signature={still.sign(text)}").code
        == -1022
    )
    assert sent(still, "GET", "/api/v3/account", query=f"{text}&signature={quote('é')}").code == -1022


@pytest.mark.parametrize("path", ["/api/v3/time", "/api/v3/klines", "/api/v3/nothing", "/api/v1/time"])
def test_every_answer_carries_its_weight(still: Serving, path: str) -> None:
    """JSON and the weight headers, whatever the answer is."""
    reply = still.send("GET", path)

    assert reply.headers["Content-Type"].startswith("application/json")
    assert int(reply.headers["X-MBX-USED-WEIGHT-1M"]) > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/time"),
        ("GET", "/api/v3/order/"),
        ("GET", "/API/V3/time"),
        ("GET", "/"),
        ("PUT", "/api/v3/order"),
    ],
)
def test_no_such_path(still: Serving, method: str, path: str) -> None:
    """Paths are exact; HTML is for browsers alone."""
    reply = still.send(method, path)
    shown = still.session.request(method, still.url + path, headers={"Accept": "text/html"}, timeout=20)

    assert reply.status == shown.status_code == 404
    assert shown.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("unit", ["MICROSECOND", "microsecond", "MILLISECOND", "FORTNIGHT"])
def test_units_of_time(still: Serving, unit: str) -> None:
    """``X-MBX-TIME-UNIT`` is read in either case; an unknown one is −1194."""
    reply = still.send("GET", "/api/v3/time", headers={"X-MBX-TIME-UNIT": unit})

    if unit == "FORTNIGHT":
        assert (reply.status, reply.code) == (400, -1194)
    else:
        assert reply.body["serverTime"] == still.now() * (1000 if unit.upper() == "MICROSECOND" else 1)


@pytest.mark.parametrize(
    ("zone", "hours"), [("8", 8), ("+08:00", 8), ("-1:00", -1), ("05:45", 5.75), ("0", 0), ("14", 14), ("-12:00", -12)]
)
def test_candles_of_a_time_zone(still: Serving, zone: str, hours: float) -> None:
    """Days and months begin at that zone's midnight, and hold the same trades as the hours in them."""
    ahead = int(hours * 3_600_000)
    day = still.get("/api/v3/klines", symbol=SYMBOL, interval="1d", timeZone=zone, limit=2)[0]
    month = still.get("/api/v3/klines", symbol=SYMBOL, interval="1M", timeZone=zone, limit=2)[0]
    parts = still.get("/api/v3/klines", symbol=SYMBOL, interval="15m", startTime=day[0], endTime=day[6])

    assert (day[0] + ahead) % 86_400_000 == 0
    assert day[6] == day[0] + 86_400_000 - 1
    assert datetime.fromtimestamp((month[0] + ahead) / 1000, UTC).strftime("%d %H:%M:%S") == "01 00:00:00"
    assert (parts[0][1], parts[-1][4]) == (day[1], day[4])
    assert (max(D(each[2]) for each in parts), min(D(each[3]) for each in parts)) == (D(day[2]), D(day[3]))
    assert sum(D(each[5]) for each in parts) == D(day[5])


@pytest.mark.parametrize("zone", ["14:01", "-12:01", "8.5", "Z", "+", "08:60"])
def test_no_such_time_zone(still: Serving, zone: str) -> None:
    """Beyond −12:00 to +14:00 there is none."""
    reply = still.send("GET", f"/api/v3/klines?symbol={SYMBOL}&interval=1d&timeZone={quote(zone)}")

    assert (reply.status, reply.code) == (400, -1130)

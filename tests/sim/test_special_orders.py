"""Orders beyond the usual: amended, replaced, trailing; commission in BNB; and keys that sign with RSA."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from served_here import ServedHere
from serving import Reply, stepped, write_candles

D = Decimal


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHere]:
    """A market that stands still."""
    with ServedHere(stepped(tmp_path_factory.mktemp("special"))) as serving:
        yield serving


def resting(market: ServedHere, *, quantity: str = "0.001", **more: str) -> Reply:
    """A limit BUY far below the market."""
    price = D(market.get("/api/v3/ticker/price", symbol="BTCUSDT")["price"])
    limit = format((price * D("0.9")).quantize(D(1)), "f")
    reply = market.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity=quantity, price=limit, **more)
    assert reply.status == 200, reply
    return reply


def amend(market: ServedHere, order_id: int, quantity: str, **more: str) -> Reply:
    return market.signed(
        "PUT", "/api/v3/order/amend/keepPriority", symbol="BTCUSDT", orderId=order_id, newQty=quantity, **more
    )


def test_an_order_is_made_smaller(market: ServedHere) -> None:
    """Its place in the queue stays, what was locked for the rest is free again, and the change is on record."""
    before = market.balances()["USDT"][1]
    order = resting(market, quantity="0.002").body
    locked = market.balances()["USDT"][1]

    amended = amend(market, order["orderId"], "0.001", newClientOrderId="smaller").body

    assert amended["amendedOrder"]["qty"] == "0.00100000"
    assert market.balances()["USDT"][1] - before == (locked - before) / 2
    listed = market.signed("GET", "/api/v3/order/amendments", symbol="BTCUSDT", orderId=order["orderId"]).body
    assert [(each["origQty"], each["newQty"]) for each in listed] == [("0.00200000", "0.00100000")]
    found = market.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="smaller").body
    assert (found["orderId"], found["origQty"]) == (order["orderId"], "0.00100000")


@pytest.mark.parametrize(("quantity", "code"), [("0.003", -2038), ("0.001", -2038), ("0.0000001", -1013)])
def test_amendments_that_are_refused(market: ServedHere, quantity: str, code: int) -> None:
    """Never larger, never the same, never what no filter lets through."""
    order = resting(market).body

    refused = amend(market, order["orderId"], quantity)

    assert refused.status == 400
    assert refused.code in {code, -1013, -1111}


@pytest.mark.parametrize(
    ("mode", "cancel", "status", "results"),
    [
        ("STOP_ON_FAILURE", "there", 200, ("SUCCESS", "SUCCESS")),
        ("STOP_ON_FAILURE", "gone", 400, ("FAILURE", "NOT_ATTEMPTED")),
        ("ALLOW_FAILURE", "gone", 409, ("FAILURE", "SUCCESS")),
    ],
)
def test_an_order_is_replaced(
    market: ServedHere, mode: str, cancel: str, status: int, results: tuple[str, str]
) -> None:
    """Cancelled and placed anew in one request; what a failed cancel means is the caller's choice."""
    number = resting(market).body["orderId"] if cancel == "there" else 10**9
    price = (
        market.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT").body[-1]["price"] if cancel == "there" else "50000"
    )

    reply = market.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        symbol="BTCUSDT",
        cancelReplaceMode=mode,
        cancelOrderId=number,
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.001",
        price=price,
    )

    told = reply.body if reply.status == 200 else reply.body["data"]
    assert (reply.status, told["cancelResult"], told["newOrderResult"]) == (status, *results)


def test_commission_in_bnb(market: ServedHere) -> None:
    """With discount and enough BNB nothing is kept from what was bought; without BNB it is as ever."""
    market.send("POST", "/sim/fault", body='{"kind": "deposit", "asset": "BNB", "quantity": "1"}')
    market.send("POST", "/sim/account", body='{"bnb_discount": true}')

    paid = market.buy("100").body["fills"]
    market.send("POST", "/sim/fault", body=json.dumps({"kind": "withdraw", "asset": "BNB", "quantity": bnb(market)}))
    unpaid = market.buy("100").body["fills"]
    market.send("POST", "/sim/account", body='{"bnb_discount": false}')

    assert {fill["commissionAsset"] for fill in paid} == {"BNB"}
    assert {fill["commissionAsset"] for fill in unpaid} == {"BTC"}
    worth = sum(D(fill["commission"]) for fill in paid) * D(
        market.get("/api/v3/ticker/price", symbol="BNBUSDT")["price"]
    )
    assert worth == pytest.approx(D(100) * D("0.001") * D("0.75"), rel=D("0.01"))


def bnb(market: ServedHere) -> str:
    return format(market.balances()["BNB"][0], "f")


def test_a_stop_that_trails(tmp_path: Path) -> None:
    """It follows the price up and not down, and sells when the price has come back by so much."""
    closes = ["10000", "10000", "10500", "11000", "10900", "10600", "10600"]
    file = write_candles(tmp_path / "BTCUSDT-1m.csv", closes)
    with ServedHere(stepped(tmp_path / "exchange", candles=(file,), start="2")) as here:
        bought = here.buy("100").body["executedQty"]
        quantity = format(D(bought).quantize(D("0.0001"), rounding="ROUND_DOWN"), "f")
        placed = here.order(side="SELL", type="STOP_LOSS", quantity=quantity, trailingDelta="300")
        assert placed.status == 200, placed
        number = placed.body["orderId"]

        states = []
        for _ in range(4):
            here.send("POST", "/sim/step")
            order = here.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=number).body
            states.append(order["status"])

    assert states[:2] == ["NEW", "NEW"]
    assert states[-1] == "FILLED"
    assert D(order["cummulativeQuoteQty"]) / D(order["executedQty"]) == pytest.approx(
        D(11000) * D("0.97"), rel=D("0.01")
    )


def test_a_key_that_signs_with_rsa(market: ServedHere) -> None:
    """PKCS#1 v1.5 over the encoded text, percent-encoded on its way; changed by one byte it is refused."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    made = market.send("POST", "/sim/key/add", body=json.dumps({"public_key": public})).body
    text = urlencode({"timestamp": market.now(), "recvWindow": 5000})
    signature = base64.b64encode(private.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()

    def ask(signed_by: str) -> Reply:
        path = f"/api/v3/account?{text}&signature={quote(signed_by, safe='')}"
        return market.send("GET", path, headers={"X-MBX-APIKEY": made["api_key"]})

    assert made["kind"] == "RSA"
    assert ask(signature).status == 200
    assert ask(signature[:-4] + "AAA=").code == -1022


def test_the_state_is_opened_again(tmp_path: Path) -> None:
    """Orders, trades, balances, keys, amendments and waiting faults are there after a restart."""
    options = stepped(tmp_path / "exchange")
    with ServedHere(options) as here:
        order = resting(here, quantity="0.002").body
        amend(here, order["orderId"], "0.001")
        here.buy("50")
        here.send("POST", "/sim/fault", body='{"kind": "http_503_before"}')
        before = here.get("/sim/state")
    with ServedHere(options) as here:
        after = here.get("/sim/state")
        known = ("balances", "orders", "trades", "keys", "queued", "uid", "market_time_ms")

        assert {name: after[name] for name in known} == {name: before[name] for name in known}
        assert here.buy("50").status == 503
        assert len(here.signed("GET", "/api/v3/order/amendments", symbol="BTCUSDT", orderId=order["orderId"]).body) == 1

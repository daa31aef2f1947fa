"""Signed endpoints of the running exchange: orders, account, and every refusal on the way there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from serving import Reply, Serving

D = Decimal
RESULT_KEYS = {
    "symbol",
    "orderId",
    "orderListId",
    "clientOrderId",
    "transactTime",
    "price",
    "origQty",
    "executedQty",
    "origQuoteOrderQty",
    "cummulativeQuoteQty",
    "status",
    "timeInForce",
    "type",
    "side",
    "workingTime",
    "selfTradePreventionMode",
}


ORDER_KEYS = (RESULT_KEYS - {"transactTime"}) | {"stopPrice", "icebergQty", "time", "updateTime", "isWorking"}


def test_market_buy_and_sell_round_trip(market: Serving) -> None:
    """A BUY by quote and a SELL of what it left net, and the account agrees to the last digit."""
    bought = market.buy("100", newClientOrderId="entry-1").body
    fee = sum(D(each["commission"]) for each in bought["fills"])
    net = D(bought["executedQty"]) - fee
    held = market.balances()

    assert bought["status"] == "FILLED"
    assert (bought["price"], bought["timeInForce"], bought["origQuoteOrderQty"]) == (
        "0.00000000",
        "GTC",
        "100.00000000",
    )
    assert {each["commissionAsset"] for each in bought["fills"]} == {"BTC"}
    assert fee == (D(bought["executedQty"]) * D("0.001")).quantize(D("1e-8"))
    assert held["BTC"] == (net, D(0))
    assert held["USDT"] == (D(10000) - D(bought["cummulativeQuoteQty"]), D(0))

    sold = market.order(side="SELL", type="MARKET", quantity=str(net // D("0.00001") * D("0.00001"))).body

    income = D(sold["cummulativeQuoteQty"])
    assert {each["commissionAsset"] for each in sold["fills"]} == {"USDT"}
    paid = sum(D(each["commission"]) for each in sold["fills"])
    assert market.balances()["USDT"][0] == held["USDT"][0] + income - paid


def test_selling_the_gross_quantity_fails(market: Serving) -> None:
    """What was executed is more than what is owned: the fee is gone."""
    bought = market.buy("100").body

    reply = market.order(side="SELL", type="MARKET", quantity=bought["executedQty"])

    assert (reply.status, reply.code) == (400, -2010)
    assert reply.body["msg"] == "Account has insufficient balance for requested action."


@pytest.mark.parametrize(
    ("form", "keys"),
    [
        ("ACK", {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}),
        ("RESULT", RESULT_KEYS),
        ("FULL", RESULT_KEYS | {"fills"}),
        (None, RESULT_KEYS | {"fills"}),
    ],
)
def test_forms_of_the_reply(market: Serving, form: str | None, keys: set[str]) -> None:
    """ACK, RESULT and FULL; FULL is the default of a market order."""
    reply = market.buy("20", **({} if form is None else {"newOrderRespType": form}))

    assert reply.body.keys() == keys
    assert "X-MBX-ORDER-COUNT-10S" in reply.headers
    assert "X-MBX-ORDER-COUNT-1D" in reply.headers


def test_out_of_book_expires_with_fills(thin_market: Serving) -> None:
    """More than the book holds: EXPIRED, with what was executed, its reason, and a balance that shows it."""
    order = thin_market.buy("5000", newClientOrderId="big").body

    assert (order["status"], order["expiryReason"]) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert 0 < D(order["executedQty"]) < D(order["origQty"])
    assert D(order["executedQty"]) == sum(D(each["qty"]) for each in order["fills"])
    asked = thin_market.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="big").body
    assert (asked["status"], asked["executedQty"]) == ("EXPIRED", order["executedQty"])
    assert thin_market.balances()["BTC"][0] < D(order["executedQty"])


def test_life_of_a_limit_order(market: Serving) -> None:
    """Placed, seen in openOrders with its funds locked, cancelled with an id of the cancel, gone."""
    placed = market.order(
        side="BUY", type="LIMIT", timeInForce="GTC", price="50000", quantity="0.01", newClientOrderId="mine"
    ).body
    number = placed["orderId"]
    shown = market.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT").body

    assert (placed["status"], placed["fills"]) == ("NEW", [])
    assert [each["clientOrderId"] for each in shown] == ["mine"]
    assert shown[0].keys() == ORDER_KEYS
    assert market.balances()["USDT"] == (D(9500), D(500))
    assert market.order(side="BUY", type="MARKET", quoteOrderQty="20", newClientOrderId="mine").code == -2010

    gone = market.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine").body

    assert (gone["status"], gone["origClientOrderId"], gone["orderId"]) == ("CANCELED", "mine", number)
    assert gone["clientOrderId"] != "mine"
    assert market.signed("GET", "/api/v3/openOrders").body == []
    assert market.balances()["USDT"] == (D(10000), D(0))
    again = market.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=number)
    assert (again.code, again.body["msg"]) == (-2011, "Unknown order sent.")


def test_resting_order_is_filled_by_the_market(market: Serving) -> None:
    """A SELL just above the price fills as maker once the market has been there."""
    market.buy("1000")
    price = D(market.get("/api/v3/ticker/price", symbol="BTCUSDT")["price"])
    wanted = (price * D("1.002")).quantize(D("0.01"))
    order = market.order(side="SELL", type="LIMIT", timeInForce="GTC", price=str(wanted), quantity="0.005").body

    for _ in range(60):
        market.send("POST", "/sim/step", body='{"candles": 60}')
        found = market.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=order["orderId"]).body
        if found["status"] == "FILLED":
            break

    trade = market.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=order["orderId"]).body[0]
    assert (D(trade["price"]), trade["isMaker"], trade["isBuyer"]) == (wanted, True, False)
    assert order["transactTime"] < trade["time"] == found["updateTime"] < market.now()


def test_cancel_all_of_a_symbol(market: Serving) -> None:
    """Every open order of the symbol, and none of another."""
    for symbol, price in (("BTCUSDT", "50000"), ("BTCUSDT", "50001"), ("ETHUSDT", "2000")):
        market.order(symbol=symbol, side="BUY", type="LIMIT", timeInForce="GTC", price=price, quantity="0.01")

    canceled = market.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT").body

    assert [each["status"] for each in canceled] == ["CANCELED", "CANCELED"]
    assert [each["symbol"] for each in market.signed("GET", "/api/v3/openOrders").body] == ["ETHUSDT"]


@pytest.mark.parametrize(
    ("restriction", "code"), [("ONLY_NEW", None), ("ONLY_PARTIALLY_FILLED", -2011), ("ONLY_MINE", -1145)]
)
def test_cancel_restrictions(market: Serving, restriction: str, code: int | None) -> None:
    """A cancel may insist on the order's status."""
    order = market.order(side="BUY", type="LIMIT", timeInForce="GTC", price="50000", quantity="0.01").body

    reply = market.signed(
        "DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=order["orderId"], cancelRestrictions=restriction
    )

    assert reply.code == code


def test_finding_an_order(market: Serving) -> None:
    """By id, by client id (the newest of that name), by both if they agree; −2013, −2039 and −1102 otherwise."""
    first = market.buy("20", newClientOrderId="twice").body["orderId"]
    second = market.buy("20", newClientOrderId="twice").body["orderId"]

    def find(**params: Any) -> Reply:
        return market.signed("GET", "/api/v3/order", symbol="BTCUSDT", **params)

    assert find(orderId=first).body["orderId"] == first
    assert find(origClientOrderId="twice").body["orderId"] == second
    assert find(orderId=first, origClientOrderId="twice").body["orderId"] == first
    assert find(orderId=first, origClientOrderId="other").code == -2039
    assert find(orderId=99).code == -2013
    assert find(origClientOrderId="nobody").code == -2013
    assert find().code == -1102
    assert market.signed("GET", "/api/v3/order", symbol="ETHUSDT", orderId=first).code == -2013


def test_all_orders_and_trades_page(market: Serving) -> None:
    """From an id on, of a span of time, newest when nothing is said; always oldest first."""
    stamps = []
    for _ in range(4):
        stamps.append(market.buy("20").body["transactTime"])
        market.send("POST", "/sim/step")

    def ids(path: str, key: str, **params: Any) -> list[int]:
        reply = market.signed("GET", path, symbol="BTCUSDT", **params)
        assert reply.status == 200, reply
        return [each[key] for each in reply.body]

    for path, key, start in (("/api/v3/allOrders", "orderId", "orderId"), ("/api/v3/myTrades", "id", "fromId")):
        assert ids(path, key) == [1, 2, 3, 4]
        assert ids(path, key, limit=2) == [3, 4]
        assert ids(path, key, **{start: 2}, limit=2) == [2, 3]
        assert ids(path, key, startTime=stamps[1]) == [2, 3, 4]
        assert ids(path, key, endTime=stamps[1]) == [1, 2]
        assert ids(path, key, startTime=stamps[1], endTime=stamps[2]) == [2, 3]
    assert ids("/api/v3/myTrades", "id", orderId=3) == [3]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/api/v3/allOrders", {"startTime": 1, "endTime": 1 + 86_400_001}, -1127),
        ("/api/v3/myTrades", {"startTime": 1, "endTime": 1 + 86_400_001}, -1127),
        ("/api/v3/myTrades", {"orderId": 1, "startTime": 1}, -1128),
        ("/api/v3/myTrades", {"fromId": 1, "endTime": 1}, -1128),
        ("/api/v3/allOrders", {"startTime": 5, "endTime": 1}, -1130),
        ("/api/v3/allOrders", {"limit": "many"}, -1100),
    ],
)
def test_refused_pages(standing: Serving, path: str, params: dict[str, Any], code: int) -> None:
    """Spans above a day and undocumented combinations."""
    assert standing.signed("GET", path, symbol="BTCUSDT", **params).code == code


ORDER = {"side": "BUY", "type": "MARKET", "quoteOrderQty": "20"}
LIMIT = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "60000", "quantity": "0.001"}
REFUSED = {
    "no symbol": ({"symbol": ""} | ORDER, -1102),
    "unknown symbol": ({"symbol": "NOPEUSDT"} | ORDER, -1121),
    "no side": ({"type": "MARKET", "quoteOrderQty": "20"}, -1102),
    "wrong side": (ORDER | {"side": "HOLD"}, -1117),
    "wrong type": (ORDER | {"type": "WISH"}, -1116),
    "wrong time in force": (LIMIT | {"timeInForce": "GTX"}, -1115),
    "unknown parameter": (ORDER | {"colour": "red"}, -1104),
    "empty parameter": (ORDER | {"newClientOrderId": ""}, -1105),
    "exponent": (ORDER | {"quoteOrderQty": "2e1"}, -1100),
    "sign": (ORDER | {"quoteOrderQty": "-20"}, -1100),
    "zero": (ORDER | {"quoteOrderQty": "0"}, -1013),
    "client id too long": (ORDER | {"newClientOrderId": "x" * 37}, -1100),
    "client id with a space": (ORDER | {"newClientOrderId": "a b"}, -1100),
    "neither amount": ({"side": "BUY", "type": "MARKET"}, -1102),
    "both amounts": (ORDER | {"quantity": "0.001"}, -1128),
    "market with price": (ORDER | {"price": "60000"}, -1106),
    "market with time in force": (ORDER | {"timeInForce": "GTC"}, -1114),
    "limit without price": ({key: LIMIT[key] for key in LIMIT if key != "price"}, -1102),
    "limit without time in force": ({key: LIMIT[key] for key in LIMIT if key != "timeInForce"}, -1102),
    "limit with quote amount": (LIMIT | {"quoteOrderQty": "5"}, -1106),
    "precision": (LIMIT | {"quantity": "0.123456789"}, -1111),
    "lot size": (LIMIT | {"quantity": "0.000015"}, -1013),
    "tick": (LIMIT | {"price": "60000.001"}, -1013),
    "notional": (ORDER | {"quoteOrderQty": "4.99"}, -1013),
    "percent price": (LIMIT | {"price": "1000", "quantity": "1"}, -1013),
    "market lot size": ({"side": "BUY", "type": "MARKET", "quantity": "121"}, -1013),
    "strategy type": (ORDER | {"strategyType": "5"}, -1134),
    "self trade prevention": (ORDER | {"selfTradePreventionMode": "EXPIRE_ALL"}, -1130),
    "response type": (ORDER | {"newOrderRespType": "LONG"}, -1130),
    "not enough money": (ORDER | {"quoteOrderQty": "10001"}, -2010),
}


@pytest.mark.parametrize(("params", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_orders(standing: Serving, params: dict[str, str], code: int) -> None:
    """Each mistake has its code; nothing is placed, and order/test says the same of all but the balance."""
    placed = standing.order(**params)
    tested = standing.signed("POST", "/api/v3/order/test", **({"symbol": "BTCUSDT"} | params))

    assert (placed.status, placed.code) == (400, code)
    assert tested.code == (None if code == -2010 else code)
    assert standing.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT").body == []


def test_filter_messages(standing: Serving) -> None:
    """A filter's failure names the filter."""
    assert standing.buy("4.99").body["msg"] == "Filter failure: NOTIONAL"
    assert standing.order(**LIMIT | {"quantity": "0.000015"}).body["msg"] == "Filter failure: LOT_SIZE"

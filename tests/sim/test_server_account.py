"""The account over HTTP: its shape, what keys may do, commissions, order counts, and who is let in."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import pytest
from serving import Reply, Serving

D = Decimal
ORDER = {"side": "BUY", "type": "MARKET", "quoteOrderQty": "20"}
LIMIT = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "60000", "quantity": "0.001"}


def test_order_weight_is_charged_on_failure_only(market: Serving) -> None:
    """A successful order costs nothing, a refused one 1."""

    def used(reply: Reply) -> int:
        return int(reply.headers["X-MBX-USED-WEIGHT-1M"])

    stamp = market.now()
    costs = []
    for params in (ORDER, ORDER | {"quoteOrderQty": "1"}):
        before = used(market.send("GET", "/sim/clock"))
        costs.append(used(market.order(**params, timestamp=stamp)) - before)

    assert costs == [0, 1]


def test_order_counts_are_of_unfilled_orders(market: Serving) -> None:
    """A filled order does not count, a resting one does."""
    market.buy("20")
    market.order(**LIMIT | {"price": "50000"})

    counts = market.signed("GET", "/api/v3/rateLimit/order").body

    assert [(each["interval"], each["limit"]) for each in counts] == [("SECOND", 50), ("DAY", 160000)]
    assert counts[1]["count"] == 1


def test_account_shape(standing: Serving) -> None:
    """Everything the published account has; zero balances on request only."""
    account = standing.signed("GET", "/api/v3/account").body

    assert {each["asset"] for each in account["balances"]} == {"BNB", "BTC", "ETH", "USDT"}
    assert account["commissionRates"] == {
        "maker": "0.00100000",
        "taker": "0.00100000",
        "buyer": "0.00000000",
        "seller": "0.00000000",
    }
    assert (account["makerCommission"], account["accountType"], account["permissions"]) == (10, "SPOT", ["SPOT"])
    assert isinstance(account["uid"], int)
    assert standing.balances().keys() == {"USDT"}


def test_key_permissions(standing: Serving) -> None:
    """The granted key may read and trade from this machine, nothing else."""
    permissions = standing.signed("GET", "/sapi/v1/account/apiRestrictions").body

    allowed = {name for name, value in permissions.items() if value is True}
    assert allowed == {"ipRestrict", "enableReading", "enableSpotAndMarginTrading"}
    assert len(permissions) == 13
    assert isinstance(permissions["createTime"], int)


def test_commission_rates(standing: Serving) -> None:
    """Of a symbol, and of a test order."""
    rates = standing.signed("GET", "/api/v3/account/commission", symbol="BTCUSDT").body
    tested = standing.signed(
        "POST", "/api/v3/order/test", symbol="BTCUSDT", computeCommissionRates="true", **ORDER
    ).body

    assert rates["standardCommission"]["taker"] == "0.00100000"
    assert rates.keys() == {"symbol", "standardCommission", "specialCommission", "taxCommission", "discount"}
    assert tested["standardCommissionForOrder"] == {"maker": "0.00100000", "taker": "0.00100000"}


class TestAuthentication:
    """Who may call, in the order in which it is checked."""

    def test_without_a_key(self, standing: Serving) -> None:
        """−2014 with 401 for no key or one of the wrong form."""
        for key in ("", "short", "!" * 64, "x" * 65):
            reply = standing.signed("GET", "/api/v3/account", key=key)
            assert (reply.status, reply.code) == (401, -2014)

    def test_unknown_key(self, standing: Serving) -> None:
        """−2015 with 401, before anything else is looked at."""
        reply = standing.signed("GET", "/api/v3/account", key="x" * 64, nonsense="1")

        assert (reply.status, reply.code) == (401, -2015)

    def test_unsigned(self, standing: Serving) -> None:
        """A missing timestamp or signature is a missing parameter."""
        headers = {"X-MBX-APIKEY": standing.key}

        assert (
            standing.send("GET", "/api/v3/account", headers=headers)
            .body["msg"]
            .startswith("Mandatory parameter 'timestamp'")
        )
        reply = standing.send("GET", f"/api/v3/account?timestamp={standing.now()}", headers=headers)
        assert (reply.code, "'signature'" in reply.body["msg"]) == (-1102, True)

    @pytest.mark.parametrize("signature", ["0" * 64, "é", "x", "%00"])
    def test_wrong_signature(self, standing: Serving, signature: str) -> None:
        """−1022."""
        query = f"timestamp={standing.now()}&signature={signature}"

        assert standing.send("GET", f"/api/v3/account?{query}", headers={"X-MBX-APIKEY": standing.key}).code == -1022

    def test_timestamp_comes_before_signature(self, standing: Serving) -> None:
        """An old request is told its age, whatever its signature."""
        reply = standing.send(
            "GET", "/api/v3/account?timestamp=1600000000000&signature=bad", headers={"X-MBX-APIKEY": standing.key}
        )

        assert (reply.status, reply.code) == (400, -1021)

    def test_encoded_text_is_what_is_signed(self, market: Serving) -> None:
        """A parameter that needs percent-encoding verifies only if it was signed encoded."""
        stamp = market.now()
        encoded = f"symbol=BTCUSDT&origClientOrderId=a%3Ab&timestamp={stamp}"
        plain = f"symbol=BTCUSDT&origClientOrderId=a:b&timestamp={stamp}"
        headers = {"X-MBX-APIKEY": market.key}

        good = market.send("GET", f"/api/v3/order?{encoded}&signature={market.sign(encoded)}", headers=headers)
        bad = market.send("GET", f"/api/v3/order?{encoded}&signature={market.sign(plain)}", headers=headers)

        assert (good.code, bad.code) == (-2013, -1022)

    def test_query_and_body_together(self, market: Serving) -> None:
        """Signed as query + body without a separator; what is in both counts as the query has it."""
        query = urlencode({"symbol": "BTCUSDT", "side": "BUY", "quoteOrderQty": "20"})
        body = urlencode({"type": "MARKET", "quoteOrderQty": "30", "timestamp": market.now()})
        headers = {"X-MBX-APIKEY": market.key, "Content-Type": "application/x-www-form-urlencoded"}

        signature = market.sign(query + body)
        reply = market.send("POST", f"/api/v3/order?{query}", body=f"{body}&signature={signature}", headers=headers)

        assert (reply.status, reply.body["origQuoteOrderQty"]) == (200, "20.00000000")

    def test_body_of_a_get_is_ignored(self, market: Serving) -> None:
        """GET parameters are those of the query."""
        query = f"timestamp={market.now()}"
        signed = f"{query}&signature={market.sign(query)}"

        reply = market.send("GET", f"/api/v3/account?{signed}", body="junk=1", headers={"X-MBX-APIKEY": market.key})

        assert reply.status == 200

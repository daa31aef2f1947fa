"""The account's events: they agree with REST to the last digit, whatever was done and whoever listened how."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_room import limit_order, make_engine, market_order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Serving
from ws_clients import Wire, account_wire, signed, wire

from thunes_cli.model import Side
from thunes_cli.sim.bars import MINUTE
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.order_shapes import order_json
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.user_data_events import messages

D = Decimal
START = 1_700_000_040_000
ZIGZAG = ["60000", "60300", "59700", "60500", "59000", "61000", "60000", "58000", "62000", "60000"] * 3
KEYS = set("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQV")
REST_NAMES = {
    "s": "symbol",
    "S": "side",
    "o": "type",
    "f": "timeInForce",
    "q": "origQty",
    "p": "price",
    "X": "status",
    "i": "orderId",
    "z": "executedQty",
    "Z": "cummulativeQuoteQty",
    "Q": "origQuoteOrderQty",
    "O": "time",
    "T": "updateTime",
    "c": "clientOrderId",
    "V": "selfTradePreventionMode",
}


def told(client: Wire, number: int = 1) -> list[Any]:
    """The events of that many changes: each ends with the balances."""
    found: list[Any] = []
    for _ in range(number):
        found += client.until(lambda message: message["event"]["e"] == "outboundAccountPosition")
    assert {message["subscriptionId"] for message in found} == {0}
    return [message["event"] for message in found]


def fold(events: list[Any], totals: dict[str, Decimal], bases: dict[str, tuple[str, str]]) -> None:
    """Book the executions of events on total balances."""
    for event in events:
        if event["e"] == "executionReport" and event["x"] == "TRADE":
            base, quote = bases[event["s"]]
            sign = 1 if event["S"] == "BUY" else -1
            totals[base] += sign * D(event["l"])
            totals[quote] -= sign * D(event["Y"])
            totals[event["N"]] -= D(event["n"])
        elif event["e"] == "balanceUpdate":
            totals[event["a"]] += D(event["d"])


def test_a_market_order_as_the_exchange_tells_it(standing: Serving) -> None:
    """NEW, the trade, then the two balances; keys and values are those of the documentation and of REST."""
    with account_wire(standing) as client:
        reply = standing.buy("50", newClientOrderId="mine-1").body
        new, trade, position = told(client)
        order = standing.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=reply["orderId"]).body
        fill = standing.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT").body[-1]
        held = standing.balances()

    assert set(new) == set(trade) == KEYS | {"W"}
    assert (new["x"], new["X"], new["z"], new["l"], new["n"], new["N"], new["t"]) == (
        "NEW",
        "NEW",
        "0.00000000",
        "0.00000000",
        "0",
        None,
        -1,
    )
    assert (new["w"], trade["w"], trade["m"], trade["r"], trade["C"], trade["g"]) == (
        True,
        False,
        False,
        "NONE",
        "",
        -1,
    )
    assert {key: trade[key] for key in REST_NAMES} == {key: order[name] for key, name in REST_NAMES.items()}
    assert [trade[key] for key in ("x", "t", "L", "l", "Y", "n", "N", "T")] == [
        "TRADE",
        *(fill[name] for name in ("id", "price", "qty", "quoteQty", "commission", "commissionAsset", "time")),
    ]
    assert trade["I"] > new["I"]
    assert position["u"] == trade["T"] <= position["E"]
    assert {each["a"]: (D(each["f"]), D(each["l"])) for each in position["B"]} == {a: held[a] for a in ("BTC", "USDT")}


def test_a_market_order_that_runs_the_book_dry(thin_market: Serving) -> None:
    """A trade for each level, all of them partial, then EXPIRED with the reason."""
    with account_wire(thin_market) as client:
        reply = thin_market.buy("5000").body
        *reports, position = told(client)

    assert [(each["x"], each["X"]) for each in reports] == [
        ("NEW", "NEW"),
        *[("TRADE", "PARTIALLY_FILLED")] * len(reply["fills"]),
        ("EXPIRED", "EXPIRED"),
    ]
    assert reports[-1]["eR"] == reply["expiryReason"] == "INSUFFICIENT_LIQUIDITY"
    assert all("eR" not in each for each in reports[:-1])
    assert (reports[-1]["z"], reports[-1]["Z"]) == (reply["executedQty"], reply["cummulativeQuoteQty"])
    assert D(reports[-1]["z"]) == sum(D(each["l"]) for each in reports)
    assert {each["a"] for each in position["B"]} == {"BTC", "USDT"}


def test_a_limit_orders_life(standing: Serving) -> None:
    """Resting locks quote; a cancel gives it back and names both ids."""
    limit = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001", "price": "50000"}
    free, _ = standing.balances()["USDT"]
    with account_wire(standing) as client:
        standing.order(**limit, newClientOrderId="rest-1")
        new, locked = told(client)
        standing.signed(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="rest-1", newClientOrderId="stop-1"
        )
        canceled, freed = told(client)

    assert (new["x"], new["w"], "W" in new) == ("NEW", True, True)
    assert locked["B"] == [{"a": "USDT", "f": f"{free - 50:.8f}", "l": "50.00000000"}]
    assert (canceled["x"], canceled["X"], canceled["w"]) == ("CANCELED", "CANCELED", False)
    assert (canceled["c"], canceled["C"]) == ("stop-1", "rest-1")
    assert freed["B"] == [{"a": "USDT", "f": f"{free:.8f}", "l": "0.00000000"}]


@pytest.mark.parametrize("force", ["IOC", "FOK"])
def test_what_may_not_rest_expires(standing: Serving, force: str) -> None:
    """An IOC or FOK order the book cannot fill: NEW, EXPIRED with its reason, and no balance changed."""
    with account_wire(standing) as client:
        standing.order(side="BUY", type="LIMIT", timeInForce=force, quantity="0.001", price="50000")
        reports = [client.next()["event"] for _ in range(2)]

        assert [(each["x"], each["X"]) for each in reports] == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]
        assert reports[1]["eR"].startswith(f"UNFILLED_{force}")
        assert client.quiet()


def test_a_resting_order_fills_without_any_request(standing: Serving) -> None:
    """Nobody asks, the market moves: the fill is told, as maker, and REST agrees afterwards."""
    ask = D(standing.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")["askPrice"])
    with account_wire(standing) as client:
        standing.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001", price=str(ask - 1))
        told(client)
        standing.send("POST", "/sim/step", body='{"candles": 600}')
        trade, position = told(client)
        held = standing.balances()

    assert (trade["x"], trade["X"], trade["m"], trade["w"]) == ("TRADE", "FILLED", True, False)
    assert {each["a"]: (D(each["f"]), D(each["l"])) for each in position["B"]} == {a: held[a] for a in ("BTC", "USDT")}


def test_a_running_market_fills_resting_orders_by_itself(tmp_path: Path) -> None:
    """Without step and without request: the timer alone finds the fill."""
    with Serving(SimOptions(tmp_path / "sim", speed=D(20000))) as serving, account_wire(serving) as client:
        status = 0
        while status != 200:  # the price may fall below the limit before the order arrives
            price = D(serving.get("/api/v3/ticker/price", symbol="BTCUSDT")["price"]) * D("0.999")
            status = serving.order(side="BUY", type="LIMIT_MAKER", quantity="0.001", price=str(price // 1)).status
        events = told(client, 2)

    assert [each.get("x") for each in events] == ["NEW", None, "TRADE", None]


def test_events_fold_to_the_balances(thin_market: Serving) -> None:
    """Many orders of all kinds: executions add up to REST's totals, positions to its free and locked."""
    steps = [
        lambda: thin_market.buy("1500"),
        lambda: thin_market.buy("900"),
        lambda: thin_market.order(side="SELL", type="MARKET", quantity="0.01"),
        lambda: thin_market.order(side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.005", price="61500"),
        lambda: thin_market.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.02", price="61300"),
        lambda: thin_market.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.004", price="60000"),
        lambda: thin_market.order(symbol="ETHUSDT", side="BUY", type="MARKET", quantity="1"),
        lambda: thin_market.send("POST", "/sim/step", body='{"candles": 700}'),
        lambda: thin_market.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT"),
    ]
    totals: dict[str, Decimal] = defaultdict(Decimal, USDT=D(10000))
    bases = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}
    with account_wire(thin_market) as client:
        for act in steps:
            act()
        client.send({"id": "end", "method": "ping"})
        events = [message["event"] for message in client.until(lambda each: "id" in each)[:-1]]
        held = {asset: pair for asset, pair in thin_market.balances().items() if any(pair)}
    fold(events, totals, bases)
    shown = {
        each["a"]: (D(each["f"]), D(each["l"]))
        for event in events
        if event["e"] == "outboundAccountPosition"
        for each in event["B"]
    }

    assert {asset: total for asset, total in totals.items() if total} == {a: sum(pair) for a, pair in held.items()}
    assert {asset: pair for asset, pair in shown.items() if any(pair)} == held
    assert sum(each.get("x") == "TRADE" for each in events) >= 8
    executions = [each["I"] for each in events if each["e"] == "executionReport"]
    assert executions == sorted(set(executions))


orders = st.one_of(
    st.builds(market_order, st.sampled_from(Side), quote=st.sampled_from(["20", "300", "2500"])),
    st.builds(market_order, st.sampled_from(Side), quantity=st.sampled_from(["0.001", "0.03"])),
    st.builds(
        limit_order,
        st.sampled_from(Side),
        st.integers(585, 615).map(lambda hundreds: f"{hundreds}00"),
        st.sampled_from(["0.001", "0.004"]),
        force=st.sampled_from(["GTC", "IOC", "FOK"]),
    ),
    st.none(),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(orders, min_size=1, max_size=8))
def test_any_orders_fold_to_the_balances(tmp_path_factory: pytest.TempPathFactory, plan: list[Any]) -> None:
    """Whatever is placed, filled later or canceled: folded events are the engine's balances, reports its orders."""
    engine = make_engine(tmp_path_factory.mktemp("engine") / "db", ZIGZAG, depth="3000")
    events: list[Any] = []
    number = iter(range(1, 10_000))
    now = START + MINUTE
    engine.listeners.append(
        lambda committed: events.extend(
            json.loads(message.form()) for message in messages(committed, now=now, next_execution=lambda: next(number))
        )
    )
    for request in plan:
        try:
            if request is not None:
                engine.place(request, now)
            elif engine.open:
                engine.cancel(next(iter(engine.open.values())), None, now)
        except ApiError:
            assert not events or events[-1]["E"] <= now
        now += MINUTE
        engine.advance(now)
    totals: dict[str, Decimal] = defaultdict(Decimal, USDT=D(10000), BTC=D(1))
    fold(events, totals, {"BTCUSDT": ("BTC", "USDT")})
    last = {each["i"]: each for each in events if each["e"] == "executionReport"}

    assert {asset: total for asset, total in totals.items() if total} == {
        asset: held.free + held.locked for asset, held in engine.balances.items() if held.free + held.locked
    }
    for order in engine.store.orders():
        shown, report = order_json(order), last[order.order_id]
        assert {key: report[key] for key in REST_NAMES} == {key: shown[name] for key, name in REST_NAMES.items()}
        assert report["w"] is order.open


def test_one_subscription_for_an_account_on_a_connection(standing: Serving) -> None:
    """A second is refused; ended, the next has a new number; the last event of each says that it has ended."""
    with account_wire(standing) as client:
        again = client.request("userDataStream.subscribe.signature", **signed(standing))
        assert (again["status"], again["error"]["code"]) == (400, -2035)
        assert client.request("session.subscriptions")["result"] == [{"subscriptionId": 0}]
        assert client.request("session.status")["result"]["userDataStream"] is True
        assert client.request("userDataStream.unsubscribe", subscriptionId=5)["error"]["code"] == -2036
        client.send({"id": 1, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 0}})
        ended, answer = client.next(), client.next()
        assert (ended["subscriptionId"], ended["event"]["e"]) == (0, "eventStreamTerminated")
        assert answer["result"] == {}
        standing.buy("20")
        assert client.quiet()
        second = client.request("userDataStream.subscribe.signature", **signed(standing))
        assert second["result"] == {"subscriptionId": 1}
        standing.buy("20")
        assert client.next()["subscriptionId"] == 1


def test_every_connection_has_its_own(standing: Serving) -> None:
    """Two listeners hear the same events, one of them in microseconds; other connections hear nothing."""
    with account_wire(standing) as first, wire(standing, "/ws-api/v3?timeUnit=MICROSECOND") as second:
        second.request("userDataStream.subscribe.signature", **signed(standing))
        with wire(standing, "/ws-api/v3") as other:
            standing.buy("20")
            here, there = told(first), told(second)
            assert other.quiet()

    assert [each["E"] * 1000 for each in here] == [each["E"] for each in there]
    assert [each.get("T", 0) * 1000 for each in here] == [each.get("T", 0) for each in there]
    assert [each.get("z") for each in here] == [each.get("z") for each in there]


def test_a_new_connection_has_no_subscription(standing: Serving) -> None:
    """It is lost with the connection, and what happened meanwhile is not told again."""
    with account_wire(standing):
        pass
    standing.buy("20")
    with wire(standing, "/ws-api/v3") as client:
        assert client.request("session.subscriptions")["result"] == []
        standing.buy("20")
        assert client.quiet()
        client.request("userDataStream.subscribe.signature", **signed(standing))
        assert client.quiet()

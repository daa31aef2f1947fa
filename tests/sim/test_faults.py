"""Every kind of fault, ordered over HTTP as a drill does, and seen by a client on the socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from served_here import ServedHere
from serving import Reply, Serving, stepped
from websockets.exceptions import ConnectionClosed, InvalidStatus
from ws_clients import account_wire, wire

from thunes_cli.sim.fault_kinds import NATURES, FaultKind
from thunes_cli.sim.options import SimOptions

D = Decimal
KLINE = "/ws/btcusdt@kline_1m"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHere]:
    """A stepped market, served by this process."""
    with ServedHere(stepped(tmp_path_factory.mktemp("faults"))) as serving:
        yield serving


@pytest.fixture
def here(running: ServedHere) -> Iterator[ServedHere]:
    """The same, with nothing waiting and nobody connected before and after."""
    yield running
    fault_post(running, "/sim/faults/clear")
    running.wait_until_alone()


def fault_post(here: Serving, where: str, /, **asked: Any) -> dict[str, Any]:
    reply = here.send("POST", where, body=json.dumps(asked))
    assert reply.status == 200, reply
    return dict(reply.body)


def order(here: Serving, kind: str, /, **asked: Any) -> dict[str, Any]:
    """Order a fault."""
    return fault_post(here, "/sim/fault", kind=kind, **asked)


def found(here: ServedHere, client_id: str) -> Reply:
    """Ask for an order by our own id."""
    return here.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=client_id)


@pytest.mark.parametrize(
    ("kind", "answer", "after"),
    [
        ("http_503_before", (503, -1001), -2013),
        ("http_503_after", (503, -1001), None),
        ("timeout_1007_after", (504, -1007), None),
        ("json_list", (400, None), None),
    ],
)
def test_answers_that_do_not_tell(
    here: ServedHere, kind: str, answer: tuple[int, int | None], after: int | None
) -> None:
    """The answer is the same whether the order was executed or not; asking for it tells. The next order is well."""
    order(here, kind, path="POST /api/v3/order")

    reply = here.buy("20", newClientOrderId=f"x-{kind}")

    assert (reply.status, reply.code) == answer
    assert found(here, f"x-{kind}").code == after
    assert here.buy("20").status == 200


@pytest.mark.parametrize(("kind", "after"), [("reset_before", -2013), ("reset_after", None)])
def test_connections_that_are_reset(here: ServedHere, kind: str, after: int | None) -> None:
    """No answer at all."""
    order(here, kind)

    with pytest.raises(requests.ConnectionError):
        here.buy("20", newClientOrderId=f"x-{kind}")

    assert found(here, f"x-{kind}").code == after


@pytest.mark.parametrize(("kind", "after"), [("hang_before", -2013), ("hang_after", None)])
def test_answers_that_never_come(here: ServedHere, kind: str, after: int | None) -> None:
    """The connection stays open; the client's patience decides."""
    order(here, kind)
    patient = here.session.request
    here.session.request = lambda *args, **more: patient(*args, **more | {"timeout": 0.3})  # type: ignore[method-assign]

    with pytest.raises(requests.ReadTimeout):
        here.buy("20", newClientOrderId=f"x-{kind}", timestamp=here.now())

    here.session.request = patient  # type: ignore[method-assign]
    assert found(here, f"x-{kind}").code == after


def test_a_body_byte_by_byte(here: ServedHere) -> None:
    """Headers at once, the body slower than a client waits; what is asked for is done."""
    order(here, "slow_body", ms=1, path="POST /api/v3/order")

    reply = here.buy("20", newClientOrderId="x-slow")

    assert reply.status == 200
    assert reply.body["status"] == "FILLED"


def test_a_firewalls_page(here: ServedHere) -> None:
    """403, HTML, nothing executed."""
    order(here, "html_403", path="POST /api/v3/order")

    with pytest.raises(requests.JSONDecodeError):
        here.buy("20", newClientOrderId="x-html")

    assert found(here, "x-html").code == -2013


def test_too_many_requests(here: ServedHere) -> None:
    """429 on the path that was named, with Retry-After, for as long as was said."""
    order(here, "rate_limit_429", seconds=60, path="/api/v3/klines")

    limited = here.send("GET", "/api/v3/klines?symbol=BTCUSDT&interval=1m")

    assert (limited.status, limited.code) == (429, -1003)
    assert 50 <= int(limited.headers["Retry-After"]) <= 60
    assert here.send("GET", "/api/v3/klines?symbol=BTCUSDT&interval=1m").status == 429
    assert here.get("/api/v3/ping") == {}


def test_a_ban(here: ServedHere) -> None:
    """418 on everything, until when is in the message; clearing lifts it."""
    order(here, "ban_418", seconds=90)

    assert here.send("GET", "/api/v3/ping").status == 418
    again = here.send("GET", "/api/v3/time")
    assert (again.status, again.code) == (418, -1003)
    assert "IP banned until" in again.body["msg"]
    assert 80 <= int(again.headers["Retry-After"]) <= 90
    assert fault_post(here, "/sim/faults/clear")["bans_lifted"] == 1
    assert here.get("/api/v3/ping") == {}


def test_queries_that_lag(here: ServedHere) -> None:
    """−2013 to so many questions, although it was executed."""
    order(here, "lookup_lag", ms=0, queries=2)

    assert here.buy("20", newClientOrderId="x-lag").status == 200

    assert [found(here, "x-lag").code for _ in range(3)] == [-2013, -2013, None]


def test_lists_that_lag(here: ServedHere) -> None:
    """Lists leave it out as well, and an answer that does counts, whoever was asked for what."""
    before = here.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT").body
    order(here, "lookup_lag", ms=0, queries=3)
    assert here.buy("20", newClientOrderId="x-list").status == 200

    lists = [here.signed("GET", f"/api/v3/{path}", symbol="BTCUSDT").body for path in ("allOrders", "myTrades")]
    assert lists[0] == before
    assert found(here, "x-list").code == -2013

    assert found(here, "x-list").code is None
    assert len(here.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT").body) == len(before) + 1


@pytest.mark.parametrize(("ms", "message"), [(8_000, "outside of the recvWindow"), (-8_000, "ahead of the server")])
def test_a_clock_that_is_off(tmp_path: Path, ms: int, message: str) -> None:
    """The server's time moves; who signs by the old time is refused, who asks again is not."""
    with ServedHere(SimOptions(tmp_path / "at speed 1")) as here:
        before = here.now()
        order(here, "clock_skew", ms=ms)

        assert here.now() - before == pytest.approx(ms, abs=2_000)
        stale = here.signed("GET", "/api/v3/account", timestamp=before)
        assert (stale.status, stale.code) == (400, -1021)
        assert message in stale.body["msg"]
        assert here.signed("GET", "/api/v3/account").status == 200


def test_a_book_that_runs_dry(here: ServedHere) -> None:
    """EXPIRED with half of it executed; fills and balances agree."""
    order(here, "partial_expire")

    reply = here.buy("20")

    assert reply.body["status"] == "EXPIRED"
    assert D(0) < D(reply.body["cummulativeQuoteQty"]) < D(15)
    assert sum(D(fill["qty"]) for fill in reply.body["fills"]) == D(reply.body["executedQty"])
    assert here.buy("20").body["status"] == "FILLED"


def test_a_halted_symbol(here: ServedHere) -> None:
    """Orders on it are refused, exchangeInfo says so, others go on."""
    order(here, "halt", symbol="BTCUSDT")

    assert here.get("/api/v3/exchangeInfo", symbol="BTCUSDT")["symbols"][0]["status"] == "HALT"
    refused = here.buy("20")
    assert (refused.status, refused.code) in {(400, -1013), (400, -2010)}
    assert here.buy("20", symbol="ETHUSDT").status == 200
    assert fault_post(here, "/sim/faults/clear")["resumed"] == ["BTCUSDT"]
    assert here.buy("20").status == 200


def test_refused_connections(tmp_path: Path) -> None:
    """The port is closed for a while, and open again."""
    with Serving(stepped(tmp_path / "refusing")) as served:
        assert order(served, "refuse", seconds=0.5)["done"] == {"seconds": 0.5}
        refused, deadline = 0, time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                served.get("/api/v3/ping")
            except requests.ConnectionError:
                refused += 1
            else:
                if refused:
                    break

    assert refused


@pytest.mark.parametrize(("kind", "times"), [("user_event_twice", [2, 2]), ("user_event_reordered", [1, 1])])
def test_account_events_out_of_order(here: ServedHere, kind: str, times: list[int]) -> None:
    """Twice, or the last one first; what they say stays true."""
    with account_wire(here) as account:
        order(here, kind)
        placed = here.buy("20", newClientOrderId=f"x-{kind}").body
        events = [account.next()["event"] for _ in range(sum(times) * 3 // 2)]

    reports = [event for event in events if event["e"] == "executionReport"]
    states = [event["X"] for event in reports]
    if kind == "user_event_twice":
        assert states == ["NEW", "NEW", "FILLED", "FILLED"]
        assert events[0] == events[1]
    else:
        assert states == ["FILLED", "NEW"]
        assert events[0]["e"] == "outboundAccountPosition"
    assert {event["i"] for event in reports} == {placed["orderId"]}


def test_websockets_that_fall(here: ServedHere) -> None:
    """Without a close frame; new ones are refused as long as was said."""
    with wire(here, KLINE) as streams:
        assert order(here, "ws_drop", seconds=0.4)["done"] == {"connections": 1}
        assert streams.ended() == (1006, "")
    with pytest.raises(InvalidStatus), wire(here, KLINE):
        pass
    deadline = time.monotonic() + 20
    while True:
        try:
            with wire(here, KLINE) as again:
                assert again.next()["e"] == "kline"
                return
        except InvalidStatus:
            assert time.monotonic() < deadline


def test_websockets_that_say_nothing(here: ServedHere) -> None:
    """No message although the market moves; the connection lives."""
    with wire(here, KLINE) as streams:
        streams.next()
        order(here, "ws_silence")
        here.send("POST", "/sim/step")
        assert streams.quiet()
        fault_post(here, "/sim/faults/clear")
        here.send("POST", "/sim/step")
        assert streams.next()["e"] == "kline"


def test_websockets_that_are_half_open(here: ServedHere) -> None:
    """Nothing moves on the old ones; a new one is well."""
    with wire(here, "/ws-api/v3") as old:
        order(here, "ws_half_open", path="/ws-api/v3")
        old.send({"id": "1", "method": "ping"})
        assert old.quiet()
        with wire(here, "/ws-api/v3") as new:
            assert new.request("ping")["status"] == 200


def test_websockets_with_garbage(here: ServedHere) -> None:
    """Frames that are no JSON, or no event; then the market goes on."""
    with wire(here, KLINE) as streams:
        streams.next()
        order(here, "ws_garbage", count=3)
        here.send("POST", "/sim/step")
        frames = []
        while not frames or not isinstance(frames[-1], dict) or frames[-1].get("e") != "kline":
            raw = streams.connection.recv(timeout=20)
            try:
                frames.append(json.loads(raw))
            except ValueError:
                frames.append(raw)
    assert len(frames) > 3


def test_websockets_with_too_much_at_once(here: ServedHere) -> None:
    """So many true messages."""
    with wire(here, KLINE) as streams:
        streams.next()
        order(here, "ws_burst", count=300)
        assert {streams.next()["e"] for _ in range(300)} == {"kline"}


def test_websockets_that_are_shut_down(here: ServedHere) -> None:
    """The announcement in each form, then a close."""
    combined_path = "/stream?streams=btcusdt@kline_1m"
    with wire(here, KLINE) as raw, wire(here, combined_path) as combined, wire(here, "/ws-api/v3") as api:
        order(here, "ws_shutdown", seconds=0.1)
        assert raw.until(lambda message: message["e"] == "serverShutdown")
        told = combined.until(lambda message: message["stream"] == "!serverShutdown")[-1]
        assert told["data"]["e"] == "serverShutdown"
        assert api.until(lambda message: "event" in message)[-1]["event"]["e"] == "serverShutdown"
        with pytest.raises(ConnectionClosed):
            while True:
                raw.connection.recv(timeout=20)


def test_somebody_elses_order(here: ServedHere) -> None:
    """It is in the account's list, with an id that is nobody's."""
    done = order(here, "stranger_order", symbol="ETHUSDT", side="BUY", quantity="0.01")["done"]

    listed = here.signed("GET", "/api/v3/allOrders", symbol="ETHUSDT").body[-1]

    assert listed["clientOrderId"] == done["order"]["clientOrderId"]
    assert listed["clientOrderId"].startswith("web_")
    assert (listed["status"], D(listed["executedQty"])) == ("FILLED", D("0.01"))


def test_money_that_comes_and_goes(here: ServedHere) -> None:
    """A deposit arrives, a withdrawal leaves, no more than is free can leave."""
    before = here.balances().get("SOL", (D(0), D(0)))[0]

    order(here, "deposit", asset="SOL", quantity="3")
    order(here, "withdraw", asset="SOL", quantity="1")

    assert here.balances()["SOL"][0] == before + 2
    refused = here.send("POST", "/sim/fault", body='{"kind": "withdraw", "asset": "SOL", "quantity": "99"}')
    assert (refused.status, refused.code) == (400, -2010)


def test_a_wipe(here: ServedHere) -> None:
    """Orders and trades are gone, balances as in the beginning, the key still works."""
    here.buy("20")
    order(here, "wipe")

    assert here.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT").body == []
    assert here.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT").body == []
    assert {asset: free for asset, (free, _) in here.balances().items() if free} == {"USDT": D(10000)}


def test_listed_with_their_effect(here: ServedHere) -> None:
    """What `sim faults` shows; what waits is shown until it has hit."""
    order(here, "http_503_before", count=2)

    listed = here.get("/sim/faults")

    assert {each["kind"] for each in listed["kinds"]} == set(FaultKind)
    assert all(each["effect"] for each in listed["kinds"])
    assert [(each["kind"], each["remaining"]) for each in listed["queued"]] == [("http_503_before", 2)]
    assert here.buy("20").status == 503
    assert here.get("/sim/faults")["queued"][0]["remaining"] == 1


def test_none_is_left_out() -> None:
    """This file orders every kind there is."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [kind for kind in NATURES if f'"{kind}"' not in text] == []

"""Every kind of fault, ordered over HTTP as a drill does, and seen by a client on the socket."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from fault_orders import fault_post, found, order
from served_here import ServedHere
from serving import Serving, stepped

from thunes_cli.sim.fault_kinds import NATURES, FaultKind
from thunes_cli.sim.options import SimOptions

D = Decimal


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
    """This file and the one about streams order every kind there is."""
    files = Path(__file__).parent.glob("test_faults*.py")
    text = "".join(file.read_text(encoding="utf-8") for file in files)

    assert [kind for kind in NATURES if f'"{kind}"' not in text] == []

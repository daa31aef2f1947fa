"""Every kind of fault of the WebSocket streams, ordered over HTTP and seen by a client on the socket."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import pytest
from fault_orders import fault_post, order
from served_here import ServedHere
from websockets.exceptions import ConnectionClosed, InvalidStatus
from ws_clients import account_wire, wire

D = Decimal
KLINE = "/ws/btcusdt@kline_1m"


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

"""What can be done to connections at the word of a command, as a client sees it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from served_here import ServedHere
from serving import stepped
from stream_server import wait_for
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from ws_clients import RawWire, account_wire, wire

from thunes_cli.sim.keys import PERMISSIONS, ApiKey
from thunes_cli.sim.signing import verify

D = Decimal
KLINE, TRADE = "btcusdt@kline_1m", "btcusdt@trade"


@pytest.fixture
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHere]:
    """A stepped market served by this process; its connections are pinged often, and have time to answer."""
    options = stepped(tmp_path_factory.mktemp("here"), ws_ping_seconds=D("0.3"), ws_pong_seconds=D(20))
    with ServedHere(options) as serving:
        yield serving


def test_dropped_connections(here: ServedHere) -> None:
    """No close frame, only an end; all of a kind or all; whoever comes back is served."""
    with wire(here, f"/ws/{KLINE}") as streams, wire(here, "/ws-api/v3") as api:
        assert here.do(lambda: here.world.connections.drop("market")) == 1
        assert streams.ended() == (1006, "")
        assert api.request("ping")["status"] == 200
        assert here.do(here.world.connections.drop) == 1
        assert api.ended() == (1006, "")
    with wire(here, f"/ws/{KLINE}") as again:
        assert again.next()["e"] == "kline"
        wait_for(lambda: here.do(lambda: len(here.world.connections)) == 1)  # those that fell are forgotten


def test_refused_connections(here: ServedHere) -> None:
    """HTTP 503 while it lasts; REST goes on."""
    here.do(here.world.connections.refuse)
    with pytest.raises(InvalidStatus) as refused:
        connect(here.announced["stream_url"] + "/ws", proxy=None)
    assert refused.value.response.status_code == 503
    assert here.get("/api/v3/ping") == {}
    here.do(lambda: here.world.connections.refuse(on=False))
    with wire(here, "/ws") as client:
        assert client.control("LIST_SUBSCRIPTIONS")["result"] == []


def test_silence(here: ServedHere) -> None:
    """Pings are sent and answered, messages are not; what was said meanwhile is lost, and new connections share it."""
    with wire(here, f"/ws/{KLINE}") as client:
        client.next()
        assert here.do(here.world.connections.silence) == 1
        here.send("POST", "/sim/step", body='{"candles": 5}')
        assert client.quiet(0.6)
        assert client.connection.ping().wait(20)
        with wire(here, f"/ws/{KLINE}") as late:
            assert late.quiet(0.2)
            here.do(lambda: here.world.connections.silence(on=False))
            assert not late.next()["k"]["x"]
        assert not client.next()["k"]["x"]


def test_half_open(here: ServedHere) -> None:
    """Nothing moves any more, no ping, no answer, no end; the exchange serves others, and can end all the same."""
    mute = RawWire(here.announced["stream_url"] + f"/ws/{TRADE}")
    with wire(here, f"/ws/{KLINE}") as client:
        client.next()
        assert here.do(here.world.connections.freeze) == 2
        here.send("POST", "/sim/step", body='{"candles": 5}')
        code, _ = mute.until_end(lambda _: None, seconds=1.0)
        assert code == 0
        mute.pong(b"")  # the peer's kernel takes it, and that is all
        assert not client.connection.ping().wait(0.3)
        with wire(here, f"/ws/{KLINE}") as other:
            assert other.next()["e"] == "kline"
        client.connection.socket.close()
    mute.close()


def test_garbage(here: ServedHere) -> None:
    """Half a message, other shapes, an unknown event, bytes; then the stream goes on."""
    with wire(here, f"/ws/{KLINE}") as client:
        client.next()
        here.do(here.world.connections.send_garbage)
        received = [client.connection.recv(timeout=20) for _ in range(5)]
        here.send("POST", "/sim/step")
        assert client.until(lambda message: message.get("k", {}).get("x"))

    shapes = []
    for frame in received:
        try:
            shapes.append(type(json.loads(frame)).__name__)
        except ValueError:
            shapes.append("broken")
    assert shapes == ["broken", "list", "NoneType", "dict", "broken"]
    assert isinstance(received[-1], bytes)


def test_burst(here: ServedHere) -> None:
    """As many messages as wanted at once, each of them true and none of them a second closed candle."""
    with wire(here, f"/stream?streams={KLINE}/btcusdt@miniTicker") as client, account_wire(here) as api:
        client.next()
        before = here.balances()
        here.do(lambda: here.world.connections.burst(2000))
        told = [client.next() for _ in range(2000)]
        events = [api.next()["event"] for _ in range(2000)]

    assert {each["stream"] for each in told} == {KLINE, "btcusdt@miniTicker"}
    assert not any(each["data"]["k"]["x"] for each in told if each["stream"] == KLINE)
    assert {each["a"]: (D(each["f"]), D(each["l"])) for each in events[-1]["B"] if D(each["f"])} == before


def test_shutdown_is_announced_in_three_shapes(here: ServedHere) -> None:
    """With or without an end."""
    with (
        wire(here, f"/ws/{TRADE}") as raw,
        wire(here, f"/stream?streams={TRADE}") as combined,
        wire(here, "/ws-api/v3") as api,
    ):
        event = {"e": "serverShutdown", "E": here.now()}
        for client in (raw, combined):
            client.control("LIST_SUBSCRIPTIONS")
        api.request("ping")
        here.do(lambda: here.world.connections.broadcast_shutdown(here.world.clock.now()))
        shapes = (event, {"stream": "!serverShutdown", "data": event}, {"event": event})
        assert tuple(client.next() for client in (raw, combined, api)) == shapes
        assert api.request("ping")["status"] == 200
        here.do(lambda: here.world.connections.broadcast_shutdown(here.world.clock.now(), drop_after=0.05))
        assert [client.ended()[0] for client in (raw, combined, api)] == [1012] * 3


def test_user_events_twice_and_reversed(here: ServedHere) -> None:
    """For as many changes as wanted, then as ever."""
    with account_wire(here) as client:
        here.do(here.world.connections.repeat_user_events)
        here.do(lambda: here.world.connections.reverse_user_events(1))
        for _ in range(2):
            here.buy("20")
        told = [client.next()["event"] for _ in range(9)]

    kinds = [(each["e"], each.get("x")) for each in told]
    change = [("executionReport", "NEW"), ("executionReport", "TRADE"), ("outboundAccountPosition", None)]
    assert kinds == [each for each in reversed(change) for _ in range(2)] + change
    assert told[0] == told[1]


def test_deposits_and_withdrawals(here: ServedHere) -> None:
    """balanceUpdate with the difference, then the balance; REST agrees."""
    with account_wire(here) as client:
        here.do(lambda: here.world.engine.credit("BTC", D("1.5")))
        here.do(lambda: here.world.engine.credit("USDT", D("-100.25")))
        told = [client.next()["event"] for _ in range(4)]

    assert [each["e"] for each in told] == ["balanceUpdate", "outboundAccountPosition"] * 2
    assert [(each["a"], each["d"]) for each in told[::2]] == [("BTC", "1.50000000"), ("USDT", "-100.25000000")]
    held = here.balances()
    assert {each["a"]: D(each["f"]) for event in told[1::2] for each in event["B"]} == {
        asset: free for asset, (free, _) in held.items()
    }


def test_a_revoked_key_hears_no_more(here: ServedHere) -> None:
    """The stream says that it has ended, at the next look at the exchange; the connection stays."""

    def revoke() -> None:
        here.world.keys.revoke(here.key)

    with account_wire(here) as client:
        here.do(revoke)
        here.send("POST", "/sim/step")
        assert client.next()["event"]["e"] == "eventStreamTerminated"
        assert client.request("session.subscriptions")["result"] == []
        here.do(lambda: here.world.engine.credit("BTC", D(1)))
        assert client.quiet()


def test_a_session_of_an_ed25519_key(here: ServedHere) -> None:
    """After logon neither key nor signature is needed, but a time is; a revoked key ends the session."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    key = ApiKey("E" * 64, public, {**PERMISSIONS, "ipRestrict": False}, 0, kind="ED25519")
    params = {"apiKey": key.api_key, "timestamp": here.now()}
    payload = f"apiKey={key.api_key}&timestamp={params['timestamp']}"
    signature = base64.b64encode(private.sign(payload.encode())).decode()
    if not verify(key, payload, signature):
        pytest.skip("signatures of Ed25519 keys are not checked yet")
    here.do(lambda: here.world.keys.put(key))
    with wire(here, "/ws-api/v3") as client:
        assert client.request("session.logon", **params, signature=signature[::-1])["error"]["code"] == -1022
        logon = client.request("session.logon", **params, signature=signature)["result"]
        assert (logon["apiKey"], logon["authorizedSince"]) == (key.api_key, here.now())
        assert client.request("account.status")["error"]["code"] == -1102
        assert client.request("account.status", timestamp=here.now())["result"]["balances"]
        assert client.request("userDataStream.subscribe")["result"] == {"subscriptionId": 0}
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "20", "timestamp": here.now()}
        assert client.request("order.place", **order)["result"]["status"] == "FILLED"
        assert client.request("session.logout")["result"] == logon | {
            "apiKey": None,
            "authorizedSince": None,
            "serverTime": here.now(),
        }
        client.request("session.logon", **params, signature=signature)
        here.do(lambda: here.world.keys.revoke(key.api_key))
        client.send({"id": 9, "method": "account.status", "params": {"timestamp": here.now()}})
        refused = client.next()
        assert (refused["id"], refused["status"], refused["error"]["code"]) == (None, 401, -2015)
        assert client.request("session.status")["result"]["apiKey"] is None


def test_the_timer_rests_when_nobody_listens(here: ServedHere) -> None:
    """It runs from the first subscription to the end of the last connection."""

    def runs() -> bool:
        return here._server._sockets._pulse._task is not None

    assert not here.do(runs)
    with wire(here, f"/ws/{KLINE}") as client:
        client.next()
        assert here.do(runs)
        client.control("UNSUBSCRIBE", [KLINE])
        wait_for(lambda: not here.do(runs))
        client.control("SUBSCRIBE", [KLINE])
        assert here.do(runs)
    wait_for(lambda: not here.do(runs))

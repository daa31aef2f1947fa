"""Control messages, addresses and limits of market stream connections."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from served_here import ServedHere
from serving import Serving, stepped
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect
from ws_clients import RawWire, Wire, wire

from thunes_cli.sim.options import SimOptions

D = Decimal
TRADE, KLINE = "btcusdt@trade", "btcusdt@kline_1m"


def test_subscribing_while_connected(standing: Serving) -> None:
    """SUBSCRIBE, LIST_SUBSCRIPTIONS and UNSUBSCRIBE; after the last one nothing comes any more."""
    with wire(standing, "/ws") as client:
        assert client.control("SUBSCRIBE", [KLINE, TRADE], 7) == {"result": None, "id": 7}
        assert client.until(lambda message: message.get("e") == "kline")
        assert client.control("LIST_SUBSCRIPTIONS", identity=None) == {"result": [KLINE, TRADE], "id": None}
        assert client.control("UNSUBSCRIBE", [KLINE, "never@trade"], "x-1") == {"result": None, "id": "x-1"}
        assert client.control("LIST_SUBSCRIPTIONS", [], -1) == {"result": [TRADE], "id": -1}
        assert client.quiet()


def test_addresses_raw_and_combined(standing: Serving) -> None:
    """/ws/name and /ws/a/b are raw, /stream?streams=a/b is wrapped; names may be percent-encoded."""
    for path in (f"/ws/{KLINE}", f"/ws/{TRADE}/{KLINE}", "/ws/btcusdt%40kline_1m"):
        with wire(standing, path) as client:
            assert client.next()["e"] == "kline"
    for path in (f"/stream?streams={KLINE}", f"/stream?streams={TRADE}/btcusdt%40kline_1m"):
        with wire(standing, path) as client:
            message = client.next()
            assert (message["stream"], message["data"]["e"]) == (KLINE, "kline")


def test_combined_is_a_property(standing: Serving) -> None:
    """It is false at /ws and true at /stream, can be read, and changes what follows."""
    with wire(standing, "/ws") as client:
        assert client.control("GET_PROPERTY", ["combined"]) == {"result": False, "id": 1}
        assert client.control("SET_PROPERTY", ["combined", True]) == {"result": None, "id": 1}
        client.control("SUBSCRIBE", [KLINE])
        assert client.next()["stream"] == KLINE
    with wire(standing, "/stream") as client:
        assert client.control("GET_PROPERTY", ["combined"]) == {"result": True, "id": 1}


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"method": "GET_PROPERTY", "params": ["colour"], "id": 1}, 0, "Unknown property"),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}, 1, "expected Boolean"),
        ({"method": "SET_PROPERTY", "params": ["combined"], "id": 1}, 1, "expected Boolean"),
        ({"method": "SET_PROPERTY", "params": [True], "id": 1}, 2, "property name must be a string"),
        ({"method": "GET_PROPERTY", "id": 1}, 2, "property name must be a string"),
        ({"method": "GET_PROPERTY", "params": ["combined", 1], "id": 1}, 2, "too many parameters"),
        ({"method": "LIST_SUBSCRIPTIONS", "params": [1], "id": 1}, 2, "too many parameters"),
        ({"method": "SUBSCRIBE", "params": [TRADE]}, 2, "request ID must be an unsigned integer"),
        ({"method": "SUBSCRIBE", "params": [TRADE], "id": 1.5}, 2, "request ID must be an unsigned integer"),
        ({"method": "SUBSCRIBE", "params": [TRADE], "id": "x" * 37}, 2, "request ID must be an unsigned integer"),
        ({"method": "SUBSCRIBE", "params": [TRADE], "id": 2**63}, 2, "request ID must be an unsigned integer"),
        (
            {"method": "subscribe", "params": [TRADE], "id": 1},
            2,
            "unknown variant `subscribe`, expected one of `SUBSCRIBE`",
        ),
        ({"params": [TRADE], "id": 1}, 2, "missing field `method` at line 1 column"),
        ({"method": "SUBSCRIBE", "params": ["@@@junk###"], "id": 1}, 2, "invalid stream"),
        ({"method": "SUBSCRIBE", "params": TRADE, "id": 1}, 2, "array of strings"),
        ({"method": "SUBSCRIBE", "params": ["a@trade"] + [f"s{n}@trade" for n in range(1024)], "id": 1}, 4, "Too many"),
        ([], 2, "Invalid request"),
        ('{"method": "SUBSCRIBE",', 3, "expected value at line 1 column"),
        ("[" * 5000, 3, "Invalid JSON"),
    ],
)
def test_what_is_refused(standing: Serving, request_: Any, code: int, words: str) -> None:
    """The exchange's codes and messages; the connection lives on."""
    with wire(standing, "/ws") as client:
        client.send(request_)
        answer = client.next()

        assert answer["error"]["code"] == code
        assert words in answer["error"]["msg"]
        assert answer["id"] == (request_.get("id") if code in {0, 1, 4} else answer["id"])
        assert client.control("LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}


def test_1024_streams_are_allowed(standing: Serving) -> None:
    """Not one more, whatever was left in between."""
    names = [f"s{number}@trade" for number in range(1024)]
    with wire(standing, "/ws") as client:
        assert client.control("SUBSCRIBE", names)["result"] is None
        assert client.control("SUBSCRIBE", [names[0]])["result"] is None
        assert client.control("SUBSCRIBE", ["more@trade"])["error"]["code"] == 4
        assert client.control("UNSUBSCRIBE", names[:1])["result"] is None
        assert len(client.control("LIST_SUBSCRIPTIONS")["result"]) == 1023


def test_junk_in_the_address_ends_the_connection(standing: Serving) -> None:
    """It is told why first."""
    with wire(standing, "/ws/@@@junk") as client:
        assert client.next()["error"] == {"code": 2, "msg": "Invalid request: invalid stream"}
        assert client.ended() == (1008, "Invalid request: invalid stream")


@pytest.mark.parametrize("path", ["/ws/0", "/stream?streams=17", "/stream?streams="])
def test_an_address_that_names_no_stream(standing: Serving, path: str) -> None:
    """Clients number their connections: nothing is said, and streams can be subscribed to."""
    with wire(standing, path) as client:
        assert client.quiet(0.1)
        assert client.control("LIST_SUBSCRIPTIONS")["result"] == []
        assert client.control("SUBSCRIBE", [KLINE])["result"] is None
        assert client.next()


def test_the_sixth_message_of_a_second_ends_the_connection(standing: Serving) -> None:
    """Messages, pings and pongs count alike; five a second are fine."""
    with wire(standing, "/ws") as messages, wire(standing, "/ws") as pings, wire(standing, "/ws") as pongs:
        sends: dict[Wire, Callable[[], object]] = {
            messages: lambda: messages.send({"method": "LIST_SUBSCRIPTIONS", "id": 1}),
            pings: lambda: pings.connection.ping(str(time.monotonic_ns())),
            pongs: lambda: pongs.connection.pong(b"unasked"),
        }
        for _ in range(2):
            for client, send in sends.items():
                for _ in range(4):
                    send()
                client.control("LIST_SUBSCRIPTIONS")  # the fifth; its answer: all of them have arrived
            time.sleep(1.05)  # the limit itself is a span of wall time
        for client, send in sends.items():
            assert client.connection.protocol.state.name == "OPEN"
            with contextlib.suppress(ConnectionClosed):
                for _ in range(30):
                    send()
            assert client.ended() == (1008, "Too many requests")


def test_a_connection_without_pongs_is_cut(tmp_path: Path) -> None:
    """Pongs nobody asked for, and pongs to no ping, do not keep it alive; copies of payloads do, one in two as well."""
    options = stepped(tmp_path / "sim", ws_ping_seconds=D("0.25"), ws_pong_seconds=D(3))
    turns = itertools.cycle((True, False))
    answers: list[Callable[[bytes], bytes | None]] = [
        lambda _: None,
        lambda _: b"",
        lambda payload: payload + b"0",
        lambda payload: payload,
        lambda payload: payload if next(turns) else None,
    ]
    with Serving(options) as serving:
        url = serving.announced["stream_url"] + f"/ws/{KLINE}"
        clients = [RawWire(url) for _ in answers]
        codes = dict.fromkeys(clients, 0)
        seen: dict[RawWire, list[Frame]] = {client: [] for client in clients}
        deadline = time.monotonic() + 60
        while not all(codes[client] for client in clients[:3]) and time.monotonic() < deadline:
            for client, answer in zip(clients, answers, strict=True):
                if not codes[client]:
                    codes[client], frames = client.until_end(answer, seconds=0.02)
                    seen[client] += frames
        for client in clients:
            client.close()

    assert list(codes.values()) == [1008, 1008, 1008, 0, 0]
    for client in clients[:3]:
        assert bytes(seen[client][-1].data[2:]) == b"Pong timeout"
    for client in clients[3:]:
        assert sum(frame.opcode is Opcode.PING for frame in seen[client]) >= 4


def test_the_servers_pong_copies_the_payload(standing: Serving) -> None:
    """A client's ping is answered."""
    with wire(standing, "/ws") as client:
        assert client.connection.ping("are you there").wait(20)


def test_a_connection_lives_a_day(tmp_path: Path) -> None:
    """Then it is closed; here the day is short."""
    with (
        ServedHere(stepped(tmp_path / "sim", ws_life_seconds=D("0.4"))) as serving,
        wire(serving, f"/ws/{KLINE}") as client,
    ):
        assert client.next()["e"] == "kline"
        assert client.ended()[0] == 1001


def test_a_slow_reader_makes_nobody_wait(tmp_path: Path) -> None:
    """Who does not read is cut when too much waits for him; others hear everything meanwhile."""
    options = SimOptions(tmp_path / "sim", speed=D(60000), ws_queue_bytes=200_000)
    names = "/".join(f"{symbol}usdt@kline_{interval}" for symbol in ("btc", "eth", "bnb") for interval in ("1m", "3m"))
    with Serving(options) as serving:
        slow = RawWire(serving.announced["stream_url"] + f"/stream?streams={names}", receive_buffer=4096)
        with wire(serving, f"/ws/{KLINE}") as client:
            opens: list[int] = []
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not (len(opens) > 500 and reset(slow.socket)):
                message = client.next()
                if message["k"]["x"]:
                    opens.append(message["k"]["t"])
        slow.close()
    assert opens == list(range(opens[0], opens[0] + 60_000 * len(opens), 60_000))
    assert time.monotonic() < deadline


def reset(connection: socket.socket) -> bool:
    """Whether the peer has let the connection fall (without reading what it had sent before)."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def test_300_connections_in_five_minutes(tmp_path: Path) -> None:
    """More are refused by HTTP; connections that are open stay."""
    with ServedHere(stepped(tmp_path / "sim")) as serving, wire(serving, f"/ws/{KLINE}") as client:
        answers = [handshake(serving) for _ in range(300)]
        if answers[-1][0] == 101:  # a new window has begun on the way
            answers += [handshake(serving) for _ in range(300)]
        refused = [answer for answer in answers if answer[0] != 101]

        assert {status for status, _ in refused} == {429}
        assert b"-1034" in refused[-1][1]
        assert len(answers) - len(refused) in range(299, 601)
        assert client.next()["e"] == "kline"


def handshake(serving: Serving) -> tuple[int, bytes]:
    """Connect and leave: status and body of the answer."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    connection = http.client.HTTPConnection(serving.url.removeprefix("http://"), timeout=20)
    try:
        connection.request("GET", "/ws", headers=headers)
        answer = connection.getresponse()
        return answer.status, b"" if answer.status == 101 else answer.read()
    finally:
        connection.close()


def test_what_is_no_handshake(standing: Serving) -> None:
    """Plain HTTP on a stream's path and an unknown unit are refused; streams do not exist elsewhere."""
    for path in ("/ws", f"/ws/{TRADE}", f"/stream?streams={TRADE}", "/ws-api/v3"):
        assert standing.send("GET", path).status == 400
    for path in (f"/ws/{TRADE}?timeUnit=NANOSECOND", "/ws-api/v3?timeUnit=second"):
        with pytest.raises(InvalidStatus) as refused:
            connect(standing.announced["stream_url"] + path, proxy=None)
        assert b"-1194" in refused.value.response.body
    assert standing.send("GET", "/wsx").status == 404


def test_the_end_of_the_exchange_is_announced(tmp_path: Path) -> None:
    """serverShutdown in three shapes, then a close frame; the process ends at once and well."""
    with (
        Serving(stepped(tmp_path / "sim")) as serving,
        wire(serving, f"/ws/{TRADE}") as raw,
        wire(serving, f"/stream?streams={TRADE}&timeUnit=MICROSECOND") as combined,
        wire(serving, "/ws-api/v3") as api,
    ):
        now = serving.now()
        for client in (raw, combined):
            client.control("LIST_SUBSCRIPTIONS")
        api.request("ping")
        status, words = serving.stop()

        assert raw.next() == {"e": "serverShutdown", "E": now}
        assert combined.next() == {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": now * 1000}}
        assert api.next() == {"event": {"e": "serverShutdown", "E": now}}
        assert [client.ended()[0] for client in (raw, combined, api)] == [1012] * 3
        assert (status, words) == (0, "")

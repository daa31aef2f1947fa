"""Whatever a client sends over a WebSocket, the exchange goes on serving everybody else."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator

import pytest
from serving import Serving, stepped
from websockets.frames import Opcode
from ws_clients import RawWire, Wire, wire

KLINE = "btcusdt@kline_1m"
PATHS = ["/ws", f"/ws/{KLINE}", "/ws-api/v3"]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """An exchange that ends well, without a word of complaint, after all that was done to it here."""
    with Serving(stepped(tmp_path_factory.mktemp("abused"))) as serving:
        yield serving
        assert serving.stop() == (0, "")


@pytest.fixture
def witness(standing: Serving) -> Iterator[Wire]:
    """A client that must go on being served."""
    with wire(standing, f"/ws/{KLINE}") as client:
        client.next()
        yield client
        assert client.control("LIST_SUBSCRIPTIONS") == {"result": [KLINE], "id": 1}
        assert standing.get("/api/v3/ping") == {}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("witness")
def test_bytes_that_are_no_frames(standing: Serving, path: str) -> None:
    """The connection ends, in whatever way."""
    rng = random.Random(path)
    for size in (1, 7, 300, 70_000):
        client = RawWire(standing.announced["stream_url"] + path)
        with contextlib.suppress(OSError):
            client.socket.sendall(rng.randbytes(size))
            client.socket.shutdown(1)
        code, frames = client.until_end(lambda _: None)
        client.close()
        assert code == 1006 or frames[-1].opcode is Opcode.CLOSE


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("witness")
def test_messages_that_are_no_requests(standing: Serving, path: str) -> None:
    """Each has an answer, JSON or not, text or not."""
    rng = random.Random(path)
    values = [None, True, 1, "x", [], {}, {"id": []}, {"id": 1, "method": {}}, {"id": 1, "method": "SUBSCRIBE"}]
    values += [{"id": 1, "method": "SUBSCRIBE", "params": [["x"]]}, {"id": 1, "method": "time", "params": {"a": {}}}]
    values += [{"id": 1, "method": "order.place", "params": {"apiKey": 5, "timestamp": [], "signature": {}}}]
    texts: list[str | bytes] = [json.dumps(value) for value in values]
    texts += [rng.randbytes(40), "\x00", '{"id":1e999,"method":"time"}', '{"a":"\\ud800"}', "9" * 5000]
    for batch in range(0, len(texts), 4):
        with wire(standing, path) as client:
            for text in texts[batch : batch + 4]:
                client.connection.send(text)
                answer = client.until(lambda message: "id" in message)[-1]
                assert "error" in answer or answer.get("status") == 200


@pytest.mark.usefixtures("witness")
def test_a_message_beyond_all_measure(standing: Serving) -> None:
    """It ends its own connection."""
    with wire(standing, "/ws") as client:
        client.connection.send("x" * 1_000_000)
        assert client.ended()[0] in {1009, 1006}


@pytest.mark.usefixtures("witness")
def test_two_hundred_clients_at_once(standing: Serving) -> None:
    """All of them are served."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire(standing, f"/stream?streams={KLINE}")) for _ in range(200)]
        assert {client.next()["data"]["e"] for client in clients} == {"kline"}

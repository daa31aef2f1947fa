"""WebSocket clients with nothing of ours in them: one that behaves, and one that answers only when told to."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from serving import Serving
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

SECONDS = 60.0


class Wire:
    """A client of the `websockets` library, which answers pings by itself."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def next(self, timeout: float = SECONDS) -> Any:
        """The next message."""
        return json.loads(self.connection.recv(timeout=timeout))

    def until(self, wanted: Callable[[Any], bool]) -> list[Any]:
        """Messages up to the first that is wanted."""
        found = [self.next()]
        while not wanted(found[-1]):
            found.append(self.next())
        return found

    def quiet(self, seconds: float = 0.3) -> bool:
        """Whether nothing comes for a while."""
        try:
            self.next(seconds)
        except TimeoutError:
            return True
        return False

    def send(self, value: Any) -> None:
        """Send JSON, or text as it is."""
        self.connection.send(value if isinstance(value, str) else json.dumps(value))

    def control(self, method: str, params: Any = None, identity: Any = 1) -> Any:
        """A control message of the market streams, and its answer."""
        self.send({"method": method, "id": identity} | ({} if params is None else {"params": params}))
        return self.until(lambda message: "id" in message)[-1]

    def request(self, method: str, **params: Any) -> Any:
        """A request of the WebSocket API, and its answer; events in between are lost."""
        self.send({"id": "r-1", "method": method} | ({"params": params} if params else {}))
        return self.until(lambda message: "id" in message)[-1]

    def ended(self) -> tuple[int, str]:
        """Wait for the end: its code and reason (1006: without a close frame)."""
        try:
            while True:
                self.connection.recv(timeout=SECONDS)
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


@contextmanager
def wire(serving: Serving, path: str) -> Iterator[Wire]:
    """A connection to a path of the exchange."""
    with connect(
        serving.announced["stream_url"] + path, proxy=None, max_size=None, max_queue=None, ping_interval=None
    ) as connection:
        yield Wire(connection)


def signed(serving: Serving, **params: Any) -> dict[str, Any]:
    """Parameters of a signed request: alphabetical, as they are, not percent-encoded."""
    params = {"apiKey": serving.key, "timestamp": serving.now()} | params
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return params | {"signature": serving.sign(payload)}


@contextmanager
def account_wire(serving: Serving) -> Iterator[Wire]:
    """A connection that is subscribed to the account."""
    with wire(serving, "/ws-api/v3") as found:
        answer = found.request("userDataStream.subscribe.signature", **signed(serving))
        assert answer["result"] == {"subscriptionId": 0}, answer
        yield found


class RawWire:
    """A client that sees every frame and sends only what it is told to: no pong, no close, no reading ahead."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        self._protocol = ClientProtocol(parse_uri(url), max_size=None)
        address = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(SECONDS)
        self.socket.connect((address.hostname, address.port))
        self._protocol.send_request(self._protocol.connect())
        self.flush()
        self.lost = False
        while self._protocol.state.name == "CONNECTING":
            self._protocol.receive_data(self.socket.recv(65_536))
        self._protocol.events_received()

    def flush(self) -> None:
        """Send what the protocol has prepared."""
        for data in self._protocol.data_to_send():
            self.socket.sendall(data)

    def frames(self, timeout: float = SECONDS) -> list[Frame]:
        """What arrives next; sets ``lost`` at the connection's end. The answers it calls for are not sent."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65_536)
        except TimeoutError:
            return []
        except ConnectionError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self.lost = True
        self._protocol.data_to_send()
        return [event for event in self._protocol.events_received() if isinstance(event, Frame)]

    def pong(self, payload: bytes) -> None:
        """Send a pong."""
        self._protocol.send_pong(payload)
        self.flush()

    def until_end(
        self, answer: Callable[[bytes], bytes | None], *, seconds: float = SECONDS
    ) -> tuple[int, list[Frame]]:
        """Answer pings as told until the connection closes or time is up: close code (0: it lives) and frames."""
        seen: list[Frame] = []
        deadline = time.monotonic() + seconds
        while not self.lost and time.monotonic() < deadline:
            for frame in self.frames(min(0.05, seconds)):
                seen.append(frame)
                if frame.opcode is Opcode.PING:
                    payload = answer(bytes(frame.data))
                    if payload is not None:
                        self.pong(payload)
                if frame.opcode is Opcode.CLOSE:
                    return int.from_bytes(bytes(frame.data[:2]), "big"), seen
        return 1006 if self.lost else 0, seen

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

"""A WebSocket server that does what a test tells it: nothing of the simulator's, nothing of our client's."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

START_MS = 1_700_000_000_000 // 60_000 * 60_000
MINUTE_MS = 60_000


def kline(
    symbol: str = "BTCUSDT", *, number: int = 0, closed: bool = False, price: str = "100.5", **changes: Any
) -> Any:
    """A kline event as Binance's documentation shows it."""
    opened = START_MS + number * MINUTE_MS
    event = {
        "e": "kline",
        "E": opened + (MINUTE_MS if closed else 30_000),
        "s": symbol,
        "k": {
            "t": opened,
            "T": opened + MINUTE_MS - 1,
            "s": symbol,
            "i": "1m",
            "f": 100,
            "L": 200,
            "o": "100.00000000",
            "c": price,
            "h": "101.00000000",
            "l": "99.00000000",
            "v": "12.50000000",
            "n": 101,
            "x": closed,
            "q": "1250.00000000",
            "V": "6.00000000",
            "Q": "600.00000000",
            "B": "0",
        },
    }
    event["k"].update(changes)
    return event


def combined(event: Any, *, stream: str = "btcusdt@kline_1m") -> str:
    """An event as a combined stream sends it."""
    return json.dumps({"stream": stream, "data": event})


class StreamServer:
    """Serves ``conversation(connection, n)`` to the n-th connection (from 0), which ends when that returns.

    ``refusing``: the handshake is answered with that HTTP status.
    """

    def __init__(self, conversation: Callable[[ServerConnection, int], None], *, refusing: int | None = None) -> None:
        self.refusing = refusing
        self.paths: list[str] = []
        self.opened_mono: list[float] = []
        self.attempts_mono: list[float] = []
        self.ended = threading.Event()
        self._conversation = conversation

    def __enter__(self) -> Self:
        self._server = serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
        )
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join(5)

    @property
    def url(self) -> str:
        """Its base address."""
        return f"ws://127.0.0.1:{self.port}"

    def _admit(self, connection: ServerConnection, request: Any) -> Any:
        self.attempts_mono.append(time.monotonic())
        if self.refusing is not None:
            return connection.respond(self.refusing, "no\n")
        self.paths.append(request.path)
        return None

    def _serve(self, connection: ServerConnection) -> None:
        number = len(self.opened_mono)
        self.opened_mono.append(time.monotonic())
        with contextlib.suppress(ConnectionClosed):
            self._conversation(connection, number)


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something is true; what it was."""
    ends = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < ends, f"not within {seconds} s"
        time.sleep(0.01)
    return found

"""A proxy in front of the simulator that forwards every byte until it is told to misbehave, and notes what it got."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Seen(NamedTuple):
    """A request that arrived: when (monotonic), what, and the status that went back (0: none)."""

    at: float
    method: str
    path: str
    status: int


class Reply(NamedTuple):
    """An answer of the proxy's own."""

    status: int
    body: bytes
    headers: dict[str, str]


Behaviour = Callable[[str, str], Reply | None]
"""Method and path to an answer; None forwards."""


def healthy(method: str, path: str) -> None:
    """Forward everything."""
    del method, path


def storm(method: str, path: str) -> Reply | None:
    """503 on the exchange's own interface; the simulator's pages stay reachable."""
    del method
    return Reply(503, b"<html>Service Unavailable</html>", {"Content-Type": "text/html"}) if _api(path) else None


def refusing(method: str, path: str) -> Reply | None:
    """400 with a business code on everything."""
    del method
    return Reply(400, json.dumps({"code": -1121, "msg": "Invalid symbol."}).encode(), {}) if _api(path) else None


def limiting(status: int, *, retry_after_s: int) -> Behaviour:
    """429 or 418 with ``Retry-After`` on everything."""

    def answer(method: str, path: str) -> Reply | None:
        del method
        body = json.dumps({"code": -1003, "msg": "Way too much request weight used"}).encode()
        return Reply(status, body, {"Retry-After": str(retry_after_s)}) if _api(path) else None

    return answer


def unauthorized(method: str, path: str) -> Reply | None:
    """401 on what is signed."""
    del method
    body = json.dumps({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}).encode()
    return Reply(401, body, {}) if path.startswith(("/api/v3/account", "/api/v3/order", "/api/v3/allOrders")) else None


def only(paths: tuple[str, ...], behaviour: Behaviour) -> Behaviour:
    """Misbehave on these paths alone."""
    return lambda method, path: behaviour(method, path) if path in paths else None


def _api(path: str) -> bool:
    return path.startswith(("/api/", "/sapi/"))  # the key's own restrictions are asked for on the second


class MisbehavingProxy:
    """Serves on loopback until :meth:`close`. ``behaviour`` may be changed at any time."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.behaviour: Behaviour = healthy
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def api_calls(self, *, since: float = 0.0) -> list[Seen]:
        """The exchange's own calls since a monotonic time."""
        with self._lock:
            return [seen for seen in self.seen if _api(seen.path) and seen.at >= since]

    def _note(self, at: float, method: str, path: str, status: int) -> None:
        with self._lock:
            self.seen.append(Seen(at, method, path, status))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._serve()

            do_POST = do_DELETE = do_GET  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None:
                """Tests read ``seen``."""

            def _serve(self) -> None:
                at, path = time.monotonic(), self.path.partition("?")[0]
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply = proxy.behaviour(self.command, path) or self._forward(body)
                proxy._note(at, self.command, path, reply.status)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def _forward(self, body: bytes) -> Reply:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                connection = http.client.HTTPConnection(proxy.upstream, timeout=30)
                try:
                    connection.request(self.command, self.path, body or None, headers)
                    answer = connection.getresponse()
                    text = answer.read()
                finally:
                    connection.close()
                kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
                return Reply(answer.status, text, kept)

        return Handler

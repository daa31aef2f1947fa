"""A network between client and exchange that misbehaves to order, whatever the exchange itself can be asked to do.

``before``: the order never arrives. ``after``: the exchange has executed it, and the answer is not what it was.
"""

from __future__ import annotations

import functools
import http.client
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import urlsplit

Answer = tuple[int, dict[str, str], bytes]
Rewrite = Callable[[str, str, Answer], Answer]

_HANG_S = 30.0
_DUPLICATE = {"code": -2010, "msg": "Duplicate order sent."}
_TIMEOUT = {
    "code": -1007,
    "msg": "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
}


def _json(status: int, document: object, **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode()


def _other(answer: Answer) -> Answer:
    document = json.loads(answer[2])
    return _json(200, document | {"clientOrderId": "thaaaaaabbb-B-999"})


def _forbid(status: int, _: Answer) -> Answer:
    return status, {"Content-Type": "text/html", "Retry-After": "1"}, b"<html>Forbidden</html>"


# What the client gets after the exchange has answered the order.
REPLACED: dict[str, Callable[[Answer], Answer]] = {
    "http_503_after": lambda _: (503, {"Content-Type": "text/html"}, b"<html>Service Unavailable</html>"),
    "http_500_after": lambda _: _json(500, {"code": -1000, "msg": "An unknown error occurred."}),
    "timeout_1007_after": lambda _: _json(504, _TIMEOUT),
    "unexpected_1006_as_400_after": lambda _: _json(400, {"code": -1006, "msg": "Execution status unknown."}),
    "duplicate_after": lambda _: _json(400, _DUPLICATE),
    "list_after": lambda _: _json(200, []),
    "empty_object_after": lambda _: _json(200, {}),
    "empty_body_after": lambda _: (200, {"Content-Type": "application/json"}, b""),
    "cut_json_after": lambda answer: (200, {"Content-Type": "application/json"}, answer[2][: len(answer[2]) // 2]),
    "html_200_after": lambda _: (200, {"Content-Type": "text/html"}, b"<html>hello</html>"),
    "redirect_after": lambda _: (302, {"Location": "http://127.0.0.1:9/"}, b""),
    "not_modified_after": lambda _: (304, {}, b""),
    "other_order_after": _other,
    # A firewall's words; the exchange's own (-1003, -1015) mean that the order was refused.
    **{f"html_{status}_after": functools.partial(_forbid, status) for status in (403, 418, 429)},
}
# What happens to the connection.
BROKEN = (
    *("reset_before", "close_before", "hang_before", "reset_after", "close_after", "hang_after"),
    *("cut_headers_after", "short_body_after", "slow_body_after"),
)
FAULTS = (*BROKEN, *REPLACED)


class BadProxy:
    """Passes requests on to ``upstream``; each order takes the next of ``faults``, if any is left.

    ``lookup_faults`` are taken by requests for one order: ``lag`` (−2013), ``http_503``, ``reset``. ``rewrite`` sees
    every answer that is passed on (method, path, answer). ``orders`` counts the orders that were passed on.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self.upstream = (str(parts.hostname), int(parts.port or 80))
        self.faults: deque[str] = deque()
        self.lookup_faults: deque[str] = deque()
        self.rewrite: Rewrite = lambda _method, _path, answer: answer
        self.delay_order_s = 0.0
        self.orders = 0
        self.hits: list[str] = []
        self.closing = threading.Event()
        self._numbers = count()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what hangs is let go."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask the exchange. The address changes: weight is counted by it, and tests ask a lot."""
        source = (f"127.0.2.{next(self._numbers) // 20 % 250 + 1}", 0)
        connection = http.client.HTTPConnection(*self.upstream, timeout=30, source_address=source)
        try:
            connection.request(method, path, body=body or None, headers=headers)
            reply = connection.getresponse()
            kept = {name: value for name, value in reply.getheaders() if name.startswith(("X-MBX", "Content-Type"))}
            return reply.status, kept, reply.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: BadProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what this is about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def _pass(self) -> None:
        proxy = self.server.proxy
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        fault = self._fault(path)
        if fault.endswith("_before"):
            self._break(fault, b"")
            return
        if self.command == "POST" and path == "/api/v3/order":
            time.sleep(proxy.delay_order_s)
            proxy.orders += 1
        wanted = ("X-MBX-APIKEY", "Content-Type", "Accept")
        headers = {name: self.headers[name] for name in wanted if name in self.headers}
        answer = proxy.rewrite(self.command, path, proxy.forward(self.command, self.path, headers, body))
        if fault in REPLACED:
            answer = REPLACED[fault](answer)
        elif fault in {"lag", "http_503"}:
            answer = _json(*((400, {"code": -2013, "msg": "Order does not exist."}) if fault == "lag" else (503, [])))
        elif fault:
            self._break(fault, self._wire(answer))
            return
        self.wfile.write(self._wire(answer))

    def _fault(self, path: str) -> str:
        proxy = self.server.proxy
        faults = {("POST", "/api/v3/order"): proxy.faults, ("GET", "/api/v3/order"): proxy.lookup_faults}.get(
            (self.command, path)
        )
        if not faults:
            return ""
        proxy.hits.append(faults[0])
        return faults.popleft()

    def _wire(self, answer: Answer) -> bytes:
        status, headers, body = answer
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body

    def _break(self, fault: str, wire: bytes) -> None:
        self.close_connection = True
        if fault.startswith("hang"):
            self.server.proxy.closing.wait(_HANG_S)
        elif fault.startswith("cut_headers"):
            self.wfile.write(wire[:20])
        elif fault.startswith("short_body"):
            self.wfile.write(wire[:-10])
        elif fault.startswith("slow_body"):
            self._trickle(wire)
        elif fault.startswith("reset"):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def _trickle(self, wire: bytes) -> None:
        head, _, body = wire.partition(b"\r\n\r\n")
        self.wfile.write(head + b"\r\n\r\n")
        for position in range(len(body)):
            if self.server.proxy.closing.wait(0.1):
                return
            self.wfile.write(body[position : position + 1])

"""A loopback HTTP server that keeps every byte it got and answers exactly what a test tells it to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One request as it came over the wire; ``body`` may be cut short when the reply did not wait for it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as it was sent."""
        return self.target.partition("?")[2]

    @property
    def signed_text(self) -> str:
        """What Binance signs: query and body, in the order sent."""
        return self.query + self.body.decode()

    @property
    def fields(self) -> dict[str, str]:
        """The parameters, decoded."""
        pairs = parse_qsl(self.signed_text, keep_blank_values=True, strict_parsing=bool(self.signed_text))
        assert len(dict(pairs)) == len(pairs), "a parameter was sent twice"
        return dict(pairs)


Reply = Callable[["LoopbackExchange", socket.socket], bool]
"""Writes an answer; returns whether the connection stays open."""


def answer(body: Any, status: int = 200, **headers: str) -> Reply:
    """A complete HTTP answer; a body that is not bytes is sent as JSON. ``Retry_After="7"`` names a header."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in names.items())

    def write(_: LoopbackExchange, connection: socket.socket) -> bool:
        connection.sendall(head.encode() + b"\r\n" + raw)
        return True

    return write


def error(code: int, message: str = "no", status: int = 400, **headers: str) -> Reply:
    """The exchange's error document."""
    return answer({"code": code, "msg": message}, status, **headers)


def html(status: int) -> Reply:
    """A page of something that stands in front of the exchange."""
    return answer(b"<html><body>Request blocked</body></html>", status, Content_Type="text/html")


def raw(data: bytes) -> Reply:
    """Bytes, HTTP or not, and the end."""

    def write(_: LoopbackExchange, connection: socket.socket) -> bool:
        connection.sendall(data)
        return False

    return write


def truncated(_: LoopbackExchange, connection: socket.socket) -> bool:
    """Half of the JSON that was promised."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"serverTime":')
    return False


def reset(_: LoopbackExchange, connection: socket.socket) -> bool:
    """RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang(server: LoopbackExchange, _: socket.socket) -> bool:
    """No answer at all, until the test is over."""
    server.hanging.set()
    server.over.wait(30)
    return False


def drip(server: LoopbackExchange, connection: socket.socket) -> bool:
    """A byte at a time, each well within any timeout, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not server.over.wait(0.02):
        connection.sendall(b" ")
    return False


def before_body(reply: Reply) -> Reply:
    """The same, without waiting for the request's body."""
    reply.__dict__["before_body"] = True
    return reply


@dataclass
class LoopbackExchange:
    """Answers come from ``script[path]`` while there are any, else from ``always[path]``, else 404."""

    always: dict[str, Reply] = field(default_factory=dict)
    script: dict[str, deque[Reply]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    hanging: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def then(self, path: str, *replies: Reply) -> None:
        """Answer the next requests of this path so."""
        self.script.setdefault(path, deque()).extend(replies)

    def sent(self, path: str) -> list[Request]:
        """The requests that came for this path."""
        return [request for request in self.requests if request.path == path]

    def close(self) -> None:
        """End everything, whatever hangs included."""
        if self.over.is_set():
            return
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # a thread still waits in accept
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(connection)
                number = len(self._connections)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while self._serve_one(connection, stream, number):
                    pass
        except OSError:
            pass

    def _serve_one(self, connection: socket.socket, stream: Any, number: int) -> bool:
        line = stream.readline().decode("latin-1").split()
        if len(line) != 3:
            return False
        headers: dict[str, str] = {}
        while text := stream.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers[name.strip().title()] = value.strip()
        path = line[1].partition("?")[0]
        with self._lock:
            queue = self.script.get(path)
            reply = queue.popleft() if queue else self.always.get(path, answer(b"not found", 404))
        length = int(headers.get("Content-Length", "0"))
        body = b"" if getattr(reply, "before_body", False) else stream.read(length)
        self.requests.append(Request(line[0], line[1], headers, body, number))
        return reply(self, connection)

"""Whatever is thrown at it, the exchange goes on serving."""

from __future__ import annotations

import random
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Serving


def peer(serving: Serving) -> tuple[str, int]:
    host, _, port = serving.url.removeprefix("http://").rpartition(":")
    return host, int(port)


def throw(serving: Serving, data: bytes) -> bytes:
    """Send bytes on a connection of their own and read what comes back until it is closed or quiet."""
    with socket.create_connection(peer(serving), timeout=5) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
        except OSError:
            return b""
        return received


def test_random_bytes(standing: Serving) -> None:
    """A hundred connections of noise."""
    noise = random.Random(5)
    for _ in range(100):
        throw(standing, noise.randbytes(noise.randrange(1, 3000)))

    assert standing.get("/api/v3/ping") == {}


@pytest.mark.parametrize(
    "data",
    [
        b"GET /api/v3/ping HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET /api/v3/ping HTTP/9.9\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        b"GET /api/v3/ping?" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v3/ping HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"GET http://other/api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["length", "version", "chunk", "short body", "long query", "long header", "blank", "absolute"],
)
def test_broken_http(standing: Serving, data: bytes) -> None:
    """Requests that are no requests."""
    throw(standing, data)

    assert standing.get("/api/v3/ping") == {}


def test_oversize_body(standing: Serving) -> None:
    """Three megabytes are refused with 413, as JSON."""
    reply = standing.send("POST", "/api/v3/order", body="a=" + "x" * 3_000_000)

    assert (reply.status, reply.code) == (413, -1101)
    assert standing.get("/api/v3/ping") == {}


NAMES = ["symbol", "symbols", "interval", "limit", "startTime", "quantity", "orderId", "side", "timestamp"]
VALUES = ["BTCUSDT", "1m", "BUY", "0", "[]", "null"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.sampled_from(["order", "klines", "allOrders", "myTrades", "exchangeInfo", "depth", "account", "order/test"]),
    st.dictionaries(
        st.sampled_from(
            ["symbol", "symbols", "interval", "limit", "startTime", "quantity", "orderId", "side", "timestamp"]
        ),
        st.one_of(
            st.text(max_size=30), st.integers().map(str), st.sampled_from(["BTCUSDT", "1m", "BUY", "0", "[]", "null"])
        ),
        max_size=6,
    ),
)
def test_nonsense_parameters(standing: Serving, method: str, name: str, params: dict[str, str]) -> None:
    """Any values for any parameters are answered below 500, signed or not."""
    query = "&".join(f"{key}={quote(value, errors='replace')}" for key, value in params.items())

    plain = standing.send(method, f"/api/v3/{name}?{query}")
    stamped = f"{query}&timestamp={1_736_121_600_000}" if "timestamp" not in params else query
    signed = standing.send(
        method, f"/api/v3/{name}?{stamped}&signature={standing.sign(stamped)}", headers={"X-MBX-APIKEY": standing.key}
    )

    for reply in (plain, signed):
        assert reply.status < 500
        assert reply.status != 400 or reply.body.keys() == {"code", "msg"}


def test_two_hundred_connections_at_once(standing: Serving) -> None:
    """Two hundred open connections, all answered."""
    connections = [socket.create_connection(peer(standing), timeout=20) for _ in range(200)]

    def ask(connection: socket.socket) -> bytes:
        connection.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(65_536)

    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(ask, connections))
    for connection in connections:
        connection.close()

    assert all(reply.startswith(b"HTTP/1.1 200") for reply in replies)


def test_it_listens_on_loopback_only(standing: Serving) -> None:
    """Another address of this machine is not answered on."""
    _, port = peer(standing)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other, pytest.raises(OSError):
        other.settimeout(2)
        other.connect(("127.0.0.2", port))

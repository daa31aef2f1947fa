"""The embedded exchange: signed orders a second from one keep-alive client, and candles replayed with no client."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.looking import THUNES

ORDERS, CANDLES = 2_000, 300_000
_DEADLINE_S = 120.0
_MINUTE_MS = 60_000
_BEGIN_MS = 1_600_000_020_000


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and figure of each measurement, and next to it what a bare request costs on the same connection."""
    with _served(place / "orders", environ, "--speed", "60") as told:
        client = _Client(told)
        bare = client.rate("GET", "/api/v3/ping", number=ORDERS)
        placed = client.order_rate(ORDERS)
        yield f"simulator: {ORDERS:,} signed market orders, one client", f"{placed:,.0f} /s"
        yield "  as a part of its bare requests (ping)", f"{placed / bare:.2f}"
    record = _record(place / "BTCUSDT-1m-replay.csv")
    with _served(place / "candles", environ, "--candles", str(record), "--step", "--start", "10") as told:
        client = _Client(told)
        seconds = client.step(CANDLES)
        yield f"simulator: {CANDLES:,} candles replayed, no client", f"{CANDLES / seconds:,.0f} /s"
        yield "  next to reading the same file line by line", f"{_reading(record) / seconds:.2f}"


class _Client:
    """One keep-alive connection that signs with HMAC."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = told
        host = urlsplit(told["rest_url"])
        self._connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=_DEADLINE_S)

    def ask(self, method: str, path: str, body: str | None = None) -> Any:
        headers = {"X-MBX-APIKEY": self._told["api_key"], "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request(method, path, body, headers)
        reply = self._connection.getresponse()
        text = reply.read()
        if reply.status != http.HTTPStatus.OK:
            raise RuntimeError(text.decode())
        return json.loads(text)

    def rate(self, method: str, path: str, *, number: int) -> float:
        began = time.perf_counter()
        for _ in range(number):
            self.ask(method, path)
        return number / (time.perf_counter() - began)

    def order_rate(self, number: int) -> float:
        """Buys and sells in turn, signed one by one."""
        secret = self._told["api_secret"].encode()
        ahead = self.ask("GET", "/api/v3/time")["serverTime"]
        began = time.perf_counter()
        for count in range(number):
            side = {"side": "SELL", "quantity": "0.00015"} if count % 2 else {"side": "BUY", "quoteOrderQty": "12"}
            text = urlencode({"symbol": "BTCUSDT", "type": "MARKET", **side, "timestamp": ahead})
            signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
            self.ask("POST", "/api/v3/order", f"{text}&signature={signature}")
        return number / (time.perf_counter() - began)

    def step(self, candles: int) -> float:
        began = time.perf_counter()
        moved = self.ask("POST", "/sim/step", json.dumps({"candles": candles}))["moved"]
        assert moved == candles
        return time.perf_counter() - began


def _record(path: Path) -> Path:
    rows = [
        f"{_BEGIN_MS + number * _MINUTE_MS},{20000 + number % 40},{20060 + number % 40},{19980 + number % 40},"
        f"{20001 + number % 40},5\n"
        for number in range(CANDLES + 100)
    ]
    path.write_text("open_time,open,high,low,close,volume\n" + "".join(rows))
    return path


def _reading(path: Path) -> float:
    began = time.perf_counter()
    with path.open() as file:
        for line in file:
            line.split(",")
    return time.perf_counter() - began


@contextmanager
def _served(directory: Path, environ: Mapping[str, str], *options: str) -> Iterator[dict[str, str]]:
    command = [THUNES, "sim", "serve", "--dir", str(directory), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(environ))
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(_DEADLINE_S)
        process.stdout.close()

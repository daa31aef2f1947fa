"""A real exchange process and a raw client that signs for it, with nothing of ours between the test and the wire."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import requests

from thunes_cli.sim.options import SimOptions

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MINUTES = DATA / "BTCUSDT-1m-20230301-20230321.csv.gz"
HOURS = DATA / "BTCUSDT-1h-2017-2022.csv.gz"


@dataclass(frozen=True)
class Reply:
    """Status, JSON and headers of an answer."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> int | None:
        """The exchange's error code, if it is one."""
        return self.body.get("code") if isinstance(self.body, dict) else None


class Serving:
    """``python -m thunes_cli.sim`` with these options, until the block ends."""

    def __init__(self, options: SimOptions) -> None:
        self.options = options
        self.session = requests.Session()
        self.session.trust_env = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.session.close()

    def start(self, **changes: Any) -> None:
        """Start (again), with options changed."""
        self.options = replace(self.options, **changes)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "thunes_cli.sim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(self.options.to_json() + "\n")
        self.process.stdin.flush()
        self.announced = json.loads(self.process.stdout.readline() or '{"error": {"message": "no first line"}}')
        if "error" in self.announced:
            self.process.wait()
            self._close_pipes()
            return
        self.url = self.announced["rest_url"]
        self.key, self.secret = self.announced["api_key"], self.announced["api_secret"]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal: its status and what it wrote to stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(20)
        return status, self._close_pipes()

    def _close_pipes(self) -> str:
        words = ""
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None and not pipe.closed:
                words = pipe.read() if pipe is self.process.stderr else words
                pipe.close()
        return words

    def send(self, method: str, path: str, *, body: str | None = None, headers: dict[str, str] | None = None) -> Reply:
        """A request as it is written here."""
        reply = self.session.request(method, self.url + path, data=body, headers=headers, timeout=20)
        return Reply(reply.status_code, reply.json(), dict(reply.headers))

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a public GET that must succeed."""
        reply = self.send("GET", f"{path}?{urlencode(params)}" if params else path)
        assert reply.status == 200, reply
        return reply.body

    def now(self) -> int:
        """The exchange's time."""
        return int(self.get("/api/v3/time")["serverTime"])

    def sign(self, payload: str) -> str:
        """The HMAC of a payload."""
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    def signed(self, method: str, path: str, *, key: str | None = None, **params: Any) -> Reply:
        """A signed request: GET by query, others by form body. ``timestamp`` is the exchange's time unless given."""
        if "timestamp" not in params:
            params["timestamp"] = self.now()
        text = urlencode(params)
        text += f"&signature={self.sign(text)}"
        headers = {"X-MBX-APIKEY": self.key if key is None else key}
        if method == "GET":
            return self.send(method, f"{path}?{text}", headers=headers)
        return self.send(
            method, path, body=text, headers=headers | {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def order(self, **params: Any) -> Reply:
        """POST order on BTCUSDT unless told otherwise."""
        return self.signed("POST", "/api/v3/order", **({"symbol": "BTCUSDT"} | params))

    def buy(self, quote: str, **params: Any) -> Reply:
        """A market BUY by quote amount."""
        return self.order(side="BUY", type="MARKET", quoteOrderQty=quote, **params)

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Free and locked of what is not zero."""
        account = self.signed("GET", "/api/v3/account", omitZeroBalances="true").body
        return {each["asset"]: (Decimal(each["free"]), Decimal(each["locked"])) for each in account["balances"]}


def stepped(directory: Path, **changes: Any) -> SimOptions:
    """A market that moves only when told to."""
    return SimOptions(directory, step=True, **changes)


def write_candles(path: Path, closes: list[str], *, start: int = 1_700_000_040_000, span: int = 60_000) -> Path:
    """A header-form file whose candles open at the previous close, with high and low a unit beyond."""
    lines = ["open_time,open,high,low,close,volume"]
    before = closes[0]
    for number, close in enumerate(closes):
        high = max(Decimal(before), Decimal(close)) + 1
        low = min(Decimal(before), Decimal(close)) - 1
        lines.append(f"{start + number * span},{before},{high},{low},{close},10")
        before = close
    path.write_text("\n".join(lines) + "\n")
    return path

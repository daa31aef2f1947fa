"""A bot that really runs: an exchange served here, a home on it, and a daemon as a process of its own."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from exchange_home import ExchangeHome, wait_for
from served_here import ServedHere

from thunes_cli.sim.options import SimOptions

# Two reconnections instead of five, so that a reader's minute is a test's second; and no signal but the reader's.
_QUICK_AND_CALM = {
    "SYMBOLS": "BTCUSDT",
    "STREAM_MAX_RECONNECTS": "2",
    "RSI_OVERSOLD": "1",
    "RSI_OVERBOUGHT": "99",
}


class LiveHome:
    """A home with one position, on a market that goes on as fast as the clock and gives no signals."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        served = stack.enter_context(ServedHere(SimOptions(place / "exchange")))
        self.home = ExchangeHome(place / "home", served, **_QUICK_AND_CALM).found()
        env_file = self.home.path / ".env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in self.home.environ.items()))
        env_file.chmod(0o600)
        self.home.environ = {}
        self.home.meet()
        self.home.buy()
        self._stack = stack
        self.daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> LiveHome:
        """Start its daemon and wait until both streams deliver."""
        process = self.daemon = self.home.start("run")
        self._stack.callback(_end, process)
        wait_for(lambda: self.feed() == "websocket" and "account stream: WebSocket connected" in self.log, "stream")
        return self

    def status(self) -> dict[str, Any]:
        """What ``status`` knows."""
        return self.home.ask("status", "--json").data

    def feed(self) -> str:
        """Where prices come from."""
        mode = self.status()["feed"]["mode"]
        assert isinstance(mode, str)
        return mode

    def waiting_alerts(self) -> int:
        """How many alerts are still to be told."""
        waiting = self.home.ask("alerts", "list", "--json").data["waiting"]
        assert isinstance(waiting, int)
        return waiting

    def external_orders(self) -> list[Any]:
        """Orders of others that a comparison has found."""
        return list(self.home.ask("orders", "list", "--external", "--json").data["orders"])

    def make_key(self, place: Path) -> None:
        """Another key is made on the exchange's pages; it lies in ``next.key``, where the reader works."""
        made = self.home.ask("sim", "key", "add", "--label", "next", "--json").data
        path = place.parent / "next.key"
        path.write_text(f"{made['api_key']}\n{made['api_secret']}\n", encoding="ascii")
        path.chmod(0o600)

    def revoke_first_key(self) -> None:
        """The key of the beginning is deleted on the exchange's pages."""
        assert self.home.ask("sim", "key", "revoke", self.home.served.key[:8]).code == 0

    @property
    def log(self) -> str:
        """The daemon's log."""
        path = self.home.path / "thunes.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def has_recorded(self, event: str) -> bool:
        """Whether the trail on the disk has a record of it."""
        lines = (self.home.path / "audit_trail.jsonl").read_text(encoding="utf-8").splitlines()
        return any(json.loads(line)["event"] == event for line in lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    process.wait(30)

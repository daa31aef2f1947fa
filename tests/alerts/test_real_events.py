"""What happens on the exchange, to the daemon and to the disk, as it arrives in the chat: nothing is made by hand."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from daemon_processes import PATIENCE_S, Exchange, Home, make_home, serve, wait_for
from fake_telegram import FakeTelegram

QUICK = {"SMA_FAST": "2", "SMA_SLOW": "3", "SYMBOLS": "BTCUSDT"}  # buys and sells every few candles


@dataclass
class Scene:
    """A home whose alerts go to a chat, on an exchange of its own that does as it is told."""

    home: Home
    exchange: Exchange
    telegram: FakeTelegram

    def tell(self, where: str, **body: Any) -> dict[str, Any]:
        """Tell the simulator."""
        request = urllib.request.Request(self.exchange.address["rest_url"] + where, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def fault(self, kind: str, **details: Any) -> None:
        """Order a fault."""
        self.tell("/sim/fault", kind=kind, **details)

    def heard(self, *words: str) -> str:
        """The first message that says all of this, once it has arrived; it names a command to type."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := [text for text in self.telegram.texts if all(word in text for word in words)]):
            assert time.monotonic() < deadline, f"no message with {words} among {self.telegram.texts}"
            time.sleep(0.02)
        assert "\nNext: " in found[0]
        return found[0]

    def holding(self) -> None:
        """Wait until the bot holds something."""
        wait_for(lambda: self.home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"), "open position", seconds=90)


@pytest.fixture
def scene(tmp_path: Path, telegram: FakeTelegram) -> Iterator[Callable[..., Scene]]:
    """Makes one; a market of one candle a second."""
    made: list[Scene] = []

    def make(**settings: str) -> Scene:
        exchange = serve(tmp_path / "exchange", "--speed", "60")
        home = make_home(tmp_path / "a home", exchange.address, **{**telegram.settings(), **settings})
        made.append(Scene(home, exchange, telegram))
        return made[-1]

    yield make
    for each in made:
        each.home.close()
        each.exchange.stop()


def test_start_crash_recovery_and_stop(scene: Callable[..., Scene]) -> None:
    """Each life of the daemon is told, with what it holds; after kill -9 the next start says what was left."""
    stage = scene(**QUICK)
    daemon = stage.home.start_daemon()
    stage.heard("INFO sim: daemon", "The daemon runs: BTCUSDT by sma on 1m candles, 12 an entry", "kill switch off")
    stage.holding()
    stage.home.end(daemon, signal.SIGKILL)

    daemon = stage.home.start_daemon()
    stage.heard("CRITICAL sim: daemon", "ended without stopping", "Without a stop-loss meanwhile: 1 open position")
    assert stage.home.end(daemon) == 0
    stage.heard("The daemon stopped after", "asked", "Next: thunes run")


def test_stops_that_lose_trip_the_kill_switch(scene: Callable[..., Scene]) -> None:
    """The stop with its price, the sale with its result, the switch with its limit and the trail's checkpoint."""
    stage = scene(**QUICK, STOP_LOSS_PCT="0.01", MAX_DAILY_LOSS="0.05", COOL_DOWN_MINUTES="0")
    stage.home.start_daemon()

    tripped = stage.heard("CRITICAL sim: kill_switch", "Kill switch activated by automatic: daily loss")

    assert "reached the limit 0.05" in tripped
    assert "Result of today -0." in tripped
    assert "Trail checkpoint:\nthunes.audit/" in tripped
    assert "\nNext: thunes killswitch status" in tripped
    stage.heard("Stop-loss of BTCUSDT: last price", "is at or below")
    stage.heard("Stop-loss done, BTCUSDT is sold at", "fees taken off")


def test_an_exchange_in_trouble(scene: Callable[..., Scene]) -> None:
    """Ban, breaker, failing jobs: begin and end, once each, however often they are met."""
    stage = scene(BREAKER_RESET_SECONDS="1", FEED="rest")  # which asks often enough to meet every fault
    stage.home.start_daemon()

    stage.fault("ban_418", seconds=2)
    stage.heard("ban", "The exchange ordered silence (HTTP 418)")
    stage.heard("the ban is over", "It lasted")
    stage.fault("http_503_before", count=6, path="/")
    stage.heard("The circuit breaker rest opened: 5 failures within 60 s", "HTTP 503")
    stage.heard("The circuit breaker rest closed", "It lasted")
    stage.heard("job_failed", "Job signal_check failed")
    stage.heard("job_failed", "Job signal_check works again. It lasted")

    told = stage.home.rows("SELECT kind, phase FROM alerts WHERE kind IN ('ban', 'breaker') ORDER BY id")
    assert [tuple(row) for row in told] == [
        *(("ban", "began"), ("ban", "over"), ("breaker", "began"), ("breaker", "over")),
    ]

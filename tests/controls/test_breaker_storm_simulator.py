"""The simulator's own 503 storm (``http_503_before`` on every path), at any speed of its market.

A proxy that forwards everything stands between, only to note what arrives when.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from daemon_processes import Exchange, Home, make_home, serve, wait_for
from misbehaving_proxy import MisbehavingProxy, Seen
from test_breaker_storm import CALLER, PROBE, want_exit

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.failures import BreakerOpen, ExchangeDown, ExchangeFailure, Rejected
from thunes_cli.exchange.guarded_binance import GuardedBinance, open_binance
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.ledger.connection import Ledger

RESET_S = 1.0
SAID = "Internal error; unable to process your request. Please try again. (-1001)"
CAUSE = f"the exchange cannot be reached: HTTP 503, {SAID}"


class Storm:
    """A served market whose every answer can be a 503, and the proxy that notes what arrives."""

    def __init__(self, directory: Path, speed: str) -> None:
        self.market: Exchange = serve(directory, "--speed", speed)
        self.proxy = MisbehavingProxy(self.market.address["rest_url"])

    def rage(self) -> float:
        """Nothing is served any more: not before that time (monotonic), and surely from the return on."""
        began = time.monotonic()
        self._tell("/sim/fault", {"kind": "http_503_before", "path": "/", "seconds": 600})
        return began

    def calm(self) -> float:
        """All is served again; since when."""
        began = time.monotonic()
        self._tell("/sim/faults/clear", {})
        return began

    def calls(self, *, since: float) -> list[Seen]:
        """What reached the exchange's own interface since then."""
        return self.proxy.api_calls(since=since)

    def close(self) -> None:
        """End both."""
        self.proxy.close()
        self.market.stop()

    def _tell(self, path: str, body: dict[str, object]) -> None:
        request = urllib.request.Request(self.market.address["rest_url"] + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert reply.status == 200


@pytest.fixture(scope="module", params=["1", "576"])
def storm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """At the market's own pace, and at a day in two and a half minutes."""
    made = Storm(tmp_path_factory.mktemp("market"), request.param)
    yield made
    made.close()


@pytest.fixture
def home(storm: Storm, tmp_path: Path) -> Iterator[Home]:
    """A home on it, behind the proxy."""
    storm.calm()
    made = make_home(
        tmp_path / "home", storm.market.address, BINANCE_REST_URL=storm.proxy.url, BREAKER_RESET_SECONDS=str(RESET_S)
    )
    yield made
    made.close()


def client_of(home: Home, storm: Storm) -> GuardedBinance:
    """What commands and daemon call the exchange with."""
    journal = Journal(Ledger(home.path / "thunes.db"), home.path / "audit_trail.jsonl", Clock())
    key, secret = storm.market.address["api_key"], storm.market.address["api_secret"]
    return open_binance(
        Endpoints(storm.proxy.url, "ws://127.0.0.1:1", "ws://127.0.0.1:1", None),
        Credentials(Secret(key), Secret(secret), None, "test"),
        journal,
        limits=BreakerLimits(fail_max=5, window_s=60, reset_s=RESET_S),
        recv_window_ms=60_000,
        timeout_s=10,
    )


def test_one_caller_in_a_storm(storm: Storm, home: Home) -> None:
    """400s never open it; the fifth 503 does; then nothing is sent but one probe each time, until one closes it."""
    exchange = client_of(home, storm)
    for _ in range(12):
        with pytest.raises(Rejected):
            exchange.last_price("NOSUCHUSDT")
    assert home.answer("breaker", "status")["data"]["breakers"][0]["state"] == "closed"

    began = storm.rage()
    for _ in range(5):
        with pytest.raises(ExchangeDown):
            exchange.last_price("BTCUSDT")
    opened = home.rows("SELECT opened_mono FROM breaker")[0]["opened_mono"]
    with pytest.raises(BreakerOpen, match="HTTP 503"):
        exchange.last_price("BTCUSDT")
    status, overview = home.answer("breaker", "status"), home.answer("status")
    assert (status["exit_code"], overview["exit_code"]) == (3, 3)
    assert status["data"]["breakers"][0]["cause"] == CAUSE
    assert any(CAUSE in problem["message"] for problem in overview["problems"])
    assert [seen.status for seen in storm.calls(since=began)] == [503] * 5

    probes = [seen for seen in _call_on(exchange, storm, opened, until=2) if seen.at > opened]
    assert [(seen.method, seen.path, seen.status) for seen in probes] == [(*PROBE, 503)] * 2
    assert all(b - a >= RESET_S for a, b in itertools.pairwise([opened, *(seen.at for seen in probes)]))

    calm = storm.calm()
    wait_for(lambda: _answered(exchange), "answer")
    first, *rest = storm.calls(since=calm)
    assert (first.method, first.path, first.status) == (*PROBE, 200)
    assert PROBE not in {(seen.method, seen.path) for seen in rest}
    assert home.answer("breaker", "status")["data"]["breakers"][0]["state"] == "closed"
    assert home.answer("breaker", "history")["data"]["trips_24h"] == 1


def _call_on(exchange: GuardedBinance, storm: Storm, since: float, *, until: int) -> list[Seen]:
    """Call as fast as one may until so many requests have gone out."""
    deadline = time.monotonic() + 30
    while len(seen := storm.calls(since=since)) < until:
        assert time.monotonic() < deadline, seen
        with suppress(ExchangeFailure):
            exchange.last_price("BTCUSDT")
        time.sleep(0.005)
    return seen


def _answered(exchange: GuardedBinance) -> bool:
    try:
        exchange.last_price("BTCUSDT")
    except ExchangeFailure:
        return False
    return True


def test_six_processes_share_one_probe(storm: Storm, home: Home) -> None:
    """Of all six together: five failures and what was under way, then one probe in each reset time, one that closes."""
    key, secret = storm.market.address["api_key"], storm.market.address["api_secret"]
    command = [sys.executable, str(CALLER), str(home.path), storm.proxy.url, key, secret, str(RESET_S)]
    callers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CALLER.parents[2])
        for _ in range(6)
    ]
    assert [caller.stdout.readline() for caller in callers] == ["ready\n"] * 6
    before = time.monotonic()
    wait_for(lambda: len(storm.calls(since=before)) > 20, "calls")
    began = storm.rage()
    reopened = "SELECT 1 FROM control_history WHERE from_state = 'half-open' AND to_state = 'open'"
    wait_for(lambda: len(home.rows(reopened)) >= 2, "two probes that failed")
    during = [seen for seen in storm.calls(since=before) if seen.status == 503]  # calls under way when it began, too
    storm.calm()
    wait_for(lambda: home.rows("SELECT 1 FROM breaker WHERE state = 'closed'"), "closed breaker")
    served = [seen for seen in storm.calls(since=began) if seen.status == 200]
    for caller in callers:
        caller.stdin.close()
    assert [caller.wait(30) for caller in callers] == [0] * 6
    for caller in callers:
        caller.stdout.close()

    probes = [seen for seen in during if (seen.method, seen.path) == PROBE]
    wave = sorted(seen.at for seen in during if seen not in probes)
    assert 5 <= len(wave) <= 5 + 6  # six may have a call each under way when the fifth failure is counted
    assert len(probes) >= 2
    assert wave[-1] < probes[0].at
    fifth = wave[4]
    assert all(b - a >= RESET_S for a, b in itertools.pairwise([fifth, *(seen.at for seen in probes)]))
    assert [(seen.method, seen.path) for seen in served].count(PROBE) == 1


@pytest.fixture(scope="module", params=["60", "576"])
def trading(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A market fast enough to buy within the time a test has."""
    made = Storm(tmp_path_factory.mktemp("market"), request.param)
    yield made
    made.close()


def _hold_in_a_storm(home: Home, storm: Storm) -> float:
    """Until a position is open and nothing is served any more; since when."""
    while True:
        wait_for(lambda: home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"), "open position")
        began = storm.rage()
        wait_for(lambda: home.rows("SELECT 1 FROM breaker WHERE state = 'open'"), "open breaker")
        if home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"):
            return began
        storm.calm()
        wait_for(lambda: home.rows("SELECT 1 FROM breaker WHERE state = 'closed'"), "closed breaker")


@pytest.fixture
def trader(trading: Storm, tmp_path: Path) -> Iterator[Home]:
    """A home that buys soon on it; whatever becomes of the test, its daemon ends with it."""
    settings = {"SMA_FAST": "2", "SMA_SLOW": "3", "SYMBOLS": "BTCUSDT", "COOL_DOWN_MINUTES": "0"}
    made = make_home(
        tmp_path / "home",
        trading.market.address,
        BINANCE_REST_URL=trading.proxy.url,
        BREAKER_RESET_SECONDS=str(RESET_S),
        **settings,
    )
    yield made
    made.close()


def test_the_sale_that_waited_goes_out_after(trading: Storm, trader: Home) -> None:
    """A daemon that holds something when the storm begins: silence but for probes, and then it sells."""
    home = trader
    process = home.start_daemon()
    began = _hold_in_a_storm(home, trading)
    held = want_exit(home)
    opened = home.rows("SELECT opened_mono FROM breaker")[0]["opened_mono"]
    again = f"SELECT opened_mono FROM breaker WHERE opened_mono > {opened}"
    wait_for(lambda: home.rows(again), "second opening")

    # A call that was under way when the storm began fails too.
    around = trading.calls(since=began - RESET_S / 2)
    failures = [seen for seen in around if seen.status == 503 and seen.at < opened + RESET_S / 2]
    assert 5 <= len(failures) <= 5 + 1  # the other thread may have a call under way when the fifth failure is counted
    probe, *later = trading.calls(since=opened + RESET_S / 2)
    assert {(seen.method, seen.path) for seen in (probe, *later)} == {PROBE}
    assert probe.at - opened >= RESET_S
    assert CAUSE in home.thunes("status").stdout
    assert home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'")
    trading.calm()
    wait_for(lambda: home.rows(f"SELECT 1 FROM positions WHERE id = {held} AND status = 'CLOSED'"), "sale")
    first, *others = (seen for seen in trading.calls(since=opened) if seen.status == 200)
    assert (first.method, first.path) == PROBE
    assert ("POST", "/api/v3/order") in {(seen.method, seen.path) for seen in others}
    assert home.end(process) == 0

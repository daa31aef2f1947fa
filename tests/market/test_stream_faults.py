"""Against an exchange that fails in every way: hundreds of candles, each told once, each as the exchange has it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from serving import Serving

from thunes_cli.clock import Anchor, Clock, from_ms, to_ms
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange import lifeline
from thunes_cli.exchange.binance import connect
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.line import Change, Patience
from thunes_cli.market.feed import RestFeed
from thunes_cli.market.stream_feed import StreamFeed
from thunes_cli.model import Candle
from thunes_cli.sim.options import SimOptions

SPEED = 3000  # fifty one-minute candles a second and symbol
SYMBOLS = ("BTCUSDT", "ETHUSDT")
PATIENCE = Patience(
    stale_s=1.5, max_reconnects=2, first_s=3.0, ping_s=0.4, pong_s=0.6, settle_s=0.2, retry_s=0.3, connect_s=2.0
)
# Where nothing may be lost, a busy machine's seconds are no reason to lose it.
PATIENT = replace(PATIENCE, stale_s=20, max_reconnects=5, first_s=20, pong_s=20, connect_s=20)
MINUTE = timedelta(minutes=1)


class Listener:
    """A consumer that asks as the daemon does, and keeps every candle it was given, in order.

    ``by_rest`` counts those that it was given while there was no stream.
    """

    def __init__(self, serving: Serving, patience: Patience) -> None:
        self.serving = serving
        self.by_rest = 0
        self.clock = Clock()
        self.read_clock()
        endpoints = Endpoints(serving.url, serving.announced["stream_url"], serving.announced["ws_api_url"], None)
        credentials = Credentials(Secret(serving.key), Secret(serving.secret), None, "test")
        exchange = connect(endpoints, credentials, clock=self.clock, recv_window_ms=5000, timeout_s=2)
        self.feed = StreamFeed(RestFeed(exchange, self.clock, timeframe="1m"), self.clock, timeframe="1m")
        self.feed.begin(endpoints.stream_url, SYMBOLS, patience)
        self.seen: dict[str, list[Candle]] = {symbol: [] for symbol in SYMBOLS}
        self.changes: list[Change] = []

    def read_clock(self) -> None:
        market = from_ms(self.serving.now())
        # Read after the answer: a clock that is behind finds candles late, one that is ahead would be doubted.
        self.clock.set_anchor(Anchor(Clock().wall(), market, self.serving.options.speed))

    def listen(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Take candles for so long, or until something is true."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not until():
            self.feed.keep_up(SYMBOLS)
            self.changes += [notice.change for notice in self.feed.take_notices()]
            for symbol in SYMBOLS:
                try:
                    candles = self.feed.closed_candles(symbol, needed=600)
                except ExchangeFailure:
                    continue
                seen = self.seen[symbol]
                fresh = [each for each in candles if not seen or each.open_time > seen[-1].open_time]
                self.by_rest += len(fresh) if self.feed.mode == "rest" else 0
                seen += fresh
            time.sleep(0.05)

    def strike(self, kind: str, **asked: Any) -> None:
        """Order a fault."""
        reply = self.serving.session.post(f"{self.serving.url}/sim/fault", json={"kind": kind, **asked}, timeout=20)
        assert reply.status_code == 200, reply.text

    def demand_the_exchanges_record(self, *, least: int) -> None:
        """What was given is what the exchange has: none missing, none twice, every figure the same."""
        for symbol in SYMBOLS:
            seen = self.seen[symbol]
            assert len(seen) >= least
            assert [each.open_time for each in seen] == [seen[0].open_time + n * MINUTE for n in range(len(seen))]
            assert seen == self._record(symbol, seen[0], seen[-1])

    def _record(self, symbol: str, first: Candle, last: Candle) -> list[Candle]:
        found: list[Candle] = []
        start = to_ms(first.open_time)
        while start <= to_ms(last.open_time):
            asked = {"symbol": symbol, "interval": "1m", "startTime": start, "limit": 1000}
            rows = self.serving.get("/api/v3/klines", **asked)
            for row in rows:
                opened = from_ms(row[0])
                if opened <= last.open_time:
                    found.append(Candle(opened, from_ms(row[6] + 1), *(Decimal(value) for value in row[1:6])))
            start = rows[-1][0] + 60_000
        return found


@contextmanager
def listening(directory: Path, *, speed: int = SPEED, patience: Patience = PATIENCE) -> Iterator[Listener]:
    with Serving(SimOptions(directory, speed=Decimal(speed))) as serving:
        listener = Listener(serving, patience)
        try:
            listener.listen(20, until=lambda: listener.feed.mode == "websocket")
            assert listener.feed.mode == "websocket"
            yield listener
        finally:
            listener.feed.stop()
            assert listener.feed.finished(20)


FAULTS = {
    "drop": ("ws_drop", {}),
    "silence": ("ws_silence", {"seconds": 2.5}),
    "half-open": ("ws_half_open", {}),
    "garbage": ("ws_garbage", {"count": 20}),
    "burst": ("ws_burst", {"count": 2000}),
    "shutdown": ("ws_shutdown", {"seconds": 0.5}),
}


def test_no_candle_is_missed_or_doubled_whatever_the_streams_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every fault in turn over more than five hundred candles: the series is the exchange's own record."""
    monkeypatch.setattr(lifeline, "_MOST_BACKOFF_S", 0.2)
    with listening(tmp_path, patience=replace(PATIENCE, max_reconnects=8, first_s=20, connect_s=20)) as listener:
        for kind, asked in FAULTS.values():
            listener.strike(kind, **asked)
            listener.listen(2.5 if kind in {"ws_silence", "ws_half_open"} else 1.2)
            listener.listen(20, until=lambda: listener.feed.delivers)
        listener.listen(1)

        listener.demand_the_exchanges_record(least=500)
        state = listener.feed.line
        assert state is not None
        assert state.reconnects >= 4
        assert Change.FELL_BACK not in listener.changes


def test_a_refusing_exchange_makes_it_fall_back_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing listens for a while: REST is the mode, then the stream again, and what closed meanwhile is there."""
    monkeypatch.setattr(lifeline, "_MOST_BACKOFF_S", 0.2)
    with listening(tmp_path) as listener:
        fall_back_and_come_back(listener, "refuse", seconds=4)

        assert listener.changes.index(Change.FELL_BACK) < listener.changes.index(Change.RESTORED)
        listener.demand_the_exchanges_record(least=500)


def test_without_streams_candles_come_over_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """WebSockets alone are refused: candle after candle comes over REST, and the stream goes on where REST ended."""
    monkeypatch.setattr(lifeline, "_MOST_BACKOFF_S", 0.2)
    with listening(tmp_path) as listener:
        fall_back_and_come_back(listener, "ws_drop", seconds=4)

        assert listener.by_rest >= 10 * len(SYMBOLS)
        listener.demand_the_exchanges_record(least=500)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["refuse", "ws_drop"])
def test_a_minute_and_a_half_without(tmp_path: Path, kind: str):
    """Five candles a second, ninety seconds of them without an exchange, or without streams alone."""
    with listening(tmp_path, speed=300) as listener:
        fall_back_and_come_back(listener, kind, seconds=90)

        assert kind == "refuse" or listener.by_rest >= 300 * len(SYMBOLS)
        listener.demand_the_exchanges_record(least=500)


def fall_back_and_come_back(listener: Listener, kind: str, *, seconds: float) -> None:
    """Refuse for so long; REST stands in, and then the stream delivers again, five hundred candles in all."""
    listener.listen(1)
    listener.strike(kind, seconds=seconds)
    listener.listen(20, until=lambda: Change.FELL_BACK in listener.changes)
    assert Change.FELL_BACK in listener.changes
    assert listener.feed.mode in {"rest", "down"}

    listener.listen(seconds + 60, until=lambda: Change.RESTORED in listener.changes)
    listener.listen(20, until=lambda: listener.feed.delivers)
    assert listener.feed.mode == "websocket"
    listener.listen(60, until=lambda: min(len(seen) for seen in listener.seen.values()) >= 510)


def test_a_slow_consumer_loses_no_candle(tmp_path: Path):
    """Whoever takes nothing for seconds, while everything pours in, finds every candle afterwards."""
    with listening(tmp_path, patience=PATIENT) as listener:
        listener.feed.intake.watch(SYMBOLS)
        busy = threading.Event()
        listener.strike("ws_burst", count=5000)
        busy.wait(3)
        assert listener.feed.line is not None
        assert listener.feed.line.reconnects == 0
        listener.listen(1)
        listener.demand_the_exchanges_record(least=100)

"""A loopback exchange, a client connected to it, and a home's ledger and trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from breaker_room import LIMITS
from exchange_cases import API_KEY, API_SECRET, RECV_WINDOW_MS, START, Time
from loopback_exchange import LoopbackExchange

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Anchor, Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange import lifeline
from thunes_cli.exchange.binance import BinanceExchange, connect
from thunes_cli.exchange.breaker import Breaker
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.schema import create_ledger


@pytest.fixture
def network_time() -> Time:
    return Time()


@pytest.fixture
def clock(network_time: Time) -> Clock:
    anchor = Anchor(wall=START, market=START + timedelta(days=100), speed=Decimal(1))
    return Clock(anchor, wall=lambda: network_time.wall, monotonic=lambda: network_time.mono)


@pytest.fixture
def server() -> Iterator[LoopbackExchange]:
    server = LoopbackExchange()
    yield server
    server.close()


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(Secret(API_KEY), Secret(API_SECRET), None, "test")


@pytest.fixture
def endpoints(server: LoopbackExchange) -> Endpoints:
    return Endpoints(server.url, "ws://127.0.0.1:1", "ws://127.0.0.1:1/ws-api/v3", None)


@pytest.fixture
def exchange(
    endpoints: Endpoints, credentials: Credentials, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> BinanceExchange:
    monkeypatch.setattr("thunes_cli.exchange.binance_client.CONNECT_TIMEOUT_S", 0.4)
    return connect(endpoints, credentials, clock=clock, recv_window_ms=RECV_WINDOW_MS, timeout_s=Decimal("0.4"))


@pytest.fixture
def open_journal(tmp_path: Path, clock: Clock) -> Callable[[], Journal]:
    """Opens the same home's journal, as often as a test wants another process of it."""
    path = tmp_path / "thunes.db"
    create_ledger(path, environment="sim", instance="abcdef", epoch="abc", wall=START)
    return lambda: Journal(Ledger(path), tmp_path / "audit_trail.jsonl", clock)


@pytest.fixture
def journal(open_journal: Callable[[], Journal]) -> Journal:
    return open_journal()


@pytest.fixture
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait longer than a tenth of a second."""
    monkeypatch.setattr(lifeline, "_MOST_BACKOFF_S", 0.1)


@pytest.fixture
def breaker(journal: Journal) -> Breaker:
    """A closed one."""
    return Breaker(journal, limits=LIMITS)

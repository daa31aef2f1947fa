"""How requests travel: connections, headers, proxies, debug logs, and what importing costs."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from exchange_cases import API_KEY, API_SECRET, FULL, MARKET_MS, SELL
from loopback_exchange import LoopbackExchange, answer, error, hang

from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.exchange.binance import BinanceExchange, connect
from thunes_cli.exchange.failures import ExchangeDown, Rejected, TimestampRejected


def test_minus_1021_resyncs_and_asks_a_read_once_more(
    endpoints: Endpoints, credentials: Credentials, clock: Clock, server: LoopbackExchange
) -> None:
    """A signed read survives one -1021 with a new timestamp; a second one is raised; without a resync, the first."""
    resyncs: list[int] = []

    def resync() -> None:
        resyncs.append(1)
        anchor = clock.anchor
        clock.set_anchor(type(anchor)(anchor.wall, anchor.market + timedelta(seconds=5)))

    exchange = connect(endpoints, credentials, clock=clock, recv_window_ms=5000, timeout_s=10, on_clock_skew=resync)
    server.then("/api/v3/openOrders", error(-1021), answer([]), error(-1021), error(-1021))

    assert exchange.open_orders("BTCUSDT") == []
    assert [request.fields["timestamp"] for request in server.requests] == [str(MARKET_MS), str(MARKET_MS + 5000)]
    with pytest.raises(TimestampRejected):
        exchange.open_orders("BTCUSDT")

    assert len(resyncs) == 2
    assert len(server.requests) == 4


def test_minus_1021_on_an_order_is_the_callers_to_retry(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """An order is sent once: the new timestamp has to be committed before it goes out again."""
    server.then("/api/v3/order", error(-1021, "Timestamp for this request is outside of the recvWindow."))

    with pytest.raises(TimestampRejected) as caught:
        exchange.place(SELL, timestamp_ms=1)

    assert caught.value.business_code == -1021
    assert len(server.requests) == 1


def test_an_order_goes_out_on_a_connection_of_its_own(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """Reads share a connection; an order never meets one that broke unnoticed."""
    server.always |= {"/api/v3/ping": answer({}), "/api/v3/order": answer(FULL)}

    exchange.ping()
    exchange.ping()
    exchange.place(SELL, timestamp_ms=MARKET_MS)

    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_a_hanging_read_does_not_delay_an_order(
    endpoints: Endpoints, credentials: Credentials, clock: Clock, server: LoopbackExchange
) -> None:
    """Threads share no connection and no lock: an order is answered while another thread's read hangs."""
    exchange = connect(endpoints, credentials, clock=clock, recv_window_ms=5000, timeout_s=60)
    server.then("/api/v3/ping", hang)
    server.then("/api/v3/order", answer(FULL))

    def read_until_the_end() -> None:
        with pytest.raises(ExchangeDown):
            exchange.ping()

    read = threading.Thread(target=read_until_the_end, daemon=True)
    read.start()
    assert server.hanging.wait(10)

    report = exchange.place(SELL, timestamp_ms=MARKET_MS)

    assert report.order_id == 41
    assert read.is_alive()


def test_headers_of_every_answer_are_handed_on(
    endpoints: Endpoints, credentials: Credentials, clock: Clock, server: LoopbackExchange
) -> None:
    """Used weight is heard from refusals too."""
    heard: list[str] = []
    exchange = connect(
        endpoints,
        credentials,
        clock=clock,
        recv_window_ms=5000,
        timeout_s=10,
        on_headers=lambda headers: heard.append(headers["x-mbx-used-weight-1m"]),
    )
    server.then("/api/v3/ping", answer({}, X_MBX_USED_WEIGHT_1M="3"), error(-1100, X_MBX_USED_WEIGHT_1M="4"))

    exchange.ping()
    with pytest.raises(Rejected):
        exchange.ping()

    assert heard == ["3", "4"]


def test_loopback_never_goes_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """The operator's proxy variables do not break a simulator on this machine."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.then("/api/v3/time", answer({"serverTime": MARKET_MS}))

    assert exchange.server_time() == datetime.fromtimestamp(MARKET_MS / 1000, UTC)


def test_signatures_stay_out_of_debug_logs(
    exchange: BinanceExchange, server: LoopbackExchange, caplog: pytest.LogCaptureFixture
) -> None:
    """Even with everything at DEBUG no log holds a signature, a key or a secret."""
    caplog.set_level(logging.DEBUG)
    server.then("/api/v3/openOrders", answer([]))

    exchange.open_orders("BTCUSDT")

    signature = server.requests[0].fields["signature"]
    for word in (signature, API_KEY, API_SECRET):
        assert word not in caplog.text
    assert API_SECRET not in repr(exchange) + repr(vars(exchange)) + repr(vars(exchange._client))


def test_python_binance_is_imported_late_and_without_its_package_init() -> None:
    """Importing our side costs nothing; connecting leaves out the library's asynchronous half."""
    program = (
        "import sys; import thunes_cli.exchange.guarded_binance\n"
        "heavy = {'binance', 'requests', 'pybreaker', 'pydantic', 'aiohttp', 'asyncio'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "import thunes_cli.exchange.binance_client\n"
        "assert 'aiohttp' not in sys.modules\n"
        "import binance\n"
        "assert binance.Client and binance.AsyncClient\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    sources = Path(__file__).parents[2].joinpath("thunes_cli").rglob("*.py")
    importing = [path.name for path in sources if "binance.client import" in path.read_text(encoding="utf-8")]
    assert importing == ["binance_client.py"]

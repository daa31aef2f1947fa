"""The exchange behind breaker and ban clock, against a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from exchange_cases import FULL, MARKET_MS, SELL, START, Time
from loopback_exchange import LoopbackExchange, answer, error, hang, html

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Anchor, Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.exchange.failures import (
    BreakerOpen,
    ExchangeDown,
    OutcomeUnknown,
    RateBanned,
    RateLimited,
    Rejected,
    TimestampRejected,
)
from thunes_cli.exchange.guarded_binance import GuardedBinance, open_binance
from thunes_cli.ledger.bans import read_ban, read_usage
from thunes_cli.ledger.breakers import BreakerLimits, breaker_status
from thunes_cli.ledger.identity import read_identity

ACCOUNT = answer({"uid": 77, "canTrade": True, "balances": []})
LIMITS = BreakerLimits()


@pytest.fixture
def connect_home(endpoints: Endpoints, credentials: Credentials) -> Callable[..., GuardedBinance]:
    """Connects a home to the loopback exchange, as another process of it would."""

    def connect_home(journal: Journal, *, timeout_s: str = "2") -> GuardedBinance:
        return open_binance(
            endpoints, credentials, journal, limits=LIMITS, recv_window_ms=5000, timeout_s=Decimal(timeout_s)
        )

    return connect_home


@pytest.fixture
def guarded(connect_home: Callable[..., GuardedBinance], journal: Journal) -> GuardedBinance:
    return connect_home(journal)


def state(journal: Journal) -> str:
    with journal.read() as connection:
        clock = journal.clock
        return breaker_status(connection, clock.wall(), limits=LIMITS, monotonic=clock.monotonic()).state.value


def storm(guarded: GuardedBinance, server: LoopbackExchange, times: int = 5) -> None:
    """So many 503s on a read."""
    server.then("/api/v3/ping", *[html(503)] * times)
    for _ in range(times):
        with pytest.raises(ExchangeDown):
            guarded.ping()


def test_a_storm_opens_at_the_fifth_failure_and_nothing_is_sent(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """After the fifth 503 not a byte leaves for the whole time, neither for reads nor for orders."""
    storm(guarded, server)
    assert state(journal) == "open"
    count = len(server.requests)

    for _ in range(3):
        with pytest.raises(BreakerOpen):
            guarded.account()
        with pytest.raises(BreakerOpen):
            guarded.place(SELL, timestamp_ms=MARKET_MS)
        assert guarded.probe() is False
        network_time.forward(19)

    assert len(server.requests) == count


def test_a_healed_exchange_is_found_by_one_signed_probe_and_the_waiting_exit_goes_out(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """The order itself is never the probe; after the probe it goes out."""
    storm(guarded, server)
    network_time.forward(60)
    server.always |= {"/api/v3/account": ACCOUNT, "/api/v3/order": answer(FULL)}
    with pytest.raises(BreakerOpen):
        guarded.place(SELL, timestamp_ms=MARKET_MS)
    assert not server.sent("/api/v3/order")

    assert guarded.probe() is True

    assert guarded.place(SELL, timestamp_ms=MARKET_MS).order_id == 41
    assert len(server.sent("/api/v3/account")) == 1
    assert state(journal) == "closed"


def test_a_read_sends_the_probe_itself_when_no_daemon_does(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """``run --once`` heals too: the first read after the time probes, then goes out itself."""
    storm(guarded, server)
    network_time.forward(60)
    server.always |= {"/api/v3/account": ACCOUNT, "/api/v3/ping": answer({})}

    guarded.ping()

    assert [request.path for request in server.requests[-2:]] == ["/api/v3/account", "/api/v3/ping"]
    assert state(journal) == "closed"


def test_a_failed_probe_keeps_everything_back(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """One failure of the probe is enough for another whole wait."""
    storm(guarded, server)
    network_time.forward(60)
    server.always["/api/v3/account"] = html(503)

    with pytest.raises(BreakerOpen):
        guarded.ping()

    assert len(server.sent("/api/v3/account")) == 1
    assert len(server.sent("/api/v3/ping")) == 5
    assert state(journal) == "open"


def test_refusals_never_open(guarded: GuardedBinance, server: LoopbackExchange, journal: Journal) -> None:
    """Twenty business errors are ours to fix and say nothing about the exchange."""
    server.always["/api/v3/order"] = error(-1013, "Filter failure: LOT_SIZE")

    for _ in range(20):
        with pytest.raises(Rejected):
            guarded.place(SELL, timestamp_ms=MARKET_MS)

    assert state(journal) == "closed"


def test_unknown_outcomes_open(guarded: GuardedBinance, server: LoopbackExchange, journal: Journal) -> None:
    """An order POST answered with 503 counts like any failure, and stays unknown to the caller."""
    server.always["/api/v3/order"] = html(503)

    for _ in range(5):
        with pytest.raises(OutcomeUnknown):
            guarded.place(SELL, timestamp_ms=MARKET_MS)

    assert state(journal) == "open"


def test_a_ban_stops_everything_everywhere(
    guarded: GuardedBinance,
    server: LoopbackExchange,
    network_time: Time,
    connect_home: Callable[..., GuardedBinance],
    open_journal: Callable[[], Journal],
) -> None:
    """After a 418 no process of this home sends anything until Retry-After has passed; then one good answer ends it."""
    server.then("/api/v3/ping", error(-1003, "IP banned", 418, Retry_After="30"))
    server.always["/api/v3/ping"] = answer({})
    with pytest.raises(RateLimited):
        guarded.ping()
    other = connect_home(open_journal())

    for exchange in (guarded, other):
        with pytest.raises(RateBanned):
            exchange.ping()
        with pytest.raises(RateBanned):
            exchange.place(SELL, timestamp_ms=MARKET_MS)
        assert exchange.probe() is False
    assert len(server.requests) == 1

    network_time.forward(30)
    other.ping()
    with open_journal().read() as connection:
        assert read_ban(connection) is None


def test_the_firewalls_answer_to_an_order_is_unknown_and_a_ban(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal
) -> None:
    """403 on an order: its fate is open, and silence is kept at once."""
    server.then("/api/v3/order", html(403))
    with pytest.raises(OutcomeUnknown):
        guarded.place(SELL, timestamp_ms=MARKET_MS)

    with pytest.raises(RateBanned):
        guarded.ping()

    assert len(server.requests) == 1
    with journal.read() as connection:
        ban = read_ban(connection)
    assert ban is not None
    assert ban.status == 403


def test_a_hanging_read_delays_no_order(
    connect_home: Callable[..., GuardedBinance], journal: Journal, server: LoopbackExchange
) -> None:
    """No lock and no transaction is held while a call is under way."""
    guarded = connect_home(journal, timeout_s="60")
    server.then("/api/v3/ping", hang)
    server.always |= {"/api/v3/order": answer(FULL), "/api/v3/time": answer({"serverTime": 1})}
    guarded.server_time()

    def quickest_sale() -> float:
        return min(_seconds(lambda: guarded.place(SELL, timestamp_ms=MARKET_MS)) for _ in range(7))

    def read_until_the_end() -> None:
        with pytest.raises(ExchangeDown):
            guarded.ping()
        journal.close()

    alone = quickest_sale()
    read = threading.Thread(target=read_until_the_end)
    read.start()
    assert server.hanging.wait(10)
    beside = quickest_sale()
    server.over.set()
    read.join()

    assert beside < alone + 5  # a lock would have made it half a minute


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_a_ledger_that_cannot_be_written_does_not_hide_an_orders_fate(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal
) -> None:
    """With a full disk the caller still hears what became of its order."""
    server.then("/api/v3/order", html(503), answer(FULL))
    journal.ledger.connection.execute("PRAGMA query_only = ON")

    with pytest.raises(OutcomeUnknown):
        guarded.place(SELL, timestamp_ms=MARKET_MS)

    assert guarded.place(SELL, timestamp_ms=MARKET_MS).order_id == 41


def test_a_probe_that_cannot_be_recorded_is_not_sent(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """Without a lease nobody probes; the caller hears that the breaker is open, not an error of the disk."""
    storm(guarded, server)
    network_time.forward(60)
    journal.ledger.connection.execute("PRAGMA query_only = ON")

    with pytest.raises(BreakerOpen):
        guarded.ping()

    assert not server.sent("/api/v3/account")


def test_a_probe_that_is_interrupted_is_given_back(
    guarded: GuardedBinance,
    server: LoopbackExchange,
    network_time: Time,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C during the probe leaves it to the next one."""
    storm(guarded, server)
    network_time.forward(60)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(guarded._exchange, "account", interrupt)
        with pytest.raises(KeyboardInterrupt):
            guarded.probe()
    server.always["/api/v3/account"] = ACCOUNT

    assert guarded.probe() is True


def test_the_clock_is_resynced_and_recorded_after_minus_1021(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, clock: Clock
) -> None:
    """A signed read heals a skewed clock; the anchor is there for every process; an order is left to its caller."""
    server.then("/api/v3/openOrders", error(-1021), answer([]))
    server.then("/api/v3/order", error(-1021))
    server.always["/api/v3/time"] = answer({"serverTime": MARKET_MS + 7000})

    assert guarded.open_orders("BTCUSDT") == []

    assert [request.fields["timestamp"] for request in server.sent("/api/v3/openOrders")] == [
        str(MARKET_MS),
        str(MARKET_MS + 7000),
    ]
    with journal.read() as connection:
        assert read_identity(connection).anchor == clock.anchor
    with pytest.raises(TimestampRejected):
        guarded.place(SELL, timestamp_ms=MARKET_MS)
    guarded.resync_clock(speed=Decimal(600), samples=1)
    assert clock.anchor == Anchor(START, clock.anchor.market, Decimal(600))


def test_near_the_limit_reads_wait_and_orders_do_not(
    endpoints: Endpoints, credentials: Credentials, journal: Journal, server: LoopbackExchange
) -> None:
    """Big reads give way first; the price of what is to be sold and the SELL itself go out at once."""
    waited: list[float] = []
    guarded = open_binance(
        endpoints, credentials, journal, limits=LIMITS, recv_window_ms=5000, timeout_s=2, wait=waited.append
    )
    told = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
    server.always |= {
        "/api/v3/exchangeInfo": answer({"symbols": [], "rateLimits": told}, X_MBX_USED_WEIGHT_1M="5500"),
        "/api/v3/ticker/price": answer({"symbol": "BTCUSDT", "price": "1"}, X_MBX_USED_WEIGHT_1M="5502"),
        "/api/v3/order": answer(FULL),
        "/api/v3/openOrders": answer([]),
    }
    guarded.symbol_rules(["BTCUSDT"])

    guarded.last_price("BTCUSDT")
    guarded.place(SELL, timestamp_ms=MARKET_MS)
    assert waited == []
    guarded.open_orders("BTCUSDT")

    assert waited == [60.5]


def test_used_weight_reaches_the_ledger(guarded: GuardedBinance, server: LoopbackExchange, journal: Journal) -> None:
    """What the headers say is there for status commands."""
    server.then("/api/v3/ping", answer({}, X_MBX_USED_WEIGHT_1M="17"))

    guarded.ping()

    with journal.read() as connection:
        usage = read_usage(connection)
    assert usage is not None
    assert usage.used_weight_1m == 17

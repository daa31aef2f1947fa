"""A rejected key is said once, asked again once a minute, and stops entries; an accepted one ends that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from exchange_cases import FULL, MARKET_MS, SELL, Time
from loopback_exchange import LoopbackExchange, answer, error

from thunes_cli.audit.journal import Journal
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.exchange.failures import AuthFailed
from thunes_cli.exchange.guarded_binance import GuardedBinance, open_binance
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.ledger.controls import KEY_REJECTED, key_is_rejected

ACCOUNT = answer({"uid": 77, "canTrade": True, "balances": []})
REJECTED = error(-2015, "Invalid API-key, IP, or permissions for action.", 401)


@pytest.fixture
def connect_home(endpoints: Endpoints, credentials: Credentials) -> Callable[[Journal], GuardedBinance]:
    def connect_home(journal: Journal) -> GuardedBinance:
        return open_binance(endpoints, credentials, journal, limits=BreakerLimits(), recv_window_ms=5000, timeout_s=2)

    return connect_home


@pytest.fixture
def guarded(connect_home: Callable[[Journal], GuardedBinance], journal: Journal) -> GuardedBinance:
    return connect_home(journal)


def told(journal: Journal) -> list[str]:
    with journal.read() as connection:
        return [row["kind"] for row in connection.execute("SELECT kind FROM alerts ORDER BY id")]


def lasts(journal: Journal) -> bool:
    with journal.read() as connection:
        return key_is_rejected(connection)


def test_it_is_asked_again_once_a_minute(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """One 401 a minute, however often somebody asks; what needs no key goes on; the operator hears of it once."""
    server.always |= {"/api/v3/account": REJECTED, "/api/v3/ping": answer({})}
    for _ in range(3):
        for _ in range(5):
            with pytest.raises(AuthFailed, match="Invalid API-key"):
                guarded.account()
            guarded.ping()
        network_time.forward(60)

    assert len(server.sent("/api/v3/account")) == 3
    assert told(journal) == [KEY_REJECTED]
    assert lasts(journal)


def test_orders_are_not_sent_with_a_rejected_key(guarded: GuardedBinance, server: LoopbackExchange) -> None:
    """The exchange bans who goes on sending it; the answer proves that nothing was placed."""
    server.always["/api/v3/account"] = REJECTED
    with pytest.raises(AuthFailed):
        guarded.account()

    with pytest.raises(AuthFailed):
        guarded.place(SELL, timestamp_ms=MARKET_MS)

    assert not server.sent("/api/v3/order")


def test_the_daemons_probe_tries_it_again(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """A key that works again (its address was allowed) is noticed within a minute without a trade."""
    server.then("/api/v3/account", REJECTED)
    server.always["/api/v3/account"] = ACCOUNT
    with pytest.raises(AuthFailed):
        guarded.account()
    assert guarded.probe() is True
    assert lasts(journal)

    network_time.forward(60)
    assert guarded.probe() is True

    assert not lasts(journal)
    assert told(journal) == [KEY_REJECTED, KEY_REJECTED]


def test_another_process_ends_what_the_last_one_found(
    guarded: GuardedBinance,
    server: LoopbackExchange,
    journal: Journal,
    open_journal: Callable[[], Journal],
    connect_home: Callable[[Journal], GuardedBinance],
) -> None:
    """After a restart with a new key the first signed answer settles it."""
    server.then("/api/v3/account", REJECTED)
    server.always["/api/v3/account"] = ACCOUNT
    with pytest.raises(AuthFailed):
        guarded.account()

    connect_home(open_journal()).account()

    assert not lasts(journal)


def test_a_key_good_for_reading_alone_stays_rejected(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """A read that succeeds says nothing about orders; one that is placed does."""
    server.then("/api/v3/order", REJECTED, answer(FULL))
    server.always["/api/v3/account"] = ACCOUNT
    with pytest.raises(AuthFailed):
        guarded.place(SELL, timestamp_ms=MARKET_MS)
    network_time.forward(60)
    guarded.account()
    assert lasts(journal)

    guarded.place(SELL, timestamp_ms=MARKET_MS)

    assert not lasts(journal)


def test_a_rejected_key_neither_trips_nor_is_a_ban(
    guarded: GuardedBinance, server: LoopbackExchange, journal: Journal, network_time: Time
) -> None:
    """It is ours to mend: breaker and gate do not move."""
    server.always["/api/v3/account"] = REJECTED
    for _ in range(8):
        with pytest.raises(AuthFailed):
            guarded.account()
        network_time.forward(60)

    with journal.read() as connection:
        assert connection.execute("SELECT count(*) FROM control_history").fetchone()[0] == 0

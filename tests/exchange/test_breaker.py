"""The breaker: one state for every thread, process and restart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from breaker_room import DOWN, LIMITS, events, fail, status
from exchange_cases import START, Time

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.breaker import Breaker, reset_breaker
from thunes_cli.exchange.breaker_storage import LedgerStorage, machine, replay
from thunes_cli.exchange.failures import (
    AuthFailed,
    BreakerOpen,
    ExchangeFailure,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TimestampRejected,
)
from thunes_cli.ledger.breakers import breaker_transitions, save_opened


def test_the_fifth_failure_within_the_window_opens(breaker: Breaker, journal: Journal, network_time: Time) -> None:
    """Four leave it closed, the fifth opens it with its cause; nothing is admitted until the time is over."""
    fail(breaker, 4)
    assert status(journal).state == "closed"
    network_time.forward(59)

    fail(breaker)

    shown = status(journal)
    assert (shown.state, shown.fail_counter, shown.retry_in_s) == ("open", 5, 60)
    assert shown.cause == DOWN.message
    assert shown.opened_at == network_time.wall
    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    assert caught.value.retry_at == network_time.wall + timedelta(seconds=60)
    assert caught.value.code == "circuit_breaker_open"
    assert events(journal) == ["BREAKER_OPENED"]


def test_failures_age_out_of_the_window(breaker: Breaker, journal: Journal, network_time: Time) -> None:
    """Five failures spread over more than the window do not open."""
    for _ in range(8):
        fail(breaker)
        network_time.forward(15)

    assert status(journal).state == "closed"
    assert status(journal).fail_counter == 3


@pytest.mark.parametrize(
    "between",
    [
        Rejected("Filter failure: NOTIONAL", -1013),
        TimestampRejected("outside of the recvWindow", -1021),
        AuthFailed("Invalid API-key"),
        RateLimited(429, 60),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_what_is_not_the_exchanges_health_neither_trips_nor_resets(
    between: ExchangeFailure, breaker: Breaker, journal: Journal
) -> None:
    """Refusals alone never open; between failures they do not reset the count."""
    fail(breaker, 20, between)
    assert status(journal).fail_counter == 0

    for _ in range(5):
        fail(breaker)
        if status(journal).state == "closed":
            fail(breaker, 1, between)

    assert status(journal).state == "open"


@pytest.mark.parametrize(
    "failure", [DOWN, NotSent("refused"), OutcomeUnknown("HTTP 503")], ids=lambda f: type(f).__name__
)
def test_what_trips(failure: ExchangeFailure, breaker: Breaker, journal: Journal) -> None:
    """Unavailable, unreachable and unknown speak against the exchange."""
    fail(breaker, 5, failure)

    assert status(journal).state == "open"


def test_a_success_while_closed_resets_nothing(journal: Journal, breaker: Breaker) -> None:
    """pybreaker resets its counter on every success; ours ages by the window alone."""
    fail(breaker, 4)
    with journal.change() as change:
        storage = LedgerStorage(change, "rest", limits=LIMITS, monotonic=0, boot="", cause="x", actor="test")
        replay(machine(storage, LIMITS), failed=False)

    fail(breaker)

    assert status(journal).state == "open"


def test_every_process_and_restart_sees_it_open(
    breaker: Breaker, open_journal: Callable[[], Journal], network_time: Time
) -> None:
    """The state lives on disk: another process is refused, and stays refused after a restart."""
    fail(breaker, 5)
    network_time.forward(30)

    other = Breaker(open_journal(), limits=LIMITS)

    with pytest.raises(BreakerOpen):
        other.admit()
    assert other.take_probe() is None


def test_reset_by_hand_is_seen_at_the_next_call(
    breaker: Breaker, journal: Journal, open_journal: Callable[[], Journal]
) -> None:
    """A reset in another process admits at once, leaves its reason in trail and history, and is done once."""
    before = breaker.admit()
    fail(breaker, 5)
    other = open_journal()

    with other.change() as change:
        assert reset_breaker(change, reason="it was our proxy", actor="uid 1000")
    with other.change() as change:
        assert not reset_breaker(change, reason="again", actor="uid 1000")

    breaker.admit()
    breaker.failed(before, DOWN)
    assert (status(journal).state, status(journal).fail_counter) == ("closed", 0)
    assert events(journal) == ["BREAKER_OPENED", "BREAKER_RESET"]
    with journal.read() as connection:
        assert breaker_transitions(connection, since_wall=START)[-1].reason == "it was our proxy"


def test_a_wall_clock_that_jumps_changes_nothing_within_a_boot(
    breaker: Breaker, journal: Journal, network_time: Time
) -> None:
    """The open time is monotonic: a clock set forward or back neither shortens nor lengthens it."""
    fail(breaker, 5)
    network_time.wall += timedelta(days=2)
    assert status(journal).retry_in_s == 60
    network_time.wall -= timedelta(days=4)
    network_time.mono += 59
    assert status(journal).retry_in_s == pytest.approx(1)
    network_time.mono += 1
    assert breaker.take_probe() is not None


@pytest.mark.parametrize(("later_s", "left"), [(20, 40), (60, 0), (1e6, 0), (-1e6, 60)])
def test_after_a_reboot_the_wall_clock_decides(
    later_s: float, left: float, journal: Journal, network_time: Time
) -> None:
    """Monotonic time of another boot means nothing; a wall clock set back lengthens by no more than the whole time."""
    with journal.change() as change:
        save_opened(change.connection, "rest", cause="x", wall=network_time.wall, monotonic=9e9, boot="another-boot")

    network_time.forward(later_s)

    assert status(journal).retry_in_s == left


def test_the_status_needs_no_breaker_library() -> None:
    """A status command reads the state with nothing but sqlite3."""
    program = (
        "import sys; import thunes_cli.ledger.breakers, thunes_cli.ledger.bans\n"
        "print({'pybreaker', 'thunes_cli.exchange', 'sqlite_utils', 'asyncio'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"

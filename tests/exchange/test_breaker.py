"""The breaker: one state for every thread, process and restart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from exchange_cases import START, Time

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.breaker import Breaker, reset_breaker
from thunes_cli.exchange.breaker_storage import LedgerStorage, machine, replay
from thunes_cli.exchange.failures import (
    AuthFailed,
    BreakerOpen,
    ExchangeDown,
    ExchangeFailure,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TimestampRejected,
)
from thunes_cli.ledger.breakers import (
    BreakerLimits,
    BreakerState,
    BreakerStatus,
    breaker_status,
    breaker_transitions,
    save_opened,
)
from thunes_cli.process import ProcessIdentity, this_process

LIMITS = BreakerLimits(fail_max=5, window_s=60, reset_s=60)
DOWN = ExchangeDown("127.0.0.1: connection refused")


@pytest.fixture
def breaker(journal: Journal) -> Breaker:
    return Breaker(journal, limits=LIMITS)


def status(journal: Journal) -> BreakerStatus:
    with journal.read() as connection:
        return breaker_status(connection, journal.clock.wall(), limits=LIMITS, monotonic=journal.clock.monotonic())


def fail(breaker: Breaker, times: int = 1, failure: ExchangeFailure = DOWN) -> None:
    for _ in range(times):
        breaker.failed(breaker.admit(), failure)


def events(journal: Journal) -> list[str]:
    return [line.split('"event":"')[1].split('"')[0] for line in journal.trail.path.read_text().splitlines()]


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


def test_one_probe_closes(breaker: Breaker, journal: Journal, network_time: Time) -> None:
    """When the time is over one probe may go; while it is out nobody else may; its success closes."""
    fail(breaker, 5)
    network_time.forward(60)
    assert (status(journal).state, status(journal).retry_in_s) == (BreakerState.HALF_OPEN, 0)

    lease = breaker.take_probe()

    assert lease is not None
    assert breaker.take_probe() is None
    with pytest.raises(BreakerOpen):
        breaker.admit()
    breaker.settle(lease, None)
    breaker.admit()
    assert (status(journal).state, status(journal).fail_counter, status(journal).opened_at) == ("closed", 0, None)
    assert events(journal) == ["BREAKER_OPENED", "BREAKER_HALF_OPEN", "BREAKER_CLOSED"]
    with journal.read() as connection:
        history = [(row.from_state, row.to_state) for row in breaker_transitions(connection, since_wall=START)]
    assert history == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def test_a_failed_probe_opens_for_the_whole_time_again(breaker: Breaker, journal: Journal, network_time: Time) -> None:
    """One failure is enough while half-open, with its own cause."""
    fail(breaker, 5)
    network_time.forward(61)
    lease = breaker.take_probe()
    assert lease is not None
    network_time.forward(10)

    breaker.settle(lease, OutcomeUnknown("still sick"))

    shown = status(journal)
    assert (shown.state, shown.retry_in_s, shown.opened_at) == ("open", 60, network_time.wall)
    assert "still sick" in str(shown.cause)
    assert not breaker.probe_due()


@pytest.mark.parametrize(
    "answered",
    [Rejected("bad signature", -1022), TimestampRejected("late", -1021), AuthFailed("Invalid API-key")],
    ids=repr,
)
def test_a_probe_that_is_refused_was_answered(
    answered: ExchangeFailure, breaker: Breaker, journal: Journal, network_time: Time
) -> None:
    """The exchange is well again; that it refuses (a rejected key, say) must reach whoever asks, not hide behind us."""
    fail(breaker, 5)
    network_time.forward(60)
    lease = breaker.take_probe()
    assert lease is not None

    breaker.settle(lease, answered)

    assert status(journal).state == "closed"
    with journal.read() as connection:
        assert answered.message in breaker_transitions(connection)[-1].reason


@pytest.mark.parametrize("outcome", [RateLimited(429, 60), KeyboardInterrupt()], ids=repr)
def test_a_probe_that_says_nothing_is_given_back(
    outcome: BaseException, breaker: Breaker, journal: Journal, network_time: Time
) -> None:
    """A ban or an interruption neither closes nor opens: the next probe may go as soon as anything may."""
    fail(breaker, 5)
    network_time.forward(60)
    lease = breaker.take_probe()
    assert lease is not None

    breaker.settle(lease, outcome)

    assert status(journal).state == "half-open"
    assert breaker.take_probe() is not None


def test_the_probe_of_a_dead_process_is_taken_over(journal: Journal, breaker: Breaker, network_time: Time) -> None:
    """kill -9 during the probe does not leave the breaker half-open for ever."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        identity = ProcessIdentity(process.pid, this_process().boot_id, _start_tick(process.pid))
        mortal = Breaker(journal, limits=LIMITS, identify=lambda: identity)
        fail(breaker, 5)
        network_time.forward(60)
        assert mortal.take_probe() is not None
        assert not breaker.probe_due()
        process.kill()
        process.wait()

    assert breaker.take_probe() is not None


def _start_tick(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_lease_ends_by_itself_and_its_late_outcome_is_ignored(
    breaker: Breaker, journal: Journal, network_time: Time
) -> None:
    """A probe that hangs for longer than its lease is replaced; what it brings later changes nothing."""
    fail(breaker, 5)
    network_time.forward(60)
    slow = breaker.take_probe()
    network_time.forward(61)
    quick = breaker.take_probe()
    assert slow is not None
    assert quick is not None

    breaker.settle(slow, DOWN)
    assert status(journal).state == "half-open"
    breaker.settle(quick, None)
    breaker.settle(slow, DOWN)

    assert status(journal).state == "closed"


def test_late_outcomes_never_move_opened_at(breaker: Breaker, journal: Journal, network_time: Time) -> None:
    """Calls admitted before the opening count neither while it is open, nor half-open, nor after it closed."""
    old = [breaker.admit() for _ in range(20)]
    fail(breaker, 5)
    opened_at = status(journal).opened_at
    network_time.forward(10)

    for admission in old[:6]:
        breaker.failed(admission, DOWN)
    assert status(journal).opened_at == opened_at

    network_time.forward(60)
    lease = breaker.take_probe()
    assert lease is not None
    for admission in old[6:12]:
        breaker.failed(admission, DOWN)
    assert status(journal).state == "half-open"
    breaker.settle(lease, None)
    for admission in old[12:]:
        breaker.failed(admission, DOWN)
    assert (status(journal).state, status(journal).fail_counter) == ("closed", 0)


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


def test_six_processes_get_one_probe(journal: Journal) -> None:
    """However many ask at once, one probe goes out."""
    with journal.change() as change:
        save_opened(change.connection, "rest", cause="x", wall=START, monotonic=0, boot="another-boot")
    program = (
        "import sys, pathlib\n"
        "from thunes_cli.audit.journal import Journal\n"
        "from thunes_cli.clock import Clock\n"
        "from thunes_cli.exchange.breaker import Breaker\n"
        "from thunes_cli.ledger.breakers import BreakerLimits\n"
        "from thunes_cli.ledger.connection import Ledger\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "journal = Journal(Ledger(home / 'thunes.db'), home / 'audit_trail.jsonl', Clock())\n"
        "breaker = Breaker(journal, limits=BreakerLimits())\n"
        "print('ready', flush=True); input()\n"
        "print(breaker.take_probe() is not None, flush=True); input()\n"
    )
    home = str(journal.ledger.path.parent)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    try:
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("\n")
            racer.stdin.flush()
        answers = [racer.stdout.readline().strip() for racer in racers]
    finally:
        for racer in racers:
            racer.communicate("\n")

    assert sorted(answers) == ["False"] * 5 + ["True"]
    assert events(journal) == ["BREAKER_HALF_OPEN"]


def test_the_status_needs_no_breaker_library() -> None:
    """A status command reads the state with nothing but sqlite3."""
    program = (
        "import sys; import thunes_cli.ledger.breakers, thunes_cli.ledger.bans\n"
        "print({'pybreaker', 'thunes_cli.exchange', 'sqlite_utils', 'asyncio'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"

"""The one probe of an open breaker: whose it is, what its outcome means, and how it is taken over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from breaker_room import DOWN, LIMITS, events, fail, status
from exchange_cases import START, Time

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.breaker import Breaker
from thunes_cli.exchange.failures import (
    AuthFailed,
    BreakerOpen,
    ExchangeFailure,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TimestampRejected,
)
from thunes_cli.ledger.breakers import BreakerState, breaker_transitions, save_opened
from thunes_cli.process import ProcessIdentity, this_process


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

"""Silence when the exchange orders it, for every process and restart."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from exchange_cases import START, Time
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.exchange.failures import BreakerOpen, RateBanned, RateLimited
from thunes_cli.exchange.rate_gate import RateGate, pause_s
from thunes_cli.ledger.bans import Ban, RateLimits, RateUsage, active_ban, read_ban, read_usage, save_ban
from thunes_cli.ledger.connection import Ledger

GUESS = RateLimited(429, 60)


def told(seconds: float) -> RateLimited:
    return RateLimited(418, seconds, told=True)


@pytest.fixture
def gate(journal: Journal) -> RateGate:
    return RateGate(journal)


def left(gate: RateGate, time: Time) -> float:
    try:
        gate.check()
    except RateBanned as ban:
        return (ban.retry_at - time.wall).total_seconds() if ban.retry_at is not None else -1
    return 0


def test_a_ban_binds_every_process_and_restart(
    gate: RateGate, open_journal: Callable[[], Journal], network_time: Time
) -> None:
    """Another process, and this one after a restart, keep silent for the rest of the time told."""
    gate.limited(told(120))
    network_time.forward(100)

    other = RateGate(open_journal())

    with pytest.raises(RateBanned, match="HTTP 418") as caught:
        other.check()
    assert isinstance(caught.value, BreakerOpen)
    assert caught.value.code == "rate_limit_ban"
    assert left(other, network_time) == 20
    network_time.forward(20)
    assert other.check() is not None


def test_without_a_time_told_bans_double_up_to_ten_minutes(gate: RateGate, network_time: Time) -> None:
    """Each ban that follows one without a good answer between lasts twice as long."""
    waits = []
    for _ in range(6):
        gate.limited(GUESS)
        waits.append(left(gate, network_time))
        network_time.forward(waits[-1])

    assert waits == [60, 120, 240, 480, 600, 600]


def test_a_good_answer_starts_the_doubling_anew(gate: RateGate, journal: Journal, network_time: Time) -> None:
    """Only an answer after the ban's end counts."""
    gate.limited(GUESS)
    network_time.forward(60)
    past = gate.check()
    gate.answered(past)
    with journal.read() as connection:
        assert read_ban(connection) is None

    gate.limited(GUESS)

    assert left(gate, network_time) == 60


def test_a_good_answer_of_an_older_call_does_not_lift_a_newer_ban(gate: RateGate, network_time: Time) -> None:
    """What was asked before the ban was ordered says nothing about it."""
    gate.limited(GUESS)
    network_time.forward(60)
    past = gate.check()
    gate.limited(GUESS)

    gate.answered(past)
    gate.answered(None)

    assert left(gate, network_time) == 120


def test_answers_to_calls_under_way_are_the_same_ban(gate: RateGate, journal: Journal, network_time: Time) -> None:
    """Eight threads that hit the limit together make one ban, not a doubling; a longer time told wins."""
    threads = [threading.Thread(target=lambda: (gate.limited(GUESS), journal.close())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left(gate, network_time) == 60

    gate.limited(told(90))
    gate.limited(told(5))

    assert left(gate, network_time) == 90
    assert journal.trail.path.read_text().count("RATE_LIMIT_BAN") == 1


def test_a_restart_loop_does_not_lengthen_a_ban(
    gate: RateGate, open_journal: Callable[[], Journal], network_time: Time
) -> None:
    """Asking again and again, from new processes, leaves the end where it was."""
    gate.limited(told(30))
    for _ in range(29):
        network_time.forward(1)
        assert left(RateGate(open_journal()), network_time) > 0

    network_time.forward(1)

    assert left(RateGate(open_journal()), network_time) == 0


@pytest.mark.parametrize(
    ("boot", "forward_s", "remaining"),
    [("same", 40, 20), ("same", 60, 0), ("other", 40, 20), ("other", 60, 0), ("other", -1e6, 60)],
)
def test_the_end_is_monotonic_within_a_boot_and_wall_after_it(
    boot: str, forward_s: float, remaining: float, journal: Journal, network_time: Time
) -> None:
    """A wall clock that jumps does not matter within a boot; after a reboot it cannot lengthen the ban."""
    now = network_time.wall
    ban = Ban(now + timedelta(seconds=60), network_time.mono + 60, "same", 429, 1, now)
    if boot == "same":
        network_time.wall -= timedelta(days=3)
    network_time.forward(forward_s)
    with journal.change() as change:
        save_ban(change.connection, ban)

    assert left(RateGate(journal, boot=boot), network_time) == remaining
    with journal.read() as connection:
        found = active_ban(connection, wall=network_time.wall, monotonic=network_time.mono, boot=boot)
    assert (found is not None) == (remaining > 0)


def test_a_ban_binds_this_process_even_when_it_cannot_be_written(
    gate: RateGate, journal: Journal, network_time: Time
) -> None:
    """A full disk is no excuse to go on sending."""
    journal.ledger.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        gate.limited(told(30))

    assert left(gate, network_time) == 30


def test_usage_is_recorded_every_few_seconds_only(gate: RateGate, journal: Journal, network_time: Time) -> None:
    """Headers are kept in memory; the ledger learns them now and then, with the limit in force."""
    gate.set_limits(RateLimits(6000, 50, 160000))
    gate.observe(CaseInsensitiveDict({"X-MBX-USED-WEIGHT-1M": "20", "X-MBX-ORDER-COUNT-10S": "2"}))
    gate.record()
    gate.observe(
        CaseInsensitiveDict({"x-mbx-used-weight-1m": "44", "x-mbx-order-count-10s": "3", "x-mbx-order-count-1d": "7"})
    )
    gate.record()
    with journal.read() as connection:
        first = read_usage(connection)
    network_time.forward(5)
    gate.record()
    with journal.read() as connection:
        second = read_usage(connection)

    assert first is not None
    assert (first.used_weight_1m, first.limit_1m, first.order_count_10s, first.order_count_1d) == (20, 6000, 2, None)
    assert (first.order_limit_10s, first.order_limit_1d) == (50, 160000)
    assert second is not None
    assert (second.used_weight_1m, second.order_count_10s, second.order_count_1d) == (44, 3, 7)


def test_usage_that_cannot_be_recorded_is_a_warning(
    gate: RateGate, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """Status figures are not worth a failed call."""
    caplog.set_level(logging.WARNING)
    gate.observe({"X-MBX-USED-WEIGHT-1M": "20"})
    journal.ledger.connection.execute("PRAGMA query_only = ON")

    gate.record()

    assert "could not be recorded" in caplog.text


@given(value=st.text(max_size=12))
def test_no_header_breaks_the_gate(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    """Anything but a number of ours is passed over."""
    gate = _gate_for_headers(tmp_path_factory)

    gate.observe({"X-MBX-USED-WEIGHT-1M": value, "X-MBX-ORDER-COUNT-1D": value})

    assert gate.usage.used_weight_1m is None or 0 <= gate.usage.used_weight_1m < 10**9


_GATES: list[RateGate] = []


def _gate_for_headers(factory: pytest.TempPathFactory) -> RateGate:
    if not _GATES:
        home = factory.mktemp("headers")
        _GATES.append(RateGate(Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", Clock())))
    return _GATES[0]


# -- slowing down ------------------------------------------------------------------------------------------------

LIMIT = 6000


def usage_of(weight: int, *, second: float = 0.0) -> RateUsage:
    return RateUsage(START.replace(second=0) + timedelta(seconds=second), used_weight_1m=weight, limit_1m=LIMIT)


@pytest.mark.parametrize(
    ("weight", "second", "light", "pause"),
    [
        pytest.param(0, 10, False, 0, id="nothing used"),
        pytest.param(4799, 10, False, 0, id="just below 80 %"),
        pytest.param(4800, 10, False, 0, id="80 %: from here on"),
        pytest.param(5100, 10, False, 2.5, id="85 %: half a step"),
        pytest.param(5399, 10, False, 4.99, id="just below 90 %"),
        pytest.param(5399, 58, False, 2.5, id="never longer than the minute"),
        pytest.param(5400, 10, False, 50.5, id="90 %: until the minute is over"),
        pytest.param(9999, 59, False, 1.5, id="beyond the limit"),
        pytest.param(5400, 10, True, 0, id="light at 90 %"),
        pytest.param(5879, 10, True, 0, id="light just below 98 %"),
        pytest.param(5880, 10, True, 50.5, id="light at 98 %"),
    ],
)
def test_reads_wait_before_the_limit(weight: int, second: float, light: bool, pause: float) -> None:  # noqa: FBT001
    """A little from 80 % on, the rest of the exchange's minute from 90 %; light ones nearly never."""
    wall = START.replace(second=0) + timedelta(seconds=second)

    assert pause_s(usage_of(weight), wall, light=light) == pytest.approx(pause, abs=0.01)


def test_a_new_minute_forgets_the_old_ones_weight() -> None:
    """The exchange's windows are fixed; and a clock that was set back tells nothing."""
    full = usage_of(6000, second=59.9)

    assert pause_s(full, START.replace(second=0) + timedelta(seconds=60), light=False) == 0
    assert pause_s(full, START.replace(second=0) - timedelta(seconds=1), light=False) == 0
    assert full.weight_at(START.replace(second=0) + timedelta(seconds=60)) == 0


@pytest.mark.parametrize("usage", [RateUsage(START), RateUsage(START, 5999), RateUsage(START, None, 6000)], ids=repr)
def test_without_numbers_nobody_waits(usage: RateUsage) -> None:
    """What the exchange did not tell holds nothing up."""
    assert pause_s(usage, START, light=False) == 0


@given(weight=st.integers(0, 10**6), second=st.floats(0, 59.999), light=st.booleans())
def test_nobody_waits_longer_than_the_minute(weight: int, second: float, light: bool) -> None:  # noqa: FBT001
    """More used never means a shorter wait, and the wait ends with the exchange's minute (and a half second)."""
    wall = START.replace(second=0) + timedelta(seconds=second)

    pause = pause_s(usage_of(weight), wall, light=light)

    assert 0 <= pause <= 60.5 - second + 0.001
    assert pause <= pause_s(usage_of(weight + 100), wall, light=light)
    assert pause >= pause_s(usage_of(weight), wall, light=True)


def test_the_gate_waits_and_a_new_process_knows_what_the_last_one_knew(
    journal: Journal, open_journal: Callable[[], Journal], network_time: Time
) -> None:
    """A restart within the minute goes on where the last process was; in the next minute nobody waits."""
    gate = RateGate(journal)
    gate.set_limits(RateLimits(LIMIT, 50, None))
    gate.observe({"X-MBX-USED-WEIGHT-1M": "5500"})
    gate.record()
    waited: list[float] = []

    restarted = RateGate(open_journal(), wait=waited.append)

    assert restarted.slow_down(light=True) == 0
    assert restarted.slow_down() == pytest.approx(60.5)
    assert waited == [pytest.approx(60.5)]
    network_time.forward(60)
    assert restarted.slow_down() == 0


def test_a_limit_that_is_near_is_recorded_at_once(gate: RateGate, journal: Journal) -> None:
    """Other processes must not hear of it five seconds later."""
    gate.set_limits(RateLimits(LIMIT, 50, None))
    gate.record()
    gate.observe({"X-MBX-USED-WEIGHT-1M": "5500"})
    gate.record()
    gate.observe({"X-MBX-USED-WEIGHT-1M": "12", "X-MBX-ORDER-COUNT-10S": "50"})
    gate.record()

    with journal.read() as connection:
        usage = read_usage(connection)
    assert usage is not None
    assert usage.orders_wait_until(journal.clock.wall()) is not None


def test_limits_that_are_not_told_stay(gate: RateGate) -> None:
    """An exchangeInfo without limits does not forget them."""
    gate.set_limits(RateLimits(LIMIT, 50, 160000))
    gate.set_limits(RateLimits(None, None, None))

    assert (gate.usage.limit_1m, gate.usage.order_limit_10s, gate.usage.order_limit_1d) == (LIMIT, 50, 160000)

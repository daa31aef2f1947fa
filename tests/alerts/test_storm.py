"""A storm of a thousand real alerts, as it arrives at Telegram: a handful of messages, in which nothing is missing."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from alert_room import queue, rows
from fake_telegram import CHAT, TOKEN, FakeTelegram
from manual_time import ManualTime

from thunes_cli.alerts.outbox import Courier, settle
from thunes_cli.alerts.telegram import Telegram
from thunes_cli.audit.journal import Journal
from thunes_cli.config.secrets import Secret
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.errors import Unavailable
from thunes_cli.ledger.alerts import Severity
from thunes_cli.risk import kill_switch

ALERTS = 1000


def courier_to(telegram: FakeTelegram, journal: Journal) -> Courier:
    """Ours, to that Telegram."""
    return Courier(journal, Telegram(Secret(TOKEN), CHAT, api_url=telegram.url))


@pytest.mark.parametrize("seconds", [0, 30, 600], ids=["at once", "in half a minute", "in ten minutes"])
def test_a_job_that_fails_and_works_a_thousand_times_is_five_messages(
    journal: Journal, time: ManualTime, telegram: FakeTelegram, seconds: int
) -> None:
    """Failures and recoveries as the daemon tells them: each in the ledger, at most five messages in the chat."""
    courier, book = courier_to(telegram, journal), JobBook(journal)
    well = True

    def step() -> None:
        if not well:
            raise Unavailable("no answer")

    for number in range(ALERTS + 1):
        well = number % 2 == 0
        book.run(Job("reconcile", step))
        time.pass_by(timedelta(seconds=seconds / ALERTS))
        if number % 25 == 0:
            courier.deliver()
    for _ in range(30):
        time.pass_by(timedelta(minutes=1))
        courier.deliver()
    settle(journal, [courier.channel])

    assert len(rows(journal, "SELECT 1 FROM alerts")) == ALERTS
    assert rows(journal, "SELECT 1 FROM alerts WHERE state = 'pending'") == []
    assert 1 <= len(telegram.taken) <= 5
    assert "more of job_failed" in telegram.texts[-1]
    assert telegram.texts[-1].endswith("Next: thunes status")


def test_a_switch_that_is_thrown_a_thousand_times_is_five_messages(
    journal: Journal, time: ManualTime, telegram: FakeTelegram
) -> None:
    """Also what is critical: a script gone wild within ten minutes, and the last message tells how it ended."""
    courier = courier_to(telegram, journal)
    for number in range(ALERTS // 2):
        with journal.change(drain=False) as change:
            kill_switch.activate(change, reason=f"test {number}", actor="script")
        with journal.change(drain=False) as change:
            kill_switch.deactivate(change, reason=f"test {number}", actor="script")
        time.pass_by(timedelta(seconds=1.2))
        courier.deliver()
    for _ in range(30):
        time.pass_by(timedelta(minutes=1))
        courier.deliver()

    assert len(rows(journal, "SELECT 1 FROM alerts")) == ALERTS
    assert len(telegram.taken) <= 5
    assert f"deactivated by script: test {ALERTS // 2 - 1}" in telegram.texts[-1]


@pytest.mark.parametrize("minutes", [0, 1, 10])
def test_a_storm_of_many_kinds_is_paced_as_one(
    journal: Journal, time: ManualTime, telegram: FakeTelegram, minutes: int
) -> None:
    """Six kinds at once, good news and bad, again and again for ten minutes: nine messages, not eighteen."""
    courier, dice = courier_to(telegram, journal), Random(minutes)
    kinds = ("breaker", "job_failed", "order_unresolved", "feed", "disk_low", "trail")
    for number in range(ALERTS):
        kind, severity = dice.choice(kinds), dice.choice((Severity.INFO, Severity.WARNING))
        queue(journal, f"number {number}", kind=kind, severity=severity)
        time.pass_by(timedelta(minutes=minutes / ALERTS))
        if number % 10 == 0:
            courier.deliver()
    for _ in range(75):
        time.pass_by(timedelta(minutes=1))
        courier.deliver()
    settle(journal, [courier.channel])

    assert rows(journal, "SELECT 1 FROM alerts WHERE state = 'pending'") == []
    assert len(telegram.taken) <= 9


def test_something_critical_is_heard_in_any_storm(journal: Journal, time: ManualTime, telegram: FakeTelegram) -> None:
    """While everything else is being held back, the kill switch goes out within the second, each time."""
    courier = courier_to(telegram, journal)
    for number in range(200):
        queue(journal, f"number {number}", kind=f"job {number % 7}")
        time.pass_by(timedelta(seconds=1))
        courier.deliver()
    before = len(telegram.taken)

    for number in range(2):
        queue(journal, f"stop {number}", kind="kill_switch", severity=Severity.CRITICAL)
        courier.deliver()
        assert f"stop {number}" in telegram.texts[-1]

    assert len(telegram.taken) == before + 2

"""Emptying the alert outbox."""

from __future__ import annotations

import logging

import pytest

from thunes_cli.alerts.log_notifier import LogNotifier
from thunes_cli.alerts.outbox import deliver_pending
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock, utc_now
from thunes_cli.errors import Unavailable
from thunes_cli.ledger.alerts import Severity, pending_alerts, raise_alert
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.schema import create_ledger


@pytest.fixture
def journal(tmp_path):
    """The journal of a fresh home."""
    create_ledger(tmp_path / "thunes.db", environment="sim", instance="aaaaaa", epoch="bbb", wall=utc_now())
    journal = Journal(Ledger(tmp_path / "thunes.db"), tmp_path / "audit_trail.jsonl", Clock())
    yield journal
    journal.close()


def queue(journal, *texts, severity=Severity.WARNING):
    """Raise alerts."""
    with journal.change() as change:
        for text in texts:
            raise_alert(change.connection, "test", text, severity=severity, at=change.at, at_wall=change.at_wall)


def waiting(journal):
    """Texts not yet delivered."""
    with journal.read() as connection:
        return [alert.text for alert in pending_alerts(connection)]


class Messenger:
    """A channel that is down for chosen texts."""

    name = "messenger"

    def __init__(self, *down_for: str) -> None:
        self.down_for = set(down_for)
        self.sent: list[str] = []

    def send(self, alert):
        """Deliver, or fail as ordered."""
        if alert.text in self.down_for:
            raise Unavailable("the messenger is down")
        self.sent.append(alert.text)


def test_alerts_are_delivered_in_order_and_once(journal):
    """Oldest first; a second round has nothing to do."""
    messenger = Messenger()
    queue(journal, "one", "two", "three")

    assert deliver_pending(journal, [messenger]) == 3
    assert deliver_pending(journal, [messenger]) == 0
    assert messenger.sent == ["one", "two", "three"]


def test_what_cannot_be_delivered_waits_and_keeps_its_place(journal, caplog):
    """A channel that is down holds up what comes later; when it is back everything arrives in order."""
    messenger = Messenger("two")
    queue(journal, "one", "two", "three")

    assert deliver_pending(journal, [messenger]) == 1
    assert waiting(journal) == ["two", "three"]
    assert "alert not delivered" in caplog.text

    messenger.down_for.clear()
    assert deliver_pending(journal, [messenger]) == 2
    assert messenger.sent == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.INFO, logging.INFO), (Severity.WARNING, logging.WARNING), (Severity.CRITICAL, logging.CRITICAL)],
)
def test_the_log_is_as_loud_as_the_alert(journal, caplog, severity, level):
    """Severity becomes the level of the line."""
    queue(journal, "Kill switch activated", severity=severity)

    with caplog.at_level(logging.INFO):
        deliver_pending(journal, [LogNotifier()])

    (record,) = caplog.records
    assert record.levelno == level
    assert "Kill switch activated" in record.getMessage()

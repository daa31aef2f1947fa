"""Emptying the alert outbox: order, failures, restarts, two who send at once."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from alert_room import Messenger, queue, rows
from manual_time import ManualTime

from thunes_cli.alerts.log_notifier import LogNotifier
from thunes_cli.alerts.outbox import Courier, deliver_pending
from thunes_cli.audit.journal import Journal
from thunes_cli.ledger.alerts import Severity

LATER = timedelta(seconds=3)  # what comes together has been gathered by then


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.INFO, logging.INFO), (Severity.WARNING, logging.WARNING), (Severity.CRITICAL, logging.CRITICAL)],
)
def test_the_log_is_as_loud_as_the_alert(
    journal: Journal, caplog: pytest.LogCaptureFixture, severity: Severity, level: int
) -> None:
    """Severity becomes the level of the line."""
    queue(journal, "Kill switch activated", severity=severity)

    with caplog.at_level(logging.INFO):
        deliver_pending(journal, [LogNotifier()])

    (record,) = caplog.records
    assert record.levelno == level
    assert "Kill switch activated" in record.getMessage()

"""Alerts in the log: the channel that is always there."""

from __future__ import annotations

import logging

from thunes_cli.alerts.notifier import Message
from thunes_cli.ledger.alerts import Severity

_log = logging.getLogger(__name__)
_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.CRITICAL: logging.CRITICAL}


class LogNotifier:
    """Writes each alert as one line, as loud as it is severe."""

    name = "log"
    paced = False

    def send(self, message: Message) -> None:
        """Log what it carries."""
        for alert in message.alerts:
            _log.log(_LEVELS[alert.severity], "alert: kind=%s id=%d text=%s", alert.kind, alert.id, alert.text)

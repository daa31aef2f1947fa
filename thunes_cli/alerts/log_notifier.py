"""Alerts in the log: the channel that is always there."""

from __future__ import annotations

import logging

from thunes_cli.ledger.alerts import Alert, Severity

_log = logging.getLogger(__name__)
_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.CRITICAL: logging.CRITICAL}


class LogNotifier:
    """Writes each alert as one line, as loud as it is severe."""

    name = "log"

    def send(self, alert: Alert) -> None:
        """Log it."""
        _log.log(_LEVELS[alert.severity], "alert: kind=%s id=%d text=%s", alert.kind, alert.id, alert.text)

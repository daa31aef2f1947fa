"""What carries an alert to the operator."""

from __future__ import annotations

from typing import Protocol

from thunes_cli.ledger.alerts import Alert


class Notifier(Protocol):
    """One channel: the log, a messenger."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    def send(self, alert: Alert) -> None:
        """Deliver one alert.

        Raises:
            ThunesError, OSError: it was not delivered and should be tried again later.
        """

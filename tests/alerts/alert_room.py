"""What the alerts' tests share: raising, channels that do as they are told, and looking at what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from thunes_cli.alerts.notifier import Message, NotDelivered
from thunes_cli.audit.journal import Journal
from thunes_cli.ledger.alerts import Severity, raise_alert

GATHERED = timedelta(seconds=2)  # what comes together has been gathered by then


def queue(
    journal: Journal, *texts: str, kind: str = "test", severity: Severity = Severity.WARNING, key: str = ""
) -> None:
    """Raise alerts, each in a transaction of its own."""
    for text in texts:
        with journal.change() as change:
            raise_alert(change.connection, kind, text, severity=severity, at=change.at, at_wall=change.at_wall, key=key)


def down(_: Message) -> NotDelivered:
    """Any message fails."""
    return NotDelivered("the messenger is down")


@dataclass
class Messenger:
    """A channel in memory: it takes what it is sent, or fails as ordered."""

    name: str = "messenger"
    longest: int | None = None
    paced: bool = True
    failing: Callable[[Message], BaseException | None] = lambda _: None
    taken: list[Message] = field(default_factory=list)
    tried: int = 0

    def send(self, message: Message) -> None:
        """Take one piece."""
        self.tried += 1
        failure = self.failing(message)
        if failure is not None:
            raise failure
        self.taken.append(message)

    @property
    def texts(self) -> list[str]:
        """The alerts taken, in order."""
        return [alert.text for message in self.taken if message.part == message.parts for alert in message.alerts]


def rows(journal: Journal, query: str, *values: Any) -> list[dict[str, Any]]:
    """Rows of the ledger."""
    with journal.read() as connection:
        return [dict(row) for row in connection.execute(query, values)]

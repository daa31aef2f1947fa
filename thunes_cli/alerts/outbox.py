"""Emptying the alert outbox: oldest first, each marked as sent only when it was delivered."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from thunes_cli.alerts.notifier import Notifier
from thunes_cli.audit.journal import Journal
from thunes_cli.errors import ThunesError
from thunes_cli.ledger.alerts import Alert, mark_sent, pending_alerts

_log = logging.getLogger(__name__)


def deliver_pending(journal: Journal, notifiers: Sequence[Notifier]) -> int:
    """Deliver what waits to every notifier; returns how many alerts were delivered.

    An alert that one of them could not deliver stays, and those after it keep their order behind it. A crash between
    delivery and mark delivers it again: better twice than never.
    """
    with journal.read() as connection:
        waiting = pending_alerts(connection)
    for count, alert in enumerate(waiting):
        if not _delivered(alert, notifiers):
            return count
        with journal.ledger.write() as connection:
            mark_sent(connection, alert.id, wall=journal.clock.wall())
    return len(waiting)


def _delivered(alert: Alert, notifiers: Sequence[Notifier]) -> bool:
    for notifier in notifiers:
        try:
            notifier.send(alert)
        except (ThunesError, OSError) as error:
            _log.warning(
                "alert not delivered: kind=%s id=%d by=%s error=%s", alert.kind, alert.id, notifier.name, error
            )
            return False
    return True

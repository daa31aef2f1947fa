"""A rejected API key: said once, asked again once a minute, and known to whoever decides about entries.

The exchange bans who goes on sending a key it has refused. Nothing here keeps what needs no key from being asked.
"""

from __future__ import annotations

import math

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.failures import AuthFailed
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity

RETRY_S = 60.0


class KeyGuard:
    """What one process knows of its key; the condition in the ledger is for all of them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._clock = journal.clock
        self._failure: AuthFailed | None = None
        self._asked_mono = -math.inf
        self._ordering = False  # whether it was an order that was refused: then the key may well be good for reads
        self._settled = False  # whether the ledger is known to say that the key works

    def check(self) -> None:
        """Leave to send something signed.

        Raises:
            AuthFailed: the key was rejected less than a minute ago; nothing was sent.
        """
        if self._failure is not None and self._clock.monotonic() - self._asked_mono < RETRY_S:
            raise AuthFailed(self._failure.args[0])

    @property
    def is_rejected(self) -> bool:
        """Whether the key was refused when it was used last."""
        return self._failure is not None

    def retry_due(self) -> bool:
        """Whether a key that was rejected for reads should be tried again now."""
        return (
            self._failure is not None and not self._ordering and self._clock.monotonic() - self._asked_mono >= RETRY_S
        )

    def rejected(self, failure: AuthFailed, *, ordering: bool) -> None:
        """The exchange refused the key, for an order or a read: the operator hears of it once, entries stop."""
        self._failure, self._ordering, self._settled = failure, ordering, False
        self._asked_mono = self._clock.monotonic()
        said = f"{failure.message[:1].upper()}{failure.message[1:]}"
        text = f"{said}. Entries stop, and nothing can be sold. Next: thunes config check --online"
        with self._journal.change() as change:
            change.alert(Kind.KEY_REJECTED, text, Severity.CRITICAL, lasting=True)

    def accepted(self, *, ordering: bool) -> None:
        """The exchange took the key: if it was rejected before, by whichever process, that is over.

        A read that succeeds says nothing about orders: a key may be good for reading alone.
        """
        if self._settled or (self._failure is not None and self._ordering and not ordering):
            return
        with self._journal.change() as change:
            text = "The exchange accepts the API key again. Next: thunes status"
            change.alert_over(Kind.KEY_REJECTED, text)
        self._failure, self._ordering, self._settled = None, False, True

"""A daemon whose ledger was taken away: of what is written down without its file nothing stays."""

from __future__ import annotations

import logging

from thunes_cli.audit.journal import Journal
from thunes_cli.daemon.telling import tell_ledger_gone
from thunes_cli.errors import LedgerGone
from thunes_cli.ledger import orders, positions

_log = logging.getLogger(__name__)

_REPEAT_LOG_S = 60.0


class LedgerWatch:
    """Looks whether the file is in its place, at every beat."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._told_mono: float | None = None

    def require(self) -> None:
        """Without it the daemon goes on as long as something is held, to sell it; it buys nothing.

        Raises:
            LedgerGone: there is nothing left to sell (10).
        """
        ledger = self._journal.ledger
        if ledger.is_in_place():
            self._told_mono = None
            return
        with self._journal.read() as connection:
            holds = len(positions.open_positions(connection)) + len(orders.unfinished(connection))
        if not holds:
            raise LedgerGone(ledger.path)
        now = self._journal.clock.monotonic()
        if self._told_mono is None:
            with self._journal.change() as change:
                tell_ledger_gone(change, ledger.path, holds=holds)
        if self._told_mono is None or now - self._told_mono >= _REPEAT_LOG_S:
            self._told_mono = now
            _log.critical("the ledger's file is gone, nothing is bought: path=%s holds=%d", ledger.path, holds)

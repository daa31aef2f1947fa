"""Orders of the account that are not ours, told of as soon as the account's stream shows them.

Nothing is concluded here about what they changed: a comparison follows and writes that down. It knows the finding by
the same key, so that nobody is told twice.
"""

from __future__ import annotations

import logging

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger.external import ExternalOrder, Stranger
from thunes_cli.ledger.identity import read_identity
from thunes_cli.model import Order, OrderReport
from thunes_cli.trading.reconcile_books import read_books_about
from thunes_cli.trading.reconcile_compare import findings_of_strangers
from thunes_cli.trading.reconcile_orders import Whose, owner_of
from thunes_cli.trading.reconcile_record import note_finding, tell_findings
from thunes_cli.trading.time_fit import answer_slack

_log = logging.getLogger(__name__)

_MOST_REMEMBERED = 10_000


class Strangers:
    """Tells of each foreign order once."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._told: set[tuple[str, int]] = set()

    def note(self, report: OrderReport) -> bool:
        """Take note of an order that none of ours fits; whether ledger and exchange should be compared."""
        clock = self._journal.clock
        with self._journal.read() as connection:
            books = read_books_about(connection, clock, report.client_order_id)
        known: dict[str, Order] = {order.client_order_id: order for order in books.orders}
        owner = owner_of(report, books, known, slack=answer_slack(clock))
        if owner in {Whose.OURS, Whose.BEFORE_US}:
            return owner is Whose.OURS
        if not isinstance(owner.value, Stranger):
            _log.warning("an order of ours that the ledger lacks: client_order_id=%s", report.client_order_id)
            return True
        accepted = {(each.symbol, each.order_id) for each in books.external if each.accepted_at is not None}
        if (report.symbol, report.order_id) not in accepted:
            self._tell(report, owner.value)
        return True

    def _tell(self, report: OrderReport, kind: Stranger) -> None:
        number = (report.symbol, report.order_id)
        aloud = number not in self._told
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told.add(number)
        order = ExternalOrder(
            symbol=report.symbol,
            order_id=report.order_id,
            client_order_id=report.client_order_id,
            kind=kind,
            side=report.side,
            status=report.status,
            requested=report.requested,
            executed_qty=report.executed_qty,
            executed_quote=report.executed_quote,
            trades=(),
            effects={},
            placed_at=report.time,
        )
        finding = next(findings_of_strangers([order]))
        with self._journal.change() as change:
            epoch = read_identity(change.connection).exchange_epoch
            if note_finding(change, finding, epoch) and aloud:
                tell_findings(change, [finding])
        if aloud:
            _log.warning("account event: %s: %s", finding.kind, finding.message)

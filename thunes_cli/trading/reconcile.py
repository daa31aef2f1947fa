"""Comparing ledger and exchange as the gate and the hourly job do it: look, book what is proven, write down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from thunes_cli.audit.journal import Journal
from thunes_cli.counts import count
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger.cursors import read_cursors
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.order_numbers import last_exchange_ids
from thunes_cli.ledger.positions import open_positions
from thunes_cli.ledger.reconcile import last_run
from thunes_cli.trading.expected import differences
from thunes_cli.trading.fee_values import correct_fee_values
from thunes_cli.trading.findings import Kind
from thunes_cli.trading.operator_word import Judgement
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.reconcile_accept import accept_everything
from thunes_cli.trading.reconcile_apply import Applied, Settling
from thunes_cli.trading.reconcile_choice import ALL_AT_ONCE
from thunes_cli.trading.reconcile_look import Look, Looker, Scope
from thunes_cli.trading.reconcile_reading import Progress, silently
from thunes_cli.trading.reconcile_record import write_down
from thunes_cli.trading.reconcile_reset import accept_reset
from thunes_cli.trading.symbols import SymbolBook

_log = logging.getLogger(__name__)

USUAL_REACH = timedelta(hours=24)  # of the gate and the job; what is new is looked at however old it is


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A comparison as it was written down, and what was settled before."""

    look: Look
    applied: tuple[Applied, ...]

    @property
    def summary(self) -> str:
        """A line for the record of the job."""
        comparison = self.look.comparison
        counted = [finding for finding in comparison.findings if finding.counts]
        found = "clean" if comparison.clean else ", ".join(sorted({str(finding.kind) for finding in counted}))
        checked = ", ".join(count(number, name.removesuffix("s")) for name, number in comparison.checked.items())
        settled = f"; settled {len(self.applied)}" if self.applied else ""
        return f"{found}{settled}; {checked}"


class Reconciler:
    """Compares one home with its exchange. ``wait`` waits so many seconds of network time."""

    def __init__(
        self,
        journal: Journal,
        exchange: Exchange,
        symbols: SymbolBook,
        *,
        plan: TradingPlan,
        max_daily_loss: Decimal,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._plan = plan
        self._max_daily_loss = max_daily_loss
        self._looker = Looker(journal, exchange, symbols, traded=plan.symbols, wait=wait)
        self._settling = Settling(journal, exchange, symbols, plan=plan, max_daily_loss=max_daily_loss)

    def look(self, scope: Scope, *, progress: Progress = silently) -> Look:
        """Compare, and change nothing; see :class:`~thunes_cli.trading.reconcile_look.Looker`."""
        return self._looker.look(scope, progress=progress)

    def settle(self, look: Look) -> list[Applied]:
        """Book what our own orders prove."""
        return self._settling.settle(look)

    def keep(self, look: Look, *, by: str) -> None:
        """Write down a comparison that a person asked for. Entries stop when it found a second copy, or a wipe."""
        write_down(self._journal, look, by=by, traded=self._traded(), asked=True)

    def _traded(self) -> list[str]:
        with self._journal.read() as connection:
            held = {position.symbol for position in open_positions(connection)}
        return sorted({*self._plan.symbols, *held})

    def accept(self, look: Look, who: Judgement, *, price: Decimal | None = None) -> list[Applied]:
        """Settle the rest by the operator's word: what differs is as it is, who else traded is known.

        ``price``: of coins that a position lost, where no order tells it; without one such a position stays as it is.

        Raises:
            MismatchError, LedgerMoved: see :mod:`thunes_cli.trading.adopting`. ExchangeFailure: on a wiped exchange.
        """
        if look.comparison.wiped:
            market = self._looker.read_anew(look)
            with self._journal.change() as change:
                epoch = accept_reset(change, look, market, who)
            return [Applied(Kind.EXCHANGE_RESET, f"the exchange's life number {epoch} has begun, with a new baseline")]
        with self._journal.change() as change:
            return accept_everything(change, look, who, price=price, max_daily_loss=self._max_daily_loss)

    def is_due(self, interval: timedelta) -> bool:
        """Whether so much market time has passed since the last comparison."""
        with self._journal.read() as connection:
            last = last_run(connection)
        return last is None or self._journal.clock.now() - last.at >= interval

    def is_behind(self) -> bool:
        """Whether the exchange lists orders younger than any that was written down; one request a symbol.

        Then an old copy of this home was put back, a second one is alive, or somebody else trades. Of many symbols the
        balances are asked for instead: whether they are what the ledger says.

        Raises:
            ExchangeFailure: it could not be found out.
        """
        with self._journal.read() as connection:
            epoch = read_identity(connection).exchange_epoch
            held = {position.symbol for position in open_positions(connection)}
            cursors = read_cursors(connection, exchange_epoch=epoch)
            known = last_exchange_ids(connection, exchange_epoch=epoch)
        symbols = sorted({*self._plan.symbols, *held})
        if len(symbols) > ALL_AT_ONCE:
            return self._balances_differ()
        for symbol in symbols:
            listed = cursors[symbol].order_id if symbol in cursors else -1
            if self._exchange.orders(symbol, from_order_id=max(listed, known.get(symbol, -1)) + 1):
                return True
        return False

    def _balances_differ(self) -> bool:
        account = self._exchange.account()
        with self._journal.read() as connection:
            return bool(differences(connection, account))

    def routine(self, *, by: str, progress: Progress = silently) -> Reconciled:
        """Look, settle what is proven, look again if that changed anything, write down, freeze what stays open.

        ``progress`` is called between two questions: a comparison may take minutes, and stops must not wait for it.

        Raises:
            ExchangeFailure: something could not be found out; nothing is concluded from that.
        """
        correct_fee_values(self._exchange, self._journal, max_daily_loss=self._max_daily_loss)
        scope = Scope(since=self._journal.clock.now() - USUAL_REACH, sparing=True)
        look = self._looker.look(scope, progress=progress)
        applied = self._settling.settle(look)
        if applied:
            look = self._looker.look(scope, progress=progress)
        write_down(self._journal, look, by=by, traded=self._traded())
        done = Reconciled(look, tuple(applied))
        for item in applied:
            _log.warning("reconcile settled: %s: %s", item.kind, item.what)
        level = logging.INFO if look.comparison.clean else logging.WARNING
        _log.log(level, "reconcile: by=%s %s", by, done.summary)
        return done

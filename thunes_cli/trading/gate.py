"""What must be true before a daemon trades. With something to sell it never refuses to start, it only stops buying."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.errors import (
    AuthError,
    ConfigError,
    KeyMayWithdraw,
    LedgerCorrupt,
    OtherAccount,
    ThunesError,
    Unavailable,
)
from thunes_cli.exchange.classify import WRONG_SIGNATURE
from thunes_cli.exchange.failures import AuthFailed, ExchangeFailure, Rejected
from thunes_cli.exchange.filters import SymbolRules, smallest_sellable_amount
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import orders, positions
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity
from thunes_cli.ledger.baseline import baseline_taken, save_baseline
from thunes_cli.ledger.identity import read_identity, save_entries_from, save_uid
from thunes_cli.model import Account, Mode, plain
from thunes_cli.trading.assurance import differing_positions
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.resolution import Resolver
from thunes_cli.trading.symbols import SymbolBook

T = TypeVar("T")

_log = logging.getLogger(__name__)

RETRY = timedelta(seconds=2)
AUTH_RETRY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason not to enter anything; ``error`` is raised instead when nothing is held."""

    message: str
    error: ThunesError


@dataclass(frozen=True, slots=True)
class GateReport:
    """How the daemon may start."""

    mode: Mode
    reasons: tuple[str, ...] = ()
    rules: dict[str, SymbolRules] = field(default_factory=dict)
    unresolved: int = 0


class Stopped(Exception):
    """The operator asked to stop while the gate was waiting."""


def _compare(reconcile: Callable[[], object]) -> None:
    """What the exchange will not answer, or an account that is never still, does not keep the stops from working."""
    try:
        reconcile()
    except Rejected as error:
        if error.business_code == WRONG_SIGNATURE:
            raise
        _log.error("ledger and exchange not compared: why=%s", error)
    except ExchangeFailure:
        raise
    except Unavailable as error:
        _log.error("ledger and exchange not compared: why=%s", error)


class Gate:
    """Ledger, trail, account, symbols, unfinished orders, ledger against exchange: in that order."""

    def __init__(
        self,
        journal: Journal,
        exchange: Exchange,
        symbols: SymbolBook,
        resolver: Resolver,
        *,
        plan: TradingPlan,
        wait: Callable[[float], bool],
        key_permissions: Callable[[], Mapping[str, bool] | None] = lambda: None,
        accept_withdrawals: bool = False,
        key_renewed: Callable[[], bool] = lambda: False,
    ) -> None:
        """``key_renewed``: looks for another key than the one that is refused; True when it is in use now."""
        self._journal = journal
        self._exchange = exchange
        self._symbols = symbols
        self._resolver = resolver
        self._plan = plan
        self._wait = wait
        self._key_permissions = key_permissions
        self._accept_withdrawals = accept_withdrawals
        self._key_renewed = key_renewed

    def open(
        self,
        *,
        problems: Sequence[ConfigError] = (),
        patient: bool = True,
        reconcile: Callable[[], object] = lambda: None,
    ) -> GateReport:
        """Pass the gate, waiting as long as the exchange cannot be reached.

        Args:
            problems: what is wrong with the settings (safe values stand in for them).
            patient: False raises at the first failure of the exchange (``run --once``).
            reconcile: compares ledger and exchange, freezes what cannot be settled.

        Raises:
            LedgerCorrupt: the ledger is damaged, or positions are not what their fills say.
            ConfigError, AuthError: something must be put right first, and nothing is held.
            Stopped: ``wait`` said so.
        """
        self._check_ledger()
        found = [Problem(error.message, error) for error in problems]
        self._bring_trail_up_to_date()
        self._resolver.adopt()
        account = self._ask(self._exchange.account, patient=patient)
        found += self._bind(account)
        found += self._check_key()
        rules = self._ask(self._refresh_symbols, patient=patient)
        found += self._check_symbols(rules, patient=patient)
        self._resolver.resolve_due()
        self._ask(lambda: _compare(reconcile), patient=patient)
        return self._decide(found, rules)

    def _check_ledger(self) -> None:
        with self._journal.read() as connection:
            path = self._journal.ledger.path
            try:
                answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            except sqlite3.DatabaseError as error:
                raise LedgerCorrupt(path, error) from error
            if answer != "ok":
                raise LedgerCorrupt(path, answer)
            differing = differing_positions(connection)
        if differing:
            stored, folded = differing[0]
            detail = f"position {stored.id} says {plain(stored.quantity)}, its fills say {plain(folded.quantity)}"
            raise LedgerCorrupt(path, detail)

    def _bring_trail_up_to_date(self) -> None:
        outcome = self._journal.drain()
        if outcome is not DrainOutcome.CLEAN:
            # No reason to stay down: the rules refuse entries by themselves, and exits must be possible.
            _log.warning("the trail is not up to date: outcome=%s", outcome)

    def _ask(self, question: Callable[[], T], *, patient: bool) -> T:
        while True:
            try:
                return question()
            except Rejected as error:
                if error.business_code == WRONG_SIGNATURE:
                    raise AuthError(f"{error.message}: the secret does not belong to the key") from error
                raise
            except AuthFailed as error:
                if not patient or not self._holds_something():
                    raise AuthError(error.args[0]) from error
                _log.error("waiting for a key that works: %s", error)
                self._wait_for_key()
                continue
            except ExchangeFailure as error:
                if not patient:
                    raise
                _log.warning("waiting for the exchange: %s", error)
            if self._wait(RETRY.total_seconds()):
                raise Stopped

    def _wait_for_key(self) -> None:
        """Until the same key may be tried again, or another one was rotated into its place."""
        for _ in range(AUTH_RETRY // RETRY):
            if self._key_renewed():
                return
            if self._wait(RETRY.total_seconds()):
                raise Stopped

    def _bind(self, account: Account) -> list[Problem]:
        """Tie the home to its account at first contact, with what the account holds then; later only compare."""
        with self._journal.change() as change:
            identity = read_identity(change.connection)
            if identity.uid not in {None, account.uid}:
                # Never exits-only: the coins of this ledger are not in that account. Nothing of it is written down.
                raise OtherAccount(identity.uid, account.uid)
            if identity.uid is None:
                save_uid(change.connection, account.uid)
                change.record(Event.ACCOUNT_BOUND, uid=account.uid, environment=identity.environment)
            if baseline_taken(change.connection, exchange_epoch=identity.exchange_epoch) is None:
                self._record_baseline(change, account, exchange_epoch=identity.exchange_epoch)
        if not account.can_trade:
            message = "the account may not trade"
            return [Problem(message, ConfigError(message, hint="look at the account on the exchange's own pages"))]
        return []

    def _check_key(self) -> list[Problem]:
        """A key that may withdraw is more than a bot needs, and what a thief wants."""
        if self._accept_withdrawals:
            return []
        try:
            permissions = self._key_permissions()
        except ExchangeFailure as error:
            _log.warning("the key's permissions could not be asked for: why=%s", error)
            return []
        if not (permissions or {}).get("enableWithdrawals", False):
            return []
        refusal = KeyMayWithdraw()
        return [Problem(refusal.message, refusal)]

    def _record_baseline(self, change: Change, account: Account, *, exchange_epoch: int) -> None:
        save_baseline(change.connection, account.balances, exchange_epoch=exchange_epoch, at=change.at)
        change.record(Event.BASELINE_RECORDED, assets=len(account.balances), exchange_epoch=exchange_epoch)

    def _refresh_symbols(self) -> dict[str, SymbolRules]:
        with self._journal.read() as connection:
            held = {position.symbol for position in positions.open_positions(connection)}
            live = {sending.order.symbol for sending in orders.unfinished(connection)}
        return self._symbols.refresh({*self._plan.symbols, *held, *live})

    def _check_symbols(self, rules: dict[str, SymbolRules], *, patient: bool) -> list[Problem]:
        found = []
        for symbol in self._plan.symbols:
            entry = rules.get(symbol)
            if entry is None:
                error = ConfigError(f"SYMBOLS: the exchange has no symbol {symbol}", hint="correct SYMBOLS in .env")
                found.append(Problem(error.message, error))
            elif (too_small := self._check_amount(entry, patient=patient)) is not None:
                found.append(Problem(too_small.message, too_small))
        return found

    def _check_amount(self, rules: SymbolRules, *, patient: bool) -> ConfigError | None:
        """What is bought must still be sellable after a stop."""
        price = self._ask(lambda: self._exchange.average_price(rules.symbol), patient=patient)
        smallest = smallest_sellable_amount(rules, stop_loss_pct=self._plan.stop_loss_pct, price=price)
        if self._plan.quote_amount >= smallest:
            return None
        return ConfigError(
            f"DEFAULT_QUOTE_AMOUNT {plain(self._plan.quote_amount)}: what it buys of {rules.symbol} could not be sold"
            f" after a stop of {plain(self._plan.stop_loss_pct)} %; the smallest good amount is {plain(smallest)}",
            hint=f"set DEFAULT_QUOTE_AMOUNT={plain(smallest)} or more (and MAX_LOSS_PER_TRADE at least as high)",
        )

    def _decide(self, found: Sequence[Problem], rules: dict[str, SymbolRules]) -> GateReport:
        if found and not self._holds_something():
            raise found[0].error
        reasons = tuple(problem.message for problem in found)
        with self._journal.change() as change:
            connection = change.connection
            if reasons:
                self._tell_exits_only(change, reasons)
            else:
                text = "Entries are made again. Next: thunes status"
                change.alert_over(Kind.EXITS_ONLY, text)
                if read_identity(connection).entries_from is None:
                    save_entries_from(connection, change.at)
            unresolved = orders.count_unresolved(connection)
        mode = Mode.EXITS_ONLY if reasons else Mode.TRADING
        return GateReport(mode=mode, reasons=reasons, rules=rules, unresolved=unresolved)

    def _tell_exits_only(self, change: Change, reasons: Sequence[str]) -> None:
        change.record(Event.EXITS_ONLY, reasons="; ".join(reasons))
        text = f"Exits only, no entries: {'; '.join(reasons)}. Next: thunes config check --online"
        change.alert(Kind.EXITS_ONLY, text, Severity.CRITICAL, lasting=True)

    def _holds_something(self) -> bool:
        with self._journal.read() as connection:
            return bool(positions.open_positions(connection) or orders.unfinished(connection))

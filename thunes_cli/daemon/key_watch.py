"""Looking after the key: how old it is, and what it may do by now. Alerts say so before it matters."""

from __future__ import annotations

import logging
from collections.abc import Callable

from thunes_cli.alerts.telling import tell_key_due, tell_key_rotated, tell_key_trouble, tell_key_well
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.config.credentials import Credentials
from thunes_cli.exchange.guarded_binance import GuardedBinance
from thunes_cli.exchange.key_book import key_facts
from thunes_cli.exchange.key_rules import Finding, Weight, due, findings
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import read_conditions
from thunes_cli.ledger.identity import read_identity

_log = logging.getLogger(__name__)

COMPROMISED = "compromised"


class KeyWatch:
    """Of one daemon; ``key`` tells what is signed with now."""

    def __init__(
        self,
        journal: Journal,
        exchange: GuardedBinance,
        key: Callable[[], Credentials],
        *,
        withdrawals_accepted: bool,
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._key = key
        self._withdrawals_accepted = withdrawals_accepted

    def look(self) -> None:
        """Ask what the key may do, reckon how old it is, tell what changed.

        Raises:
            ExchangeFailure: it cannot be asked now.
        """
        restrictions = self._exchange.key_restrictions()
        key = self._key()
        created = restrictions.created_at if restrictions is not None else None
        with self._journal.change() as change:
            api_keys.note_facts(change.connection, key_facts(key, created_at=created))
            found = findings(
                restrictions, kind=key.kind, now=change.at, withdrawals_accepted=self._withdrawals_accepted
            )
            _tell_rules(change, [each for each in found if each.weight is Weight.VIOLATION or each.rule != "hmac"])
            _tell_due(change)


def _tell_rules(change: Change, found: list[Finding]) -> None:
    """An HMAC key is nobody's emergency: ``keys check`` says it."""
    for each in found:
        tell_key_trouble(change, each.rule, what=each.what, critical=each.weight is Weight.VIOLATION)
    broken = {each.rule for each in found} | {COMPROMISED}
    for condition in read_conditions(change.connection):
        if condition.kind == Kind.KEY_TROUBLE and condition.key not in broken:
            tell_key_well(change, condition.key)


def _tell_due(change: Change) -> None:
    key = api_keys.current_key(change.connection)
    if key is None:
        return
    when = due(key, read_identity(change.connection).environment, now=change.at)
    if key.compromised_at is None:
        tell_key_well(change, COMPROMISED)
    if when.near:
        tell_key_due(change, created_at=key.created_at, due_at=when.at)
    else:
        tell_key_rotated(change, due_at=when.at)

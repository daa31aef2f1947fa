"""Taking another API key while trading: a new client takes the old one's place between two steps.

It runs on the one thread that trades, so no order is on its way meanwhile; an order in doubt is asked for by its id,
with whichever key. The ledger's newest rotation says that there is something to do, the place where the key lives says
what: nothing is taken that does not work there, on this account.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.config.credentials import credentials
from thunes_cli.errors import ConfigError, KeyMayWithdraw, OtherAccount, ThunesError
from thunes_cli.exchange.failures import AuthFailed, ExchangeFailure
from thunes_cli.exchange.guarded_binance import GuardedBinance
from thunes_cli.exchange.key_answers import account_of
from thunes_cli.exchange.key_book import key_facts, settle
from thunes_cli.exchange.key_guard import RETRY_S
from thunes_cli.exchange.key_rules import MAY_WITHDRAW, findings
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import RotationRow
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.known import KEY, save_known
from thunes_cli.process import is_alive

if TYPE_CHECKING:
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.settings import Settings

_log = logging.getLogger(__name__)

_AGAIN_S = 10.0


class KeyNotTaken(ThunesError):
    """the new API key is not used yet: {0}"""

    code = "key_not_taken"
    hint = "thunes keys check"


class OldKeyFound(ConfigError):
    """it still finds the one before it, from {0}"""

    code = "old_key_found"
    hint = "restart the daemon: what it was started with is not to be changed from outside"


def record_key(change: Change, key: Credentials, *, by: str) -> None:
    """Write down, for status commands, what is signed with; the ledger agrees with it afterwards."""
    facts = key_facts(key)
    settle(change, facts, by=by)
    shown = {"fingerprint": facts.fingerprint, "kind": facts.kind, "source": facts.source}
    save_known(change.connection, KEY, shown, at=change.at)


class KeyChange:
    """The key of one daemon. ``on_change`` is called with each new key, after REST requests are signed with it."""

    def __init__(
        self,
        journal: Journal,
        exchange: GuardedBinance,
        key: Credentials,
        *,
        reload: Callable[[], Settings] | None,
        on_change: Callable[[Credentials], None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._clock = journal.clock
        self._exchange = exchange
        self._key = key
        self._reload = reload
        self._on_change = on_change
        self._next_try_mono = -math.inf
        self._tried: tuple[int, str] | None = None  # the rotation that the next try waits for, and its state

    @property
    def key(self) -> Credentials:
        """What is signed with now."""
        return self._key

    def look(self) -> str | None:
        """Take a key that was rotated, if there is one; a line for the record when it was.

        Raises:
            KeyNotTaken: it cannot be used; the one before stays in use, and it is tried again.
        """
        if self._reload is None:
            return None
        with self._journal.read() as connection:
            rotation = api_keys.last_rotation(connection)
        asked = rotation is not None and self._concerns(rotation)
        if not asked and not self._exchange.key_is_rejected:
            return None
        news = (rotation.id, rotation.state) if rotation is not None and asked else None
        if news == self._tried and self._clock.monotonic() < self._next_try_mono:
            return None
        self._tried = news
        try:
            return self._take(rotation if asked else None)
        except ThunesError as error:
            self._next_try_mono = self._clock.monotonic() + (RETRY_S if isinstance(error, AuthFailed) else _AGAIN_S)
            if rotation is None or not asked:
                return None
            with self._journal.ledger.write() as connection:
                api_keys.note_daemon_problem(connection, rotation.id, error.message, code=error.exit_code)
            raise KeyNotTaken(error.message) from error

    def renewed(self) -> bool:
        """Whether another key is in use now; for a start that waits for a key that works."""
        before = self._key
        with suppress(KeyNotTaken):
            self.look()
        return self._key is not before

    def _concerns(self, rotation: RotationRow) -> bool:
        """Whether the newest rotation says that another key than ours is in force, or was left open by a crash."""
        ours = self._key.api_key.fingerprint()
        if rotation.state == api_keys.STARTED:
            return not is_alive(rotation.owner)
        stays = rotation.old_fingerprint if rotation.state == api_keys.ROLLED_BACK else rotation.new_fingerprint
        return stays not in {None, ours}

    def _take(self, rotation: RotationRow | None) -> str | None:
        assert self._reload is not None
        settings = self._reload()
        found = credentials(settings)
        if found.api_key == self._key.api_key:
            self._keep(found, rotation)
            return None
        other = self._exchange.with_key(found)
        self._prove(other, found, settings)
        self._exchange.take_key_of(other)
        before, self._key = self._key, found
        self._next_try_mono = -math.inf
        self._on_change(found)
        old, new = before.api_key.fingerprint(), found.api_key.fingerprint()
        with self._journal.change() as change:
            record_key(change, found, by="daemon")
            if rotation is not None:
                api_keys.note_daemon_problem(change.connection, rotation.id, None)
            change.record(Event.KEY_IN_USE, fingerprint=new, before=old, kind=found.kind, source=found.source)
        _log.info("key taken: fingerprint=%s before=%s source=%s", new, old, found.source)
        return f"key {new} in place of {old}"

    def _keep(self, found: Credentials, rotation: RotationRow | None) -> None:
        """What is found is what we have: an interrupted rotation ends here; a finished one cannot be seen from here."""
        if rotation is None:
            self._next_try_mono = self._clock.monotonic() + RETRY_S
            return
        if rotation.state != api_keys.STARTED:
            raise OldKeyFound(found.source)
        with self._journal.change() as change:
            record_key(change, found, by="daemon")

    def _prove(self, other: GuardedBinance, found: Credentials, settings: Settings) -> None:
        """One signed call, the same account, and no right to withdraw."""
        uid = account_of(other).uid
        with self._journal.read() as connection:
            ours = read_identity(connection).uid
        if ours not in {None, uid}:
            raise OtherAccount(ours, uid)
        if settings.accept_key_that_may_withdraw:
            return
        try:
            restrictions = other.key_restrictions()
        except ExchangeFailure as error:
            _log.warning("the key's permissions could not be asked for: why=%s", error)
            return
        broken = findings(restrictions, kind=found.kind, now=self._clock.now())
        if any(each.rule == MAY_WITHDRAW for each in broken):
            raise KeyMayWithdraw

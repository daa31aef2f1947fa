"""Putting another API key in the old one's place: proven first, written where the old one lives, proven again.

The ledger says that a rotation goes on before anything is written, and that it is done after everything is. A crash in
between leaves either the old key in its place or the new one; whoever starts next compares and says which
(:mod:`thunes_cli.exchange.key_book`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.config.credentials import EMBEDDED, Credentials, credentials
from thunes_cli.config.secrets import Secret
from thunes_cli.config.settings import Settings
from thunes_cli.config.source import Changes, Source, SourceFixed, Undo
from thunes_cli.errors import AuthError, KeyMayWithdraw, Locked, OtherAccount, ThunesError, Unavailable
from thunes_cli.exchange.failures import AuthFailed, Rejected
from thunes_cli.exchange.guarded_binance import GuardedBinance
from thunes_cli.exchange.key_book import complete, key_facts, roll_back, settle
from thunes_cli.exchange.key_rules import MAY_WITHDRAW, Weight, findings
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import NewKey
from thunes_cli.ledger.identity import read_identity
from thunes_cli.process import is_alive, this_process

_WRONG_SIGNATURE = -1022
_KEY, _OLD = "API_KEY", "OLD_API_KEY"
PREFIXES = ("BINANCE_TESTNET_", "BINANCE_")


class KeyUnfit(AuthError):
    """the new API key cannot be used: {0}; nothing was changed"""

    code = "key_unfit"
    hint = "correct it at the exchange, or make another one"


class RotationGoesOn(Locked):
    """another process ({0}) is rotating the API key"""

    code = "rotation_goes_on"
    hint = "wait for it, then: thunes keys history"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the key in use lives: the source, and what its settings' names begin with."""

    source: Source
    prefix: str

    def changes(self, new: Credentials, old: Credentials) -> Changes:
        """What is to be written there, all at once. The old key stays known until it is proven dead."""
        values: Mapping[str, str | None] = {
            _KEY: new.api_key.reveal(),
            "API_SECRET": None if new.api_secret is None else new.api_secret.reveal(),
            "PRIVATE_KEY_FILE": None if new.private_key_file is None else str(new.private_key_file),
            "PRIVATE_KEY": None if new.private_key is None else new.private_key.reveal(),
            _OLD: old.api_key.reveal(),
        }
        return {f"{self.prefix}{name}": value for name, value in values.items()}


def place_of(settings: Settings, old: Credentials, sources: Sequence[Source]) -> Place:
    """Where a rotation writes.

    Raises:
        SourceFixed: the embedded exchange made the key, or nothing here can change where it comes from (78).
    """
    if old.source == EMBEDDED:
        raise SourceFixed(
            "the embedded exchange makes its own key anew by itself",
            hint="to try a rotation: thunes sim serve, and its key in the home's .env",
        )
    for prefix in PREFIXES:
        key: Secret | None = settings.value(f"{prefix}{_KEY}")
        if key != old.api_key:
            continue
        origin = settings.origin(f"{prefix}{_KEY}")
        for source in sources:
            if origin == source.name or origin.startswith(f"{source.name}:"):
                return Place(source, prefix)
    raise SourceFixed(f"the API key comes from {old.source}")


def prove(exchange: GuardedBinance, new: Credentials, *, journal: Journal, withdrawals_accepted: bool) -> None:
    """Whether a key works, on this home's account, and may do neither too little nor too much.

    Raises:
        AuthFailed, KeyUnfit, KeyMayWithdraw: it does not (12). OtherAccount: it is another account's (78).
        ExchangeFailure: the exchange cannot be asked (13, 14).
    """
    other = exchange.with_key(new)
    try:
        account = other.account()
    except Rejected as failure:
        if failure.business_code != _WRONG_SIGNATURE:
            raise
        raise AuthFailed("the secret does not belong to the new key", hint="copy both anew") from None
    with journal.read() as connection:
        ours = read_identity(connection).uid
    if ours not in {None, account.uid}:
        raise OtherAccount(ours, account.uid)
    if not account.can_trade:
        raise KeyUnfit("its account may not trade")
    found = findings(
        other.key_restrictions(),
        kind=new.kind,
        now=journal.clock.now(),
        withdrawals_accepted=withdrawals_accepted,
    )
    bad = [each for each in found if each.weight is Weight.VIOLATION]
    if any(each.rule == MAY_WITHDRAW for each in bad):
        raise KeyMayWithdraw
    if bad:
        raise KeyUnfit("; ".join(each.what for each in bad), hint=bad[0].advice)


class Rotation:
    """One change of key, of one process."""

    def __init__(self, journal: Journal, place: Place, *, old: Credentials, new: Credentials) -> None:
        self._journal = journal
        self._place = place
        self._old, self._new = old, new
        self._facts = key_facts(new)
        self.id = 0

    def begin(self, *, reason: str, actor: str, facts: Mapping[str, str | int | None]) -> None:
        """Write down what is about to happen.

        Raises:
            RotationGoesOn: somebody else is at it (11).
        """
        old = key_facts(self._old)
        with self._journal.change() as change:
            last = api_keys.last_rotation(change.connection)
            if last is not None and last.state == api_keys.STARTED and is_alive(last.owner):
                raise RotationGoesOn(f"pid {last.owner.pid}")
            settle(change, old, by="keys")
            self.id = api_keys.add_rotation(
                change.connection,
                old=old.fingerprint,
                new=self._facts.fingerprint,
                source=self._place.source.name,
                reason=reason,
                actor=actor,
                owner=this_process(),
                at=change.at,
            )
            change.record(
                Event.KEY_ROTATION_STARTED,
                rotation=self.id,
                old_fingerprint=old.fingerprint,
                new_fingerprint=self._facts.fingerprint,
                source=self._place.source.name,
                reason=reason,
                actor=actor,
                **facts,
            )

    def write(self, reload: Callable[[], Settings], prove_again: Callable[[Credentials], None]) -> NewKey:
        """Write the key, read it back, prove what was read, and call it done; or put everything back.

        Raises:
            Unavailable: it could not be written, or what was read back is not what was written (13).
            Whatever ``prove_again`` raises. Every time the old key is where it was.
        """
        try:
            undo = self._place.source.rewrite(self._place.changes(self._new, self._old))
        except ThunesError as error:
            self._take_back(None, error.message)
            raise
        except OSError as error:
            why = f"{self._place.source.name} cannot be written: {error.strerror or error}"
            self._take_back(None, why)
            raise Unavailable(f"{why}; the old key stays", hint="df -h") from error
        except BaseException:
            self._take_back(None, "interrupted")
            raise
        try:
            found = self._read_back(reload)
            prove_again(found)
            facts = key_facts(found)
            with self._journal.change() as change:
                complete(change, self.id, facts, old=self._old.api_key.fingerprint(), by="keys")
        except BaseException as error:
            self._take_back(undo, error.message if isinstance(error, ThunesError) else type(error).__name__)
            raise
        return facts

    def _read_back(self, reload: Callable[[], Settings]) -> Credentials:
        found = credentials(reload())
        if found.api_key != self._new.api_key or key_facts(found).signer != self._facts.signer:
            name = self._place.source.name
            raise Unavailable(
                f"after writing {name} another key or secret is found, from {found.source}; the old key was put back",
                hint="thunes config show: a source before it has a part of the key",
            )
        return found

    def _take_back(self, undo: Undo | None, why: str) -> None:
        """The files first: if this ends half-way, they are compared with the ledger by whoever comes next."""
        if undo is not None:
            undo()
        with suppress(ThunesError, sqlite3.Error), self._journal.change() as change:
            roll_back(change, self.id, key_facts(self._old), new=self._facts.fingerprint, why=why, by="keys")


def is_dead(exchange: GuardedBinance, key: Secret) -> bool:
    """Whether the exchange knows a key no more: asked with the key and a signature that nobody could make.

    Of a living key the exchange says that the signature is wrong, of a dead one that there is no such key.
    """
    try:
        exchange.with_key(Credentials(key, Secret("not-its-secret"), None, "the old key")).account()
    except AuthFailed:
        return True
    except Rejected as failure:
        if failure.business_code != _WRONG_SIGNATURE:
            raise
    return False


def bury(journal: Journal, place: Place, key: Secret, *, actor: str) -> bool:
    """Write down that the old key is dead, and forget it where the settings are; False when that was known already."""
    fingerprint = key.fingerprint()
    with journal.change() as change:
        news = api_keys.mark_dead(change.connection, fingerprint, at=change.at)
        if news:
            change.record(Event.KEY_OLD_DEAD, fingerprint=fingerprint, actor=actor)
    place.source.rewrite({f"{place.prefix}{_OLD}": None})
    return news

"""Putting another API key in the old one's place: proven first, written where the old one lives, proven again.

The ledger says that a rotation goes on before anything is written, and that it is done after everything is. A crash in
between leaves either the old key in its place or the new one; whoever starts next compares and says which
(:mod:`thunes_cli.exchange.key_book`). A failure in between is met in the same way: what was there before is put back,
then it is read which key is there, and that is what is said.
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
from thunes_cli.errors import KeyMayWithdraw, OtherAccount, ThunesError, Unavailable
from thunes_cli.exchange.guarded_binance import GuardedBinance
from thunes_cli.exchange.key_answers import NOTHING_KNOWN, OldKeyFacts, account_of
from thunes_cli.exchange.key_book import complete, key_facts, settle
from thunes_cli.exchange.key_rules import MAY_WITHDRAW, Weight, findings
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import NewKey
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ops.rotation_failures import (
    KeyInDoubt,
    KeyUnfit,
    NewKeyStays,
    OldKeyStays,
    RotatedMeanwhile,
    RotationGoesOn,
)
from thunes_cli.process import is_alive, this_process

_KEY, _OLD = "API_KEY", "OLD_API_KEY"
PREFIXES = ("BINANCE_TESTNET_", "BINANCE_")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the key in use lives: the source, and what its settings' names begin with."""

    source: Source
    prefix: str

    def changes(self, new: Credentials, old: Credentials) -> Changes:
        """What is to be written there, all at once. The old key's name stays known, what signs for it does not."""
        values: Mapping[str, str | None] = {
            _KEY: new.api_key.reveal(),
            "API_SECRET": None if new.api_secret is None else new.api_secret.reveal(),
            "PRIVATE_KEY_FILE": None if new.private_key_file is None else str(new.private_key_file),
            "PRIVATE_KEY": None if new.private_key is None else new.private_key.reveal(),
            _OLD: old.api_key.reveal(),
        }
        return {f"{self.prefix}{name}": value for name, value in values.items()}

    @property
    def old_key_setting(self) -> str:
        """The setting that keeps the old key's name."""
        return f"{self.prefix}{_OLD}"


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
    account = account_of(other)
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
    """One change of key, of one process. ``reload`` reads the settings anew, as they are now."""

    def __init__(
        self, journal: Journal, place: Place, *, old: Credentials, new: Credentials, reload: Callable[[], Settings]
    ) -> None:
        self._journal = journal
        self._place = place
        self._old, self._new = old, new
        self._facts = key_facts(new)
        self._reload = reload
        self._undo: Undo | None = None
        self.id = 0

    @property
    def old_fingerprint(self) -> str:
        """Of the key that is replaced."""
        return self._old.api_key.fingerprint()

    def begin(
        self,
        *,
        reason: str,
        actor: str,
        facts: Mapping[str, str | int | None],
        after: int | None = None,
        of_old: OldKeyFacts = NOTHING_KNOWN,
    ) -> None:
        """Write down what is about to happen.

        Args:
            reason: why, in the operator's words.
            actor: who, and ``facts`` about them.
            facts: see there.
            after: the rotation that was the newest when the old key was read; None: there was none.
            of_old: what is known of the old key while its secret still is.

        Raises:
            RotationGoesOn: somebody else is at it (11). RotatedMeanwhile: or was, since the old key was read (11).
        """
        old = key_facts(self._old)
        with self._journal.change() as change:
            last = api_keys.last_rotation(change.connection)
            if last is not None and last.state == api_keys.STARTED and is_alive(last.owner):
                raise RotationGoesOn(f"pid {last.owner.pid}")
            if (None if last is None else last.id) != after:
                raise RotatedMeanwhile
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
                old_accepted=of_old.accepted,
                old_bound=of_old.bound,
            )
            change.record(
                Event.KEY_ROTATION_STARTED,
                rotation=self.id,
                old_fingerprint=old.fingerprint,
                new_fingerprint=self._facts.fingerprint,
                source=self._place.source.name,
                reason=reason,
                actor=actor,
                old_accepted=of_old.accepted,
                old_bound=of_old.bound,
                **facts,
            )

    def write(self, prove_again: Callable[[Credentials], None]) -> NewKey:
        """Write the key, read it back, prove what was read, and call it done; or put everything back.

        Raises:
            OldKeyStays: something failed, with its code; the old key is where it was.
            NewKeyStays: something failed, but the new key is in force (15).
            KeyInDoubt: something failed, and nobody can say which key is in force (13).
        """
        try:
            self._undo = self._place.source.rewrite(self._place.changes(self._new, self._old))
            found = self._read_back()
            prove_again(found)
            facts = key_facts(found)
            with self._journal.change() as change:
                complete(change, self.id, facts, old=self.old_fingerprint, by="keys")
        except BaseException as error:
            failed = self._fall_back(error)
            if failed is error:
                raise
            raise failed from error
        return facts

    def take_back(self, cause: ThunesError) -> ThunesError:
        """It was done, and is to be undone; returns what to raise: see :meth:`write`.

        The ledger says so first: whoever finds it so after a crash compares, as after any other.
        """
        try:
            with self._journal.change() as change:
                api_keys.reopen_rotation(change.connection, self.id, problem=cause.message)
        except (ThunesError, sqlite3.Error, OSError) as error:
            return NewKeyStays(cause.message, _words(error), self._facts.fingerprint, self._place.source.name)
        failed = self._fall_back(cause)
        assert isinstance(failed, ThunesError)
        return failed

    def _read_back(self) -> Credentials:
        found = credentials(self._reload())
        if found.api_key != self._new.api_key or key_facts(found).signer != self._facts.signer:
            raise Unavailable(
                f"after writing {self._place.source.name} another key or secret is found, from {found.source}",
                hint="thunes config show: a source before it has a part of the key",
            )
        return found

    def _fall_back(self, error: BaseException) -> BaseException:
        """Put back what was there, see which key is there now, make the ledger agree; what there is to raise."""
        trouble = "it was written all the same" if self._undo is None else ""
        if self._undo is not None:
            try:
                self._undo()
            except Exception as failure:  # noqa: BLE001 - whatever it is, what counts is what is there now
                trouble = _words(failure)
        why = _words(error)
        try:
            found = key_facts(credentials(self._reload()))
        except Exception as failure:  # noqa: BLE001 - as above
            self._note(None, why)
            return KeyInDoubt(why, self._place.source.name, _words(failure))
        self._note(found, why)
        if found.fingerprint == self._facts.fingerprint:
            return NewKeyStays(why, trouble, found.fingerprint, found.source)
        if not isinstance(error, Exception):
            return error
        cause = _cause(error, self._place.source.name)
        if found.fingerprint != self.old_fingerprint:
            return KeyInDoubt(why, self._place.source.name, f"{found.fingerprint} was put there meanwhile")
        return OldKeyStays(cause, found.fingerprint)

    def _note(self, found: NewKey | None, why: str) -> None:
        """The files came first: if this fails, they are compared with the ledger by whoever comes next."""
        with suppress(ThunesError, sqlite3.Error, OSError), self._journal.change() as change:
            api_keys.reopen_rotation(change.connection, self.id, problem=why)  # it may have been done for a moment
            if found is not None:
                settle(change, found, by="keys")


def _words(error: BaseException) -> str:
    if isinstance(error, ThunesError):
        return error.message
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__


def _cause(error: Exception, place: str) -> ThunesError:
    """What failed, as an error of the contract; a bug stays one."""
    if isinstance(error, ThunesError):
        return error
    if isinstance(error, sqlite3.Error):
        return Unavailable(f"the ledger cannot be written: {error}", hint="df -h")
    if isinstance(error, OSError):
        return Unavailable(f"{place} cannot be written: {_words(error)}", hint="df -h")
    if isinstance(error, ValueError):
        return Unavailable(f"{place} cannot be changed: {error}")
    raise error

"""``thunes keys check`` and ``thunes keys status``: what may the key do, and how old is it?"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from thunes_cli.cli.asking import asking
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.invocation import addressed
from thunes_cli.cli.reading import Book, read_book, typed
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.cli.table import COMMANDS
from thunes_cli.clock import to_text
from thunes_cli.errors import ExitCode, OtherAccount
from thunes_cli.exchange.key_rules import Due, Finding, Weight, due, findings
from thunes_cli.ledger.api_keys import EXCHANGE, KeyRow, current_key, undead_key
from thunes_cli.spans import span

if TYPE_CHECKING:
    from datetime import datetime

    from thunes_cli.cli.asking import Asked
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.ledger.identity import Identity
    from thunes_cli.model import Account, KeyRestrictions

NOT_CHECKABLE = "not checkable here: this exchange has no interface that tells what a key may do"


@command(
    examples=("thunes keys check", "thunes keys check --json | jq '.data.violations'"),
    exits=(
        (0, "the key may do what is needed and nothing worse; warnings do not count"),
        (3, "the key breaks a rule: it may do too much, or not what is needed"),
        5,
        10,
        (12, "the exchange rejected the key"),
        *(13, 14),
        (78, "a setting is wrong, no key, or the key is another account's"),
    ),
)
def keys_check(call: Call) -> Result:
    """What may the API key do?

    Asks the exchange with the key itself. It must be able to read and to trade spot; withdrawals, futures, transfers,
    margin and options must be off. The testnet tells nobody what a key may do: there only the account is asked.
    """
    from thunes_cli.config.credentials import EMBEDDED
    from thunes_cli.exchange.key_answers import account_of

    identity = read_book(call, lambda book: book.identity)
    with asking(call, identity) as asked:
        account = account_of(asked.exchange, hint="correct the secret, or the private key's file")
        if identity.uid is not None and account.uid != identity.uid:
            raise OtherAccount(identity.uid, account.uid)
        restrictions = asked.exchange.key_restrictions()
        found = findings(
            restrictions,
            kind=asked.key.kind,
            now=asked.journal.clock.now(),
            withdrawals_accepted=asked.settings.accept_key_that_may_withdraw,
        )
        _note(asked, restrictions)
    if not account.can_trade:
        what = "its account may not trade"
        found.insert(0, Finding("account_may_not_trade", Weight.VIOLATION, what, "ask the exchange why"))
    if asked.key.source == EMBEDDED:  # it makes its own: no command can put another kind in its place
        found = [each for each in found if each.rule != "hmac"]
    return _checked(call, account, asked.key, restrictions, found)


def _note(asked: Asked, restrictions: KeyRestrictions | None) -> None:
    """Let ``keys status`` know the key's age. Another key than the ledger's is for a start or a rotation to take."""
    from thunes_cli.exchange.key_book import key_facts, settle

    facts = key_facts(asked.key, created_at=restrictions.created_at if restrictions is not None else None)
    with asked.journal.change() as change:
        current = current_key(change.connection)
        if current is None or current.fingerprint == facts.fingerprint:
            settle(change, facts, by="keys")


def _checked(
    call: Call, account: Account, key: Credentials, restrictions: KeyRestrictions | None, found: list[Finding]
) -> Result:
    violations = [each for each in found if each.weight is Weight.VIOLATION]
    warnings = [each for each in found if each.weight is Weight.WARNING]
    permissions = {} if restrictions is None else dict(restrictions.permissions)
    data = {
        "uid": account.uid,
        "can_trade": account.can_trade,
        "fingerprint": key.api_key.fingerprint(),
        "kind": key.kind,
        "source": key.source,
        "checkable": restrictions is not None,
        "permissions": permissions,
        "created_at": _text(restrictions.created_at) if restrictions is not None else None,
        "trading_until": _text(restrictions.trading_until) if restrictions is not None else None,
        "violations": [_finding(each) for each in violations],
        "warnings": [_finding(each) for each in warnings],
    }
    rows = tuple((name, "yes" if allowed else "no") for name, allowed in sorted(permissions.items()))
    return Result(
        data=data,
        text=(
            f"key {data['fingerprint']} ({key.kind}, from {key.source}) of account {account.uid}",
            Table(("permission", "allowed"), rows) if rows else NOT_CHECKABLE,
            *(
                f"warning: {each.what}\n  hint: {addressed(each.advice, call.home_option, COMMANDS)}"
                for each in warnings
            ),
        ),
        exit_code=ExitCode.ATTENTION if violations else ExitCode.OK,
        problems=tuple(Problem(each.rule, f"the API key: {each.what}", each.advice) for each in violations),
    )


def _finding(each: Finding) -> dict[str, str]:
    return {"rule": each.rule, "message": each.what, "hint": each.advice}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


class _Age(NamedTuple):
    """What the ledger knows of the key in use, and of the one before it."""

    identity: Identity
    now: datetime
    key: KeyRow | None
    left: KeyRow | None


@command(
    examples=("thunes keys status", "thunes keys status --json | jq .data.due_at"),
    exits=((0, "not overdue, or no key was used yet"), (3, "overdue: rotate it now"), 5, 10, 13, 78),
)
def keys_status(call: Call) -> Result:
    """How old is the API key, and when must it be replaced?

    90 days after it was made on the testnet and the simulator, 30 days on live, after an incident at once. Nothing is
    asked of the exchange: its age is the exchange's word as of the last contact, or counted from the first use.
    """
    age = read_book(call, _age)
    if age.key is None:
        return _unused(call)
    when = due(age.key, age.identity.environment, now=age.now)
    return Result(
        data=_status_data(age, age.key, when),
        text=tuple(_status_text(call, age, age.key, when)),
        exit_code=ExitCode.ATTENTION if when.overdue else ExitCode.OK,
        problems=(_overdue(call, age.key, when),) if when.overdue else (),
    )


def _age(book: Book) -> _Age:
    return _Age(book.identity, book.now, current_key(book.connection), undead_key(book.connection))


def _status_data(age: _Age, key: KeyRow, when: Due) -> dict[str, Any]:
    return {
        "source": key.source,
        "fingerprint": key.fingerprint,
        "kind": key.kind,
        "created_at": to_text(key.created_at),
        "created_by": key.created_by,
        "age_days": max((age.now - key.created_at).days, 0),
        "due_at": to_text(when.at),
        "overdue": when.overdue,
        "near": when.near,
        "compromised_at": _text(key.compromised_at),
        "compromised_why": key.compromised_why,
        "old_key": None
        if age.left is None
        else {"fingerprint": age.left.fingerprint, "retired_at": _text(age.left.retired_at)},
    }


def _status_text(call: Call, age: _Age, key: KeyRow, when: Due) -> Iterable[str]:
    yield f"key      {key.fingerprint} ({key.kind}), from {key.source}"
    said = "says the exchange" if key.created_by == EXCHANGE else "its first use; the exchange did not say"
    yield f"created  {key.created_at:%Y-%m-%d}, {span(age.now - key.created_at)} ago ({said})"
    left = span(when.at - age.now)
    yield f"due      {when.at:%Y-%m-%d}, " + ("overdue" if when.overdue else f"in {left}")
    if when.near and not when.overdue:
        yield f"warning: it is due soon\n  hint: {typed(call, 'keys rotate')}"
    if age.left is not None:
        yield (
            f"warning: the key before it, {age.left.fingerprint}, is not known to be deleted"
            f"\n  hint: delete it at the exchange, then: {typed(call, 'keys rotate --confirm-old-deleted')}"
        )


def _overdue(call: Call, key: KeyRow, when: Due) -> Problem:
    hint = typed(call, "keys rotate")
    if key.compromised_at is not None:
        return Problem("key_compromised", f"somebody else may have the API key: {key.compromised_why}", hint)
    return Problem("key_overdue", f"the API key was to be replaced by {when.at:%Y-%m-%d}", hint)


def _unused(call: Call) -> Result:
    """No key was used yet; one may be set all the same."""
    key = _set_key(call)
    names = ("created_at", "created_by", "age_days", "due_at", "compromised_at", "compromised_why", "old_key")
    data: dict[str, Any] = {
        "source": None if key is None else key.source,
        "fingerprint": None if key is None else key.api_key.fingerprint(),
        "kind": None if key is None else key.kind,
        **dict.fromkeys(names),
        "overdue": False,
        "near": False,
    }
    shown = "no key is set" if key is None else f"key {data['fingerprint']} ({key.kind}), from {key.source}"
    ask = typed(call, "keys check")
    return Result(data=data, text=(f"{shown}; none was used yet, so its age is not known: {ask}",))


def _set_key(call: Call) -> Credentials | None:
    """The key that this machine's own sources hold; no store of secrets is asked, bad settings are not ours to tell."""
    from thunes_cli.config.credentials import credentials
    from thunes_cli.config.layer import Place
    from thunes_cli.config.load import load_settings
    from thunes_cli.config.settings import NAMES
    from thunes_cli.config.sources import local_sources_of
    from thunes_cli.errors import ThunesError

    with suppress(ThunesError):
        here = local_sources_of(Place(call.environ, call.home, call.env_file), NAMES)
        return credentials(load_settings(call.home, call.environ, sources=here).settings)
    return None

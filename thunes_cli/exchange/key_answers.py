"""What the exchange's answer says of an API key, and what it leaves open.

A signed call that is answered proves a key. A refusal proves little: Binance answers −2015, "Invalid API-key, IP, or
permissions for action", to a key that was deleted, to one that is bound to another address and to one without the
right to read; −2008, "Invalid Api-Key ID", and −2014, "API-key format invalid", have been seen for living keys too.
"""

from __future__ import annotations

from typing import NamedTuple

from thunes_cli.config.credentials import Credentials
from thunes_cli.config.secrets import Secret
from thunes_cli.errors import Unavailable
from thunes_cli.exchange.classify import WRONG_SIGNATURE
from thunes_cli.exchange.failures import AuthFailed, ExchangeFailure, Rejected
from thunes_cli.exchange.guarded_binance import GuardedBinance
from thunes_cli.model import Account

BOUND_OR_DELETED = -2015
_REFUSING = frozenset({-2008, -2014, BOUND_OR_DELETED})


class AnswerUnclear(Unavailable):
    """the exchange's answer says nothing about the old key: {0}; nothing was changed"""

    code = "old_key_unclear"
    hint = "ask again later: thunes keys rotate --confirm-old-deleted"


class Refusal(NamedTuple):
    """How the exchange refused a key from this address: its words, its code, and the status of the answer."""

    message: str
    code: int
    http_status: int | None


class OldKeyFacts(NamedTuple):
    """What is known of a key at the moment it is replaced; None: nobody could say.

    ``accepted``: the exchange took it from this machine. ``bound``: it is bound to addresses.
    """

    accepted: bool | None = None
    bound: bool | None = None


NOTHING_KNOWN = OldKeyFacts()


def account_of(exchange: GuardedBinance, *, hint: str = "copy both anew") -> Account:
    """The account of a key, which proves that the exchange takes the key and what signs for it.

    ``hint``: what to do when what signs is another key's.

    Raises:
        AuthFailed: it does not; also when the secret is another key's (12). ExchangeFailure: see there.
    """
    try:
        return exchange.account()
    except Rejected as failure:
        if failure.business_code != WRONG_SIGNATURE:
            raise
        raise AuthFailed("the secret does not belong to the key", hint=hint) from None


def facts_of_old(exchange: GuardedBinance, key: Credentials) -> OldKeyFacts:
    """Ask with a key that is about to be replaced, while what signs for it is still known. Fails never."""
    other = exchange.with_key(key)
    try:
        other.account()
    except AuthFailed as failure:
        return OldKeyFacts(accepted=False if failure.business_code in _REFUSING else None)
    except ExchangeFailure:
        return NOTHING_KNOWN
    try:
        restrictions = other.key_restrictions()
    except ExchangeFailure:
        restrictions = None
    bound = None if restrictions is None else restrictions.permissions.get("ipRestrict")
    return OldKeyFacts(accepted=True, bound=bound)


def refusal_of(exchange: GuardedBinance, key: Secret) -> Refusal | None:
    """How the exchange refuses a key whose secret nobody here has any more; None: it knows the key, so it lives.

    Asked with a signature that nobody could make: of a key that may be used from here the exchange says that the
    signature is wrong. That it refuses the key does not prove that the key is deleted; see the module.

    Raises:
        AnswerUnclear: it says neither (13). ExchangeFailure: it cannot be asked (13, 14).
    """
    try:
        exchange.with_key(Credentials(key, Secret("not-its-secret"), None, "the old key")).account()
    except AuthFailed as failure:
        code = failure.business_code
        if code not in _REFUSING:
            raise AnswerUnclear(failure.args[0]) from None
        assert code is not None
        return Refusal(str(failure.args[0]), code, failure.http_status)
    except Rejected as failure:
        if failure.business_code != WRONG_SIGNATURE:
            raise
    return None

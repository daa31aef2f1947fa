"""What a bot's key must be able to do, must not, and how long it may live. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from thunes_cli.ledger.api_keys import KeyRow
from thunes_cli.model import Environment, KeyRestrictions

MAY_WITHDRAW = "may_withdraw"
WARN_BEFORE = timedelta(days=3)
_EXPIRY_NEAR = timedelta(days=14)
_LIFETIMES = {
    Environment.SIM: timedelta(days=90),
    Environment.TESTNET: timedelta(days=90),
    Environment.LIVE: timedelta(days=30),
}
_REQUIRED = (
    ("enableReading", "may_not_read", "read the account"),
    ("enableSpotAndMarginTrading", "may_not_trade", "trade spot"),
)
_FORBIDDEN = (
    ("enableWithdrawals", MAY_WITHDRAW, "it may withdraw money"),
    ("enableFutures", "may_trade_futures", "it may trade futures"),
    ("enableInternalTransfer", "may_transfer_internally", "it may transfer to other accounts of the exchange"),
    ("permitsUniversalTransfer", "may_transfer_universally", "it may move money between wallets"),
    ("enableMargin", "may_borrow", "it may borrow on margin"),
    ("enablePortfolioMarginTrading", "may_trade_portfolio_margin", "it may trade on portfolio margin"),
    ("enableVanillaOptions", "may_trade_options", "it may trade options"),
)


class Weight(enum.StrEnum):
    """A violation makes the key bad; a warning could be better."""

    VIOLATION = "violation"
    WARNING = "warning"


class Finding(NamedTuple):
    """A rule that a key breaks: its stable name, one sentence without a full stop, what to do."""

    rule: str
    weight: Weight
    what: str
    advice: str = "change the key's permissions on the exchange's own pages"


def findings(
    restrictions: KeyRestrictions | None, *, kind: str, now: datetime, withdrawals_accepted: bool = False
) -> list[Finding]:
    """Everything wrong with a key, the worst first.

    Args:
        restrictions: as the exchange says; None where nobody can be asked (testnet).
        kind: ``HMAC`` or ``Ed25519``.
        now: market time.
        withdrawals_accepted: by ``ACCEPT_KEY_THAT_MAY_WITHDRAW``: then only a warning.
    """
    found = [] if restrictions is None else [*_permissions(restrictions.permissions), *_expiry(restrictions, now)]
    if kind == "HMAC":
        what = "it is an HMAC key, a kind that the exchange calls deprecated"
        found.append(Finding("hmac", Weight.WARNING, what, "thunes keys generate, then thunes keys rotate --generated"))
    if withdrawals_accepted:
        found = [each._replace(weight=Weight.WARNING) if each.rule == MAY_WITHDRAW else each for each in found]
    return sorted(found, key=lambda each: each.weight is Weight.WARNING)


def _permissions(permissions: Mapping[str, bool]) -> Iterator[Finding]:
    for name, rule, what in _FORBIDDEN:
        if permissions.get(name, False):
            yield Finding(rule, Weight.VIOLATION, what)
    if "enableWithdrawals" not in permissions:
        advice = "look at the key on the exchange's own pages; its answer has no enableWithdrawals"
        what = "the exchange does not say whether it may withdraw money"
        yield Finding("withdrawals_unknown", Weight.WARNING, what, advice)
    for name, rule, what in _REQUIRED:
        granted = permissions.get(name)
        if granted is None:  # the exchange names every right: one that it does not name is not known to be granted
            advice = f"look at the key on the exchange's own pages; its answer has no {name}"
            yield Finding(rule, Weight.VIOLATION, f"the exchange does not say that it may {what}", advice)
        elif not granted:
            yield Finding(rule, Weight.VIOLATION, f"it may not {what}")
    if not permissions.get("ipRestrict", True):
        advice = "bind it to this machine's address on the exchange's own pages"
        yield Finding("ip_unrestricted", Weight.WARNING, "it is good from every address", advice)


def _expiry(restrictions: KeyRestrictions, now: datetime) -> Iterator[Finding]:
    until = restrictions.trading_until
    if until is None or until - now > _EXPIRY_NEAR:
        return
    expired = until <= now
    yield Finding(
        "trading_expires",
        Weight.VIOLATION if expired else Weight.WARNING,
        f"its right to trade {'ended' if expired else 'ends'} on {until:%Y-%m-%d}",
        "bind it to an address (then it does not end), or renew it on the exchange's own pages",
    )


class Due(NamedTuple):
    """When a key must be replaced."""

    at: datetime
    overdue: bool
    near: bool


def due(key: KeyRow, environment: Environment, *, now: datetime) -> Due:
    """90 days after it was made, on live 30, after an incident at once; ``near`` from three days before."""
    at = key.created_at + _LIFETIMES[environment] if key.compromised_at is None else key.compromised_at
    return Due(at, now >= at, now >= at - WARN_BEFORE)

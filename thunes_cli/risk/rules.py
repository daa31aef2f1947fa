"""The rules for entries, asked in a fixed order; the first that refuses decides. Pure. Exits are never asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from thunes_cli.clock import to_text
from thunes_cli.model import Decision, Rejection, plain


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows: money in quote, ``cool_down`` in market time."""

    max_loss_per_trade: Decimal
    max_daily_loss: Decimal
    max_positions: int
    cool_down: timedelta


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a decision rests on, read in the transaction that decides (network reads just before it).

    ``counted_result`` is the realised result, net of fees, of the fills that count towards the daily loss;
    ``committed`` is open positions ∪ live BUYs; ages are market time except ``skew``.
    """

    now: datetime
    kill_switch_reason: str | None
    counted_result: Decimal
    quote_amount: Decimal
    committed: int
    symbol_busy: str | None
    last_loss_at: datetime | None
    breaker_open: str | None
    banned_until: str | None
    price_age: timedelta
    max_price_age: timedelta
    skew: timedelta
    max_skew: timedelta
    frozen_reason: str | None
    trail_problem: str | None
    trail_tampered: bool
    free_mib: int
    min_free_mib: int
    candle_close: datetime
    entries_from: datetime
    max_signal_age: timedelta
    exits_only: str | None
    not_tradable: str | None
    filter_problem: str | None


Refusal = tuple[Rejection, dict[str, str]]


def decide(facts: Facts, limits: Limits) -> Decision:
    """Ask every rule in order; approve when none refuses."""
    for refusal in _refusals(facts, limits):
        reason, numbers = refusal
        return Decision(approved=False, reason=reason, facts=numbers)
    return Decision(
        approved=True,
        facts={
            "counted_result": plain(facts.counted_result),
            "max_daily_loss": plain(limits.max_daily_loss),
            "quote_amount": plain(facts.quote_amount),
            "max_loss_per_trade": plain(limits.max_loss_per_trade),
            "positions": str(facts.committed),
            "max_positions": str(limits.max_positions),
        },
    )


def _refusals(facts: Facts, limits: Limits) -> Iterator[Refusal]:
    for rule in _RULES:
        refusal = rule(facts, limits)
        if refusal is not None:
            yield refusal


def _kill_switch(facts: Facts, _: Limits) -> Refusal | None:
    if facts.kill_switch_reason is None:
        return None
    return Rejection.KILL_SWITCH, {"kill_switch_reason": facts.kill_switch_reason}


def _daily_loss(facts: Facts, limits: Limits) -> Refusal | None:
    if facts.counted_result > -limits.max_daily_loss:
        return None
    return Rejection.DAILY_LOSS, {
        "counted_result": plain(facts.counted_result),
        "max_daily_loss": plain(limits.max_daily_loss),
    }


def _per_trade(facts: Facts, limits: Limits) -> Refusal | None:
    if facts.quote_amount <= limits.max_loss_per_trade:
        return None
    return Rejection.PER_TRADE_LOSS, {
        "quote_amount": plain(facts.quote_amount),
        "max_loss_per_trade": plain(limits.max_loss_per_trade),
    }


def _max_positions(facts: Facts, limits: Limits) -> Refusal | None:
    if facts.committed < limits.max_positions:
        return None
    return Rejection.MAX_POSITIONS, {"positions": str(facts.committed), "max_positions": str(limits.max_positions)}


def _duplicate(facts: Facts, _: Limits) -> Refusal | None:
    return None if facts.symbol_busy is None else (Rejection.DUPLICATE, {"busy_with": facts.symbol_busy})


def _cool_down(facts: Facts, limits: Limits) -> Refusal | None:
    if facts.last_loss_at is None or facts.now - facts.last_loss_at >= limits.cool_down:
        return None
    return Rejection.COOL_DOWN, {
        "last_loss_at": to_text(facts.last_loss_at),
        "until": to_text(facts.last_loss_at + limits.cool_down),
    }


def _breaker_or_ban(facts: Facts, _: Limits) -> Refusal | None:
    if facts.breaker_open is not None:
        return Rejection.BREAKER, {"breaker": facts.breaker_open}
    if facts.banned_until is not None:
        return Rejection.RATE_BAN, {"until": facts.banned_until}
    return None


def _price_stale(facts: Facts, _: Limits) -> Refusal | None:
    if facts.price_age <= facts.max_price_age:
        return None
    return Rejection.PRICE_STALE, {
        "price_age_s": str(int(facts.price_age.total_seconds())),
        "max_price_age_s": str(int(facts.max_price_age.total_seconds())),
    }


def _clock_skew(facts: Facts, _: Limits) -> Refusal | None:
    if facts.skew <= facts.max_skew:
        return None
    milliseconds = timedelta(milliseconds=1)
    return Rejection.CLOCK_SKEW, {
        "skew_ms": str(facts.skew // milliseconds),
        "max_skew_ms": str(facts.max_skew // milliseconds),
    }


def _frozen(facts: Facts, _: Limits) -> Refusal | None:
    if facts.frozen_reason is None:
        return None
    copied = facts.frozen_reason.startswith(Rejection.OTHER_COPY)
    return Rejection.OTHER_COPY if copied else Rejection.FROZEN, {"frozen_reason": facts.frozen_reason}


def _trail(facts: Facts, _: Limits) -> Refusal | None:
    if facts.trail_problem is None:
        return None
    reason = Rejection.TAMPERED if facts.trail_tampered else Rejection.AUDIT
    return reason, {"trail": facts.trail_problem}


def _disk(facts: Facts, _: Limits) -> Refusal | None:
    if facts.free_mib >= facts.min_free_mib:
        return None
    return Rejection.DISK, {"free_mib": str(facts.free_mib), "min_free_mib": str(facts.min_free_mib)}


def _signal_age(facts: Facts, _: Limits) -> Refusal | None:
    if facts.candle_close > facts.entries_from and facts.now - facts.candle_close <= facts.max_signal_age:
        return None
    return Rejection.EXPIRED, {
        "candle_close": to_text(facts.candle_close),
        "entries_from": to_text(facts.entries_from),
        "max_age_s": str(int(facts.max_signal_age.total_seconds())),
    }


def _exits_only(facts: Facts, _: Limits) -> Refusal | None:
    return None if facts.exits_only is None else (Rejection.EXITS_ONLY, {"because": facts.exits_only})


def _tradable(facts: Facts, _: Limits) -> Refusal | None:
    return None if facts.not_tradable is None else (Rejection.NOT_TRADABLE, {"symbol_status": facts.not_tradable})


def _filters(facts: Facts, _: Limits) -> Refusal | None:
    return None if facts.filter_problem is None else (Rejection.FILTER, {"filter": facts.filter_problem})


_RULES: tuple[Callable[[Facts, Limits], Refusal | None], ...] = (
    _kill_switch,
    _daily_loss,
    _per_trade,
    _max_positions,
    _duplicate,
    _cool_down,
    _breaker_or_ban,
    _price_stale,
    _clock_skew,
    _frozen,
    _trail,
    _disk,
    _signal_age,
    _exits_only,
    _tradable,
    _filters,
)

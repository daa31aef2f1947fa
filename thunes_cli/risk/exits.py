"""When a position must be left. Pure; no rule here can keep one from being left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from thunes_cli.model import ExitReason, Position, Side, Signal

FIRST_BACK_OFF = timedelta(seconds=10)
LAST_BACK_OFF = timedelta(minutes=10)
BLOCKED_AFTER = 3  # attempts, before the operator is told that an exit is blocked


def stop_is_hit(position: Position, price: Decimal) -> bool:
    """Stop-loss: last price ≤ average entry × (1 − pct)."""
    return price <= position.stop_price


def wanted_by_signals(position: Position, signals: Iterable[Signal]) -> bool:
    """Whether the strategy's newest word since the entry is SELL (a later BUY takes an unheard SELL back).

    Looking back to the entry, not only at the latest candle, makes a SELL survive downtime and long intervals.
    """
    since = [signal for signal in signals if signal.candle_close_time > position.entry_time]
    newest = max(since, key=lambda signal: signal.candle_close_time, default=None)
    return newest is not None and newest.side is Side.SELL


def exit_reason(position: Position, *, price: Decimal | None, signals: Iterable[Signal] = ()) -> ExitReason | None:
    """Why a position should be sold now; the stop comes first. A missing (stale) price never triggers a stop."""
    if price is not None and stop_is_hit(position, price):
        return ExitReason.STOP_LOSS
    return ExitReason.SIGNAL if wanted_by_signals(position, signals) else None


def back_off(failed_attempts: int) -> timedelta:
    """Network time to wait after the n-th failed attempt: 10 s, doubling, at most 10 min."""
    return min(LAST_BACK_OFF, FIRST_BACK_OFF * 2 ** min(failed_attempts - 1, 10)) if failed_attempts else timedelta(0)

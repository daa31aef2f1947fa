"""What the operator is told about the way to the exchange: the breaker and the exchange's own order to be silent.

While something is held neither is a mere nuisance: what cannot be sent cannot be sold.
"""

from __future__ import annotations

import math
from datetime import timedelta

from thunes_cli.audit.journal import Change
from thunes_cli.counts import count
from thunes_cli.ledger import positions
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity
from thunes_cli.ledger.bans import Ban
from thunes_cli.ledger.breakers import OFTEN, BreakerLimits, count_trips

_DAY = timedelta(days=1)


def tell_open(change: Change, name: str, *, cause: str, failures: int, limits: BreakerLimits) -> None:
    """It opened; a probe that failed is counted only."""
    trips = count_trips(change.connection, since_wall=change.at_wall - _DAY)
    often = f" It is the {trips}th time within 24 h: look for the cause." if trips > OFTEN else ""
    text = (
        f"The circuit breaker {name} opened: {count(failures, 'failure')} within {limits.window_s:g} s,"
        f" the last: {cause}."
        f" Nothing is sent but a probe every {limits.reset_s:g} s, until one is answered.{often}{_held(change)}"
        " Next: thunes breaker status"
    )
    _raise(change, Kind.BREAKER, text, key=name)


def tell_closed(change: Change, name: str, *, why: str) -> None:
    """It closed, by an answer or by hand."""
    text = f"The circuit breaker {name} closed, {why}. Next: thunes breaker history"
    change.alert_over(Kind.BREAKER, text, key=name)


def tell_ban(change: Change, ban: Ban, *, wait_s: float) -> None:
    """The exchange ordered silence, for the first time or once more."""
    text = (
        f"The exchange ordered silence (HTTP {ban.status}): nothing is sent for {math.ceil(wait_s)} s."
        f"{_held(change)} Next: thunes breaker status"
    )
    _raise(change, Kind.BAN, text)


def tell_ban_over(change: Change) -> None:
    """It answers again."""
    text = "The exchange answers again, the ban is over. Next: thunes breaker history"
    change.alert_over(Kind.BAN, text)


def _held(change: Change) -> str:
    held = len(positions.open_positions(change.connection))
    if not held:
        return ""
    return f" {held} open position{'' if held == 1 else 's'} cannot be sold meanwhile."


def _raise(change: Change, kind: Kind, text: str, *, key: str = "") -> None:
    loud = Severity.CRITICAL if positions.open_positions(change.connection) else Severity.WARNING
    change.alert(kind, text, loud, key=key, lasting=True)

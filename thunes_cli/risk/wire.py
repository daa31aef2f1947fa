"""Whether anything may be sent at all: the breaker and the ban, as every process sees them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from thunes_cli.clock import Clock, to_text
from thunes_cli.ledger.bans import active_ban, read_usage
from thunes_cli.ledger.breakers import BreakerState, read_breaker
from thunes_cli.model import Rejection
from thunes_cli.process import boot_id


@dataclass(frozen=True, slots=True)
class WireRefusal:
    """Why nothing may be sent now: the rule's name and the facts."""

    reason: Rejection
    detail: str


def wire_refusal(connection: sqlite3.Connection, clock: Clock) -> WireRefusal | None:
    """What forbids sending an order: the breaker, a ban, or the exchange's own count of orders; else None.

    An order is never the probe of an open breaker. With the count used up it would only be refused, and everything
    else with it.
    """
    row = read_breaker(connection)
    if row.state is not BreakerState.CLOSED:
        return WireRefusal(Rejection.BREAKER, f"{row.state}: {row.cause or 'no cause recorded'}")
    ban = active_ban(connection, wall=clock.wall(), monotonic=clock.monotonic(), boot=boot_id())
    if ban is not None:
        return WireRefusal(Rejection.RATE_BAN, f"HTTP {ban.status} until {to_text(ban.until_wall)}")
    usage = read_usage(connection)
    until = usage.orders_wait_until(clock.wall()) if usage is not None else None
    if usage is not None and until is not None:
        counted = f"{usage.order_count_10s} of {usage.order_limit_10s} orders in ten seconds"
        return WireRefusal(Rejection.RATE_BAN, f"{counted} until {to_text(until)}")
    return None

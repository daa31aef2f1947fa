"""How breaker and rate gate stand, for people and for scripts. Network time is shown as market time, like all times."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from thunes_cli.cli.figures import fact_lines, moment
from thunes_cli.cli.reading import Book
from thunes_cli.clock import to_text
from thunes_cli.counts import count
from thunes_cli.ledger import bans, breakers, known
from thunes_cli.ledger.breakers import BreakerState, BreakerStatus
from thunes_cli.process import boot_id
from thunes_cli.spans import span

DAY = timedelta(days=1)


class WireView(NamedTuple):
    """What keeps calls back, or may soon; ``trips`` within the last 24 hours."""

    breakers: tuple[BreakerStatus, ...]
    ban: bans.Ban | None
    ban_left_s: float
    usage: bans.RateUsage | None
    trips: int
    book: Book

    def market(self, wall: datetime) -> datetime:
        """Market time at a wall time."""
        return self.book.identity.anchor.market_at(wall)


def read_wire(book: Book) -> WireView:
    """The true state now, computed from what is stored."""
    connection, wall = book.connection, book.wall
    recorded = known.read_known(connection, known.LIMITS)
    values: Mapping[str, Any] = recorded[0] if recorded is not None else {}
    limits = breakers.recorded_limits(values)
    monotonic, boot = time.monotonic(), boot_id()
    ban = bans.active_ban(connection, wall=wall, monotonic=monotonic, boot=boot)
    return WireView(
        breakers=tuple(
            breakers.breaker_status(connection, wall, limits=limits, name=name, monotonic=monotonic, boot=boot)
            for name in breakers.breaker_names(connection)
        ),
        ban=ban,
        ban_left_s=ban.left_s(wall=wall, monotonic=monotonic, boot=boot) if ban is not None else 0.0,
        usage=bans.read_usage(connection),
        trips=breakers.count_trips(connection, since_wall=wall - DAY),
        book=book,
    )


def wire_data(view: WireView) -> dict[str, Any]:
    """The keys of the contract."""
    return {
        "breakers": [_breaker_data(view, each) for each in view.breakers],
        "rate_gate": _gate_data(view),
        "trips_24h": view.trips,
    }


def _breaker_data(view: WireView, each: BreakerStatus) -> dict[str, Any]:
    return {
        "name": each.name,
        "state": str(each.state),
        "fail_counter": each.fail_counter,
        "fail_max": each.fail_max,
        "window_s": each.window_s,
        "opened_at": to_text(view.market(each.opened_at)) if each.opened_at else None,
        "retry_in_s": None if each.retry_in_s is None else round(each.retry_in_s, 3),
        "cause": each.cause,
    }


def _gate_data(view: WireView) -> dict[str, Any]:
    ban, usage, wall = view.ban, view.usage, view.book.wall
    return {
        "banned_until": to_text(view.market(wall + timedelta(seconds=view.ban_left_s))) if ban is not None else None,
        "retry_in_s": round(view.ban_left_s, 3) if ban is not None else None,
        "http_status": ban.status if ban is not None else None,
        "used_weight_1m": usage.weight_at(wall) if usage is not None else None,
        "limit_1m": usage.limit_1m if usage is not None else None,
        "order_count_10s": usage.order_count_10s if usage is not None else None,
        "order_limit_10s": usage.order_limit_10s if usage is not None else None,
        "order_count_1d": usage.order_count_1d if usage is not None else None,
        "order_limit_1d": usage.order_limit_1d if usage is not None else None,
    }


def wire_text(view: WireView) -> str:
    """The same for people."""
    facts = []
    for each in view.breakers:
        facts.append((f"breaker {each.name}", _state_line(each)))
        if each.cause is not None:
            facts.append(("because", each.cause))
        if each.opened_at is not None:
            facts.append(("opened", moment(view.market(each.opened_at))))
    facts.append(("ban", _ban_line(view)))
    facts.append(("weight used", _weight_line(view)))
    facts.append(("trips", f"{view.trips} within 24 h"))
    return fact_lines(facts)


def _state_line(each: BreakerStatus) -> str:
    if each.state is BreakerState.OPEN and each.retry_in_s:
        return f"OPEN; nothing is sent for another {span(timedelta(seconds=each.retry_in_s))}, then one probe"
    if each.state is not BreakerState.CLOSED:
        return "HALF-OPEN; nothing is sent but one probe"
    failures = f"; {count(each.fail_counter, 'failure')}" if each.fail_counter else "; no failures"
    return f"closed{failures} within {each.window_s:g} s, {each.fail_max} open it"


def _ban_line(view: WireView) -> str:
    if view.ban is None:
        return "none"
    left = span(timedelta(seconds=view.ban_left_s))
    return f"the exchange ordered silence (HTTP {view.ban.status}) for another {left}; nothing lifts it sooner"


def _weight_line(view: WireView) -> str:
    used = view.usage.weight_at(view.book.wall) if view.usage is not None else None
    if view.usage is None or used is None:
        return "not known before something was asked"
    limit = f" of {view.usage.limit_1m}" if view.usage.limit_1m is not None else ""
    return f"{used}{limit} this minute"

"""The daily summary as a person reads it on a telephone: a line a matter, what is wrong in capitals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from thunes_cli.counts import count
from thunes_cli.ledger.breakers import OFTEN, BreakerState
from thunes_cli.model import Position, plain
from thunes_cli.spans import span
from thunes_cli.trading.summary import DaySummary

_CENT = Decimal("0.01")
_PRICE = Decimal("1e-8")


def summary_text(summary: DaySummary) -> str:
    """All of it; the first line alone says what was earned."""
    return "\n".join([*_money(summary), *_held(summary), *_limits(summary), *_health(summary), "Next: thunes status"])


def _money(summary: DaySummary) -> Iterator[str]:
    result = summary.result
    late = " (late: no daemon ran then)" if summary.late else ""
    yield (
        f"{span(summary.until - summary.since)} to {_moment(summary.until)}{late}:"
        f" realised {_amount(result.realized)}, fees {_amount(result.fees)} taken off;"
        f" unrealised {_amount(summary.unrealized)}"
    )
    rate = f", {100 * result.wins / result.trades:.0f} % won" if result.trades else ""
    unvalued = f"; {count(result.unvalued, 'fee')} could not be valued, counted as nothing" if result.unvalued else ""
    yield f"Trades closed: {result.trades}, won {result.wins}{rate}{unvalued}"


def _held(summary: DaySummary) -> Iterator[str]:
    most = summary.limits.get("max_positions")
    yield f"Open positions: {len(summary.held)}" + (f" of {most}" if most is not None else "")
    yield from (_position(summary, position) for position in summary.held)


def _position(summary: DaySummary, position: Position) -> str:
    price = summary.prices.get(position.symbol)
    last = f", last {plain(price[0])}" if price is not None else ""
    wanted = f", EXIT WANTED ({position.exit_wanted})" if position.exit_wanted is not None else ""
    return (
        f"- {position.symbol} {plain(position.quantity)} at {_rounded(position.entry_price)},"
        f" {span(summary.now - position.entry_time)} old, stop {_rounded(position.stop_price)}{last}{wanted}"
    )


def _limits(summary: DaySummary) -> Iterator[str]:
    standing = summary.standing
    limit = Decimal(str(summary.limits.get("max_daily_loss", 0)))
    used = f" ({100 * standing.counted_loss / limit:.0f} %)" if limit > 0 else ""
    most = f" of {plain(limit)}{used}" if "max_daily_loss" in summary.limits else ""
    yield f"Loss counted today: {_amount(standing.counted_loss)}{most}"
    switch = standing.switch
    rearmed = f", re-armed {count(standing.rearms_today, 'time')} today" if standing.rearms_today else ""
    active = f"ACTIVE{_since(switch.since)}: {switch.reason}"
    yield f"Kill switch: {active if switch.active else 'off'}{rearmed}"


def _health(summary: DaySummary) -> Iterator[str]:
    breaker = summary.breaker
    state = "closed" if breaker.state is BreakerState.CLOSED else f"{breaker.state.value.upper()}: {breaker.cause}"
    often = " (OFTEN: thunes breaker history)" if summary.trips > OFTEN else ""
    yield f"Breaker: {state}; {count(summary.trips, 'trip')} in 24 h{often}"
    if summary.ban is not None:
        yield f"Ban: HTTP {summary.ban.status} until {_moment(summary.ban.until_wall)} or later"
    mode = str(summary.feed.get("mode", "unknown"))
    age = f", {span(summary.now - summary.feed_at)} old" if summary.feed_at is not None else ""
    reconnects = summary.feed.get("reconnects", 0)
    yield f"Prices: {mode.upper() if mode == 'down' else mode}{age}, {count(int(reconnects), 'reconnect')}"
    yield f"Reconcile: {_reconciled(summary)}; unresolved orders: {summary.unresolved}"
    yield f"Audit trail: {_trail(summary)}"
    for condition in summary.conditions:
        what = f"{condition.kind} {condition.key}".rstrip()
        yield f"STILL ON: {what}, since {_moment(condition.since)}, found {count(condition.times, 'time')}"
    if summary.failing_channels:
        yield f"ALERTS WAIT for {', '.join(summary.failing_channels)}: thunes alerts list"


def _reconciled(summary: DaySummary) -> str:
    run = summary.reconciled
    if run is None:
        return "never yet"
    ago = f"{span(summary.now - run.at)} ago"
    return f"clean, {ago}" if run.clean else f"NOT CLEAN, {count(len(run.findings), 'finding')}, {ago}"


def _trail(summary: DaySummary) -> str:
    head = summary.head
    if head.tampered is not None:
        return f"CHANGED FROM OUTSIDE: {head.tampered}"
    if head.problem is not None:
        return f"CANNOT BE WRITTEN: {head.problem}; {count(summary.unwritten, 'record')} not yet in it"
    return count(head.seq, "record")


def _since(moment: datetime | None) -> str:
    return f" since {_moment(moment)}" if moment is not None else ""


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"


def _amount(value: Decimal) -> str:
    return format(value.quantize(_CENT, rounding=ROUND_HALF_EVEN), "f")


def _rounded(value: Decimal) -> str:
    return plain(value.quantize(_PRICE, rounding=ROUND_HALF_EVEN))

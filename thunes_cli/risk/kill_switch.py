"""The daily loss and the switch it trips, evaluated in the transaction that books the fill.

The switch stops entries in every process from its commit on; it never stops an exit. Deactivating it re-arms: only
fills booked after that row count again. A new day neither deactivates it nor forgives what it was activated for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.audit.record import Fact
from thunes_cli.clock import to_text, utc_midnight
from thunes_cli.ledger import alerts, controls, fills
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.view_kill_switch import read_standing
from thunes_cli.model import plain

AUTOMATIC = "automatic"
NEAR = Decimal("0.8")  # of the limit: time to look before entries stop
_DAY = timedelta(days=1)


def counted_result(connection: sqlite3.Connection, now: datetime) -> Decimal:
    """Realised result (quote, net of fees) of the UTC day's fills that were booked since the last re-arm."""
    switch = controls.read_kill_switch(connection)
    return fills.realized_since(connection, utc_midnight(now), after_fill=switch.rearmed_after_fill)


def trip_if_due(change: Change, *, max_daily_loss: Decimal) -> bool:
    """Activate the kill switch when the counted loss of a day reaches the limit (equal trips).

    A fill counts for the day it was traded in. One that is booked after midnight is held against that day; otherwise
    an order whose outcome was unknown at midnight would count for no day at all. True when this call tripped it.
    """
    today = utc_midnight(change.at)
    return any(
        _trip(change, day, max_daily_loss=max_daily_loss, today=day == today)
        for day in (today, today - _DAY)
        if day == today or fills.any_booked_at(change.connection, change.at, since=day, before=day + _DAY)
    )


def _trip(change: Change, day: datetime, *, max_daily_loss: Decimal, today: bool) -> bool:
    switch = controls.read_kill_switch(change.connection)
    result = fills.realized_since(
        change.connection, day, before=None if today else day + _DAY, after_fill=switch.rearmed_after_fill
    )
    if result > -max_daily_loss:
        if today:
            _tell_near(change, switch, loss=-result, max_daily_loss=max_daily_loss)
        return False
    which = "daily loss" if today else f"loss of {day:%Y-%m-%d}"
    return activate(
        change,
        reason=f"{which} {plain(-result)} reached the limit {plain(max_daily_loss)}",
        actor=AUTOMATIC,
        facts={"daily_pnl": result, "daily_loss_limit": -max_daily_loss},
    )


def _tell_near(change: Change, switch: controls.KillSwitch, *, loss: Decimal, max_daily_loss: Decimal) -> None:
    """Warn at four fifths of the limit, once a day and re-arming: what is counted begins anew with either."""
    if switch.active or loss < NEAR * max_daily_loss:
        return
    key = f"{change.at:%Y-%m-%d}/{switch.rearmed_after_fill}"
    if alerts.was_raised(change.connection, Kind.DAILY_LOSS_NEAR, key=key):
        return
    text = (
        f"The counted loss of today is {plain(loss)}, {100 * loss / max_daily_loss:.0f} % of the limit"
        f" {plain(max_daily_loss)}. At the limit entries are stopped, exits go on. Next: thunes pnl --losses"
    )
    change.alert(Kind.DAILY_LOSS_NEAR, text, alerts.Severity.WARNING, key=key)


def activate(change: Change, *, reason: str, actor: str, facts: Mapping[str, Fact] | None = None) -> bool:
    """Stop entries in every process from this commit on; False, with nothing written, when they are stopped already.

    Args:
        change: the transaction; a fill that trips the switch commits with it.
        reason: why, for status, trail and alert.
        actor: who, in a word.
        facts: what else the trail should say: the numbers that decided, or who exactly the operator was.
    """
    if not controls.activate_kill_switch(change.connection, reason=reason, actor=actor, at=change.at):
        return False
    _write_down(change, Event.KILL_SWITCH_ACTIVATED, controls.ACTIVE, reason=reason, actor=actor, facts=facts or {})
    counted = plain(counted_result(change.connection, change.at))
    text = (
        f"Kill switch activated by {actor}: {reason}. Result of today {counted}, as far as it counts. Entries are"
        " stopped, exits go on. Next: thunes killswitch status"
    )
    change.alert(Kind.KILL_SWITCH, text, alerts.Severity.CRITICAL)
    return True


def deactivate(change: Change, *, reason: str, actor: str, facts: Mapping[str, Fact] | None = None) -> bool:
    """Let entries go on and re-arm after the last fill; False, with nothing written, when they are not stopped.

    What was lost today, counted and not, and how often it was re-armed before goes to the trail.
    """
    connection = change.connection
    standing = read_standing(connection, change.at)
    last_fill = fills.last_fill_id(connection)
    if not controls.deactivate_kill_switch(connection, last_fill=last_fill, at=change.at):
        return False
    numbers: dict[str, Fact] = {
        "activated_because": standing.switch.reason,
        "daily_pnl": standing.daily_pnl,
        "counted_loss": standing.counted_loss,
        "rearms_before": standing.rearms_today,
        "rearmed_after_fill": last_fill,
    }
    everything = {**numbers, **(facts or {})}
    _write_down(change, Event.KILL_SWITCH_DEACTIVATED, controls.INACTIVE, reason=reason, actor=actor, facts=everything)
    text = (
        f"Kill switch deactivated by {actor}: {reason}. Entries go on; only what is lost from now on counts, up to then"
        f" {plain(standing.counted_loss)} counted today. Next: thunes killswitch status"
    )
    change.alert(Kind.KILL_SWITCH, text, alerts.Severity.WARNING)
    return True


def _write_down(
    change: Change, event: Event, after: str, *, reason: str, actor: str, facts: Mapping[str, Fact]
) -> None:
    change.record(event, reason=reason, actor=actor, **facts)
    controls.note_transition(
        change.connection,
        controls.KILL_SWITCH,
        controls.KILL_SWITCH,
        before=controls.INACTIVE if after == controls.ACTIVE else controls.ACTIVE,
        after=after,
        reason=reason,
        actor=actor,
        at=change.at,
        at_wall=change.at_wall,
        facts={key: _json(value) for key, value in facts.items()},
    )


def _json(value: Fact) -> str | int | bool | None:
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return to_text(value)
    return value

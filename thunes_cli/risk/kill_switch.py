"""The daily loss and the switch it trips, evaluated in the transaction that books the fill."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.clock import utc_midnight
from thunes_cli.ledger import alerts, controls, fills
from thunes_cli.model import plain

AUTOMATIC = "automatic"


def counted_result(connection: sqlite3.Connection, now: datetime) -> Decimal:
    """Realised result (quote, net of fees) of the UTC day's fills that were booked since the last re-arm."""
    switch = controls.read_kill_switch(connection)
    return fills.realized_since(connection, utc_midnight(now), after_fill=switch.rearmed_after_fill)


def trip_if_due(change: Change, *, max_daily_loss: Decimal) -> bool:
    """Activate the kill switch when the counted loss reaches the limit (equal trips); True when this call did."""
    result = counted_result(change.connection, change.at)
    if result > -max_daily_loss:
        return False
    return activate(
        change,
        reason=f"daily loss {plain(-result)} reached the limit {plain(max_daily_loss)}",
        actor=AUTOMATIC,
        daily_pnl=result,
        daily_loss_limit=-max_daily_loss,
    )


def activate(
    change: Change,
    *,
    reason: str,
    actor: str,
    daily_pnl: Decimal | None = None,
    daily_loss_limit: Decimal | None = None,
) -> bool:
    """Stop entries in every process from this commit on; False when they are stopped already."""
    if not controls.activate_kill_switch(change.connection, reason=reason, actor=actor, at=change.at):
        return False
    change.record(
        Event.KILL_SWITCH_ACTIVATED, reason=reason, actor=actor, daily_pnl=daily_pnl, daily_loss_limit=daily_loss_limit
    )
    controls.note_transition(
        change.connection,
        "kill_switch",
        "kill_switch",
        before="inactive",
        after="active",
        reason=reason,
        actor=actor,
        at=change.at,
        at_wall=change.at_wall,
    )
    alerts.raise_alert(
        change.connection,
        "kill_switch",
        f"Kill switch activated: {reason}. Entries are stopped, exits go on. Next: thunes status",
        severity=alerts.Severity.CRITICAL,
        at=change.at,
        at_wall=change.at_wall,
    )
    return True

"""Kill switch and frozen symbols: one truth for every process."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from thunes_cli.clock import from_text, to_text

KILL_SWITCH = "kill_switch"  # its name in the history of controls
KEY_REJECTED = "key_rejected"  # a condition that lasts: the exchange refuses our API key
ACTIVE, INACTIVE = "active", "inactive"


class KillSwitch(NamedTuple):
    """``rearmed_after_fill``/``rearmed_at``: only fills booked after that row count again (a deactivation re-arms)."""

    active: bool
    reason: str | None
    actor: str | None
    since: datetime | None
    rearmed_after_fill: int
    rearmed_at: datetime | None


def read_kill_switch(connection: sqlite3.Connection) -> KillSwitch:
    """The switch as it stands."""
    row = connection.execute("SELECT * FROM kill_switch").fetchone()
    return KillSwitch(
        active=bool(row["active"]),
        reason=row["reason"],
        actor=row["actor"],
        since=from_text(row["since"]) if row["since"] else None,
        rearmed_after_fill=row["rearmed_after_fill"] or 0,
        rearmed_at=from_text(row["rearmed_at"]) if row["rearmed_at"] else None,
    )


def activate_kill_switch(connection: sqlite3.Connection, *, reason: str, actor: str, at: datetime) -> bool:
    """Switch it on; False when it is on already."""
    cursor = connection.execute(
        "UPDATE kill_switch SET active = 1, reason = ?, actor = ?, since = ? WHERE active = 0",
        (reason, actor, to_text(at)),
    )
    return cursor.rowcount == 1


def deactivate_kill_switch(connection: sqlite3.Connection, *, last_fill: int, at: datetime) -> bool:
    """Switch it off and re-arm after the last fill; False when it is off already."""
    cursor = connection.execute(
        "UPDATE kill_switch SET active = 0, reason = NULL, actor = NULL, since = NULL, rearmed_after_fill = ?,"
        " rearmed_at = ? WHERE active = 1",
        (last_fill, to_text(at)),
    )
    return cursor.rowcount == 1


def note_transition(
    connection: sqlite3.Connection,
    control: str,
    name: str,
    *,
    before: str,
    after: str,
    reason: str,
    actor: str,
    at: datetime,
    at_wall: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Add a row to the history of a control (kill switch, breaker, freeze); ``facts`` are JSON-ready."""
    connection.execute(
        "INSERT INTO control_history (control, name, from_state, to_state, reason, actor, facts, at, at_wall)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (control, name, before, after, reason, actor, json.dumps(dict(facts or {})), to_text(at), to_text(at_wall)),
    )


class Transition(NamedTuple):
    """One row of a control's history; ``at`` is market time, ``at_wall`` network time."""

    name: str
    from_state: str
    to_state: str
    reason: str
    actor: str
    facts: dict[str, Any]
    at: datetime
    at_wall: datetime


def read_transitions(
    connection: sqlite3.Connection, control: str, *, since: datetime | None = None, since_wall: datetime | None = None
) -> list[Transition]:
    """What a control did, oldest first: all of it, or since a market time, or since a wall time."""
    rows = connection.execute(
        "SELECT name, from_state, to_state, reason, actor, facts, at, at_wall FROM control_history"
        " WHERE control = ? AND at >= ? AND at_wall >= ? ORDER BY id",
        (control, to_text(since) if since else "", to_text(since_wall) if since_wall else ""),
    ).fetchall()
    return [
        Transition(
            name=row["name"],
            from_state=row["from_state"],
            to_state=row["to_state"],
            reason=row["reason"],
            actor=row["actor"],
            facts=json.loads(row["facts"]),
            at=from_text(row["at"]),
            at_wall=from_text(row["at_wall"]),
        )
        for row in rows
    ]


def count_rearms(connection: sqlite3.Connection, *, since: datetime) -> int:
    """How often the kill switch was deactivated since a market time."""
    row = connection.execute(
        "SELECT count(*) FROM control_history WHERE control = ? AND to_state = ? AND at >= ?",
        (KILL_SWITCH, INACTIVE, to_text(since)),
    ).fetchone()
    return int(row[0])


def key_is_rejected(connection: sqlite3.Connection) -> bool:
    """Whether the exchange refused our API key when it was asked last."""
    row = connection.execute("SELECT 1 FROM alert_conditions WHERE kind = ?", (KEY_REJECTED,)).fetchone()
    return row is not None


class Freeze(NamedTuple):
    """A symbol that takes no entries until somebody looks."""

    symbol: str
    reason: str
    actor: str
    since: datetime


def freeze_symbol(connection: sqlite3.Connection, symbol: str, *, reason: str, actor: str, at: datetime) -> bool:
    """Freeze a symbol; False when it is frozen already."""
    cursor = connection.execute(
        "INSERT INTO frozen_symbols (symbol, reason, actor, since) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (symbol, reason, actor, to_text(at)),
    )
    return cursor.rowcount == 1


def unfreeze_symbol(connection: sqlite3.Connection, symbol: str) -> bool:
    """Take a freeze back; False when there is none."""
    return connection.execute("DELETE FROM frozen_symbols WHERE symbol = ?", (symbol,)).rowcount == 1


def frozen_symbols(connection: sqlite3.Connection) -> dict[str, Freeze]:
    """Every frozen symbol."""
    rows = connection.execute("SELECT * FROM frozen_symbols ORDER BY symbol").fetchall()
    return {row["symbol"]: Freeze(row["symbol"], row["reason"], row["actor"], from_text(row["since"])) for row in rows}

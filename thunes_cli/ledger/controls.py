"""Kill switch and frozen symbols: one truth for every process."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import from_text, to_text


@dataclass(frozen=True, slots=True)
class KillSwitch:
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
    facts: Mapping[str, str] | None = None,
) -> None:
    """Add a row to the history of a control (kill switch, breaker, freeze)."""
    connection.execute(
        "INSERT INTO control_history (control, name, from_state, to_state, reason, actor, facts, at, at_wall)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (control, name, before, after, reason, actor, json.dumps(dict(facts or {})), to_text(at), to_text(at_wall)),
    )


@dataclass(frozen=True, slots=True)
class Freeze:
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

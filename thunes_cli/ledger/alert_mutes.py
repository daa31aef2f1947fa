"""Kinds of alerts that are held back for a while: they wait, nothing is lost. Network time."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text


class Mute(NamedTuple):
    """Alerts of ``kind`` wait until ``until_wall``."""

    kind: str
    since_wall: datetime
    until_wall: datetime
    reason: str
    actor: str

    def holds(self, wall: datetime) -> bool:
        """Whether it is in force; a clock that was set back does not lengthen it."""
        return self.since_wall <= wall < self.until_wall


def read_mutes(connection: sqlite3.Connection) -> list[Mute]:
    """Every mute, those that are over included, by kind."""
    return [
        Mute(
            kind=row["kind"],
            since_wall=from_text(row["since_wall"]),
            until_wall=from_text(row["until_wall"]),
            reason=row["reason"],
            actor=row["actor"],
        )
        for row in connection.execute("SELECT * FROM alert_mutes ORDER BY kind")
    ]


def save_mute(connection: sqlite3.Connection, mute: Mute) -> None:
    """Hold a kind back; a mute it has already is replaced."""
    connection.execute(
        "INSERT OR REPLACE INTO alert_mutes (kind, since_wall, until_wall, reason, actor) VALUES (?, ?, ?, ?, ?)",
        (mute.kind, to_text(mute.since_wall), to_text(mute.until_wall), mute.reason, mute.actor),
    )


def end_mute(connection: sqlite3.Connection, kind: str) -> bool:
    """Let a kind go out again; False when it was not muted."""
    return connection.execute("DELETE FROM alert_mutes WHERE kind = ?", (kind,)).rowcount == 1

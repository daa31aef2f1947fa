"""Raising alerts: rows written in the transaction that caused them. A lasting condition alerts once.

How they go out is the business of :mod:`thunes_cli.alerts`; its rows are in :mod:`thunes_cli.ledger.alert_delivery`.
"""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.spans import span

LONGEST_TEXT = 12_000  # what an exchange may put into an error has no bounds


class Severity(enum.StrEnum):
    """How loud an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


LOUDEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


class Phase(enum.StrEnum):
    """Whether something happened, or began to last, or is over."""

    EVENT = "event"
    BEGAN = "began"
    OVER = "over"


class Alert(NamedTuple):
    """One message for the operator; ``note`` is the checkpoint of the trail that goes with it."""

    id: int
    kind: str
    key: str
    phase: Phase
    severity: Severity
    text: str
    note: str | None
    created_at: datetime
    created_wall: datetime


class Condition(NamedTuple):
    """Something that lasts and was told: since when (market time), and how often it was found since."""

    kind: str
    key: str
    severity: Severity
    since: datetime
    last_at: datetime
    times: int


def raise_alert(
    connection: sqlite3.Connection,
    kind: Kind,
    text: str,
    *,
    severity: Severity,
    at: datetime,
    at_wall: datetime,
    key: str = "",
    lasting: bool = False,
) -> bool:
    """Queue an alert; a ``lasting`` condition that is already reported is only counted (then False).

    ``text`` says what, with which numbers, since when unless it is now, and the next command to type, in a last
    sentence "Next: thunes …".
    """
    if lasting:
        row = connection.execute(
            "INSERT INTO alert_conditions (kind, key, severity, since, last_at, count) VALUES (?, ?, ?, ?, ?, 1)"
            " ON CONFLICT (kind, key) DO UPDATE SET count = count + 1, last_at = excluded.last_at RETURNING count",
            (kind, key, severity, to_text(at), to_text(at)),
        ).fetchone()
        if row["count"] > 1:
            return False
    phase = Phase.BEGAN if lasting else Phase.EVENT
    _queue(connection, kind, text, severity=severity, phase=phase, key=key, at=at, at_wall=at_wall)
    return True


def end_condition(connection: sqlite3.Connection, kind: Kind, *, key: str = "") -> Condition | None:
    """A lasting condition is over, and nobody is told; what it was, None when it was not on."""
    row = connection.execute(
        "DELETE FROM alert_conditions WHERE kind = ? AND key = ? RETURNING *", (kind, key)
    ).fetchone()
    return None if row is None else _condition(row)


def tell_over(
    connection: sqlite3.Connection,
    kind: Kind,
    text: str,
    *,
    at: datetime,
    at_wall: datetime,
    key: str = "",
    severity: Severity = Severity.INFO,
) -> Condition | None:
    """A lasting condition is over: say so, with how long it lasted; None, with nothing written, when it was not on."""
    condition = end_condition(connection, kind, key=key)
    if condition is None:
        return None
    began = f"{condition.since:%Y-%m-%d %H:%M:%S}Z"
    often = f", found {condition.times} times" if condition.times > 1 else ""
    told, following = _parted(text)
    told += f" It lasted {span(at - condition.since)}, since {began}{often}."
    _queue(
        connection,
        kind,
        f"{told} Next: {following}" if following else told,
        severity=severity,
        phase=Phase.OVER,
        key=key,
        at=at,
        at_wall=at_wall,
    )
    return condition


def read_conditions(connection: sqlite3.Connection) -> list[Condition]:
    """What lasts, the oldest first."""
    return [_condition(row) for row in connection.execute("SELECT * FROM alert_conditions ORDER BY since, kind, key")]


def was_raised(connection: sqlite3.Connection, kind: Kind, *, key: str) -> bool:
    """Whether such an alert was ever raised: for what is told once and is never over."""
    row = connection.execute("SELECT 1 FROM alerts WHERE kind = ? AND key = ? LIMIT 1", (kind, key)).fetchone()
    return row is not None


def last_alert_id(connection: sqlite3.Connection) -> int:
    """The newest alert's id, 0 before the first."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM alerts").fetchone()[0])


def alerts_of(rows: Sequence[sqlite3.Row]) -> list[Alert]:
    """Rows of the table as values."""
    return [
        Alert(
            id=row["id"],
            kind=row["kind"],
            key=row["key"],
            phase=Phase(row["phase"]),
            severity=Severity(row["severity"]),
            text=row["text"],
            note=row["note"],
            created_at=from_text(row["created_at"]),
            created_wall=from_text(row["created_wall"]),
        )
        for row in rows
    ]


def _queue(
    connection: sqlite3.Connection,
    kind: str,
    text: str,
    *,
    severity: Severity,
    phase: Phase,
    key: str,
    at: datetime,
    at_wall: datetime,
) -> None:
    connection.execute(
        "INSERT INTO alerts (kind, key, phase, severity, text, created_at, created_wall) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (kind, key, phase, severity, _storable(text), to_text(at), to_text(at_wall)),
    )


def _storable(text: str) -> str:
    """As SQLite takes it: half a surrogate pair, which JSON can carry, must not undo a booking."""
    if len(text) > LONGEST_TEXT:
        what, following = _parted(text)
        text = f"{what[:LONGEST_TEXT]} …" + (f" Next: {following}" if 0 < len(following) < LONGEST_TEXT else "")
    return text.encode("utf-8", "replace").decode()


def _parted(text: str) -> tuple[str, str]:
    """What happened, and what to type next if it is said: the last such words, they are ours."""
    what, found, following = text.rpartition(" Next: ")
    return (what, following) if found else (text, "")


def _condition(row: sqlite3.Row) -> Condition:
    return Condition(
        kind=row["kind"],
        key=row["key"],
        severity=Severity(row["severity"]),
        since=from_text(row["since"]),
        last_at=from_text(row["last_at"]),
        times=row["count"],
    )

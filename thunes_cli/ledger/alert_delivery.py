"""What goes out on which channel: messages, what became of them, and channels that must be left alone for a while.

A message is written down before it is sent, with the alerts it carries, so that a second try sends the same text and
a restart goes on where the last process was. All times here are network time.
"""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.ledger.alerts import Alert, Severity, alerts_of

MOST_AT_ONCE = 5000


class MessageState(enum.StrEnum):
    """What became of a message; ``dropped``: the channel refuses this very text."""

    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"


class Draft(NamedTuple):
    """A message to be written down."""

    severity: Severity
    subject: str
    text: str


class StoredMessage(NamedTuple):
    """A message that waits; ``parts`` is how many pieces of it arrived."""

    id: int
    channel: str
    severity: Severity
    subject: str
    text: str
    parts: int
    attempts: int


class WhyHeld(enum.StrEnum):
    """Why a channel is left alone: our own patience, its order (a flood limit), or a refusal somebody must mend."""

    BACK_OFF = "back-off"
    TOLD = "told"
    REFUSED = "refused"


class Hold(NamedTuple):
    """A channel that fails: ``failures`` in a row ``since_wall``; it is tried again at ``next_try_wall``."""

    channel: str
    failures: int
    why: WhyHeld
    problem: str
    since_wall: datetime
    held_wall: datetime
    next_try_wall: datetime

    def holds(self, wall: datetime) -> bool:
        """Whether it is to be left alone now; a clock that was set back does not lengthen it."""
        return self.held_wall <= wall < self.next_try_wall


# -- alerts and messages -------------------------------------------------------------------------------------------


class Backlog(NamedTuple):
    """Alerts of one kind and severity that no message of a channel carries yet."""

    kind: str
    severity: Severity
    times: int
    oldest_wall: datetime


_UNWRITTEN = (
    " FROM alerts WHERE state = 'pending' AND NOT EXISTS (SELECT 1 FROM alert_deliveries AS d"
    " WHERE d.alert_id = alerts.id AND d.channel = ?)"
)


def read_backlog(connection: sqlite3.Connection, channel: str) -> list[Backlog]:
    """What waits for a message of this channel, counted by SQLite: a storm's thousands are not read every second."""
    rows = connection.execute(
        f"SELECT kind, severity, count(*) AS times, min(created_wall) AS oldest{_UNWRITTEN} GROUP BY kind, severity"
        " ORDER BY min(id)",
        (channel,),
    )
    return [Backlog(row["kind"], Severity(row["severity"]), row["times"], from_text(row["oldest"])) for row in rows]


def read_unwritten(connection: sqlite3.Connection, channel: str, chosen: Sequence[Backlog]) -> list[Alert]:
    """The alerts of these kinds and severities that no message of this channel carries yet, oldest first."""
    wanted = " OR ".join("(kind = ? AND severity = ?)" for _ in chosen)
    pairs = [value for backlog in chosen for value in (backlog.kind, backlog.severity)]
    rows = connection.execute(
        f"SELECT *{_UNWRITTEN} AND ({wanted}) ORDER BY id LIMIT ?",
        (channel, *pairs, MOST_AT_ONCE),
    )
    return alerts_of(rows.fetchall())


def write_message(
    connection: sqlite3.Connection, channel: str, draft: Draft, *, alerts: Sequence[Alert], wall: datetime
) -> StoredMessage:
    """Write a message down, with the alerts it carries."""
    row = connection.execute(
        "INSERT INTO alert_messages (channel, severity, subject, text, made_wall) VALUES (?, ?, ?, ?, ?) RETURNING *",
        (channel, draft.severity, draft.subject, draft.text, to_text(wall)),
    ).fetchone()
    connection.executemany(
        "INSERT INTO alert_deliveries (alert_id, channel, message_id) VALUES (?, ?, ?)",
        [(alert.id, channel, row["id"]) for alert in alerts],
    )
    return _message(row)


def read_waiting(connection: sqlite3.Connection, channel: str) -> list[StoredMessage]:
    """Messages written down and not delivered, oldest first."""
    rows = connection.execute(
        "SELECT * FROM alert_messages WHERE channel = ? AND state = 'waiting' ORDER BY id", (channel,)
    )
    return [_message(row) for row in rows]


def read_carried(connection: sqlite3.Connection, message_id: int) -> list[Alert]:
    """The alerts a message carries, oldest first."""
    rows = connection.execute(
        "SELECT alerts.* FROM alerts JOIN alert_deliveries AS d ON d.alert_id = alerts.id WHERE d.message_id = ?"
        " ORDER BY alerts.id",
        (message_id,),
    )
    return alerts_of(rows.fetchall())


def read_recent(connection: sqlite3.Connection, channel: str, *, since_wall: datetime) -> list[tuple[str, datetime]]:
    """Kind and time of what was sent since then, a pair for each kind in each message, oldest first."""
    rows = connection.execute(
        "SELECT DISTINCT m.id, m.ended_wall, a.kind FROM alert_messages AS m JOIN alert_deliveries AS d"
        " ON d.message_id = m.id JOIN alerts AS a ON a.id = d.alert_id"
        " WHERE m.channel = ? AND m.state = 'sent' AND m.ended_wall > ? ORDER BY m.ended_wall, m.id",
        (channel, to_text(since_wall)),
    )
    return [(row["kind"], from_text(row["ended_wall"])) for row in rows]


def note_part(connection: sqlite3.Connection, message_id: int, parts: int) -> None:
    """So many pieces of a message arrived."""
    connection.execute("UPDATE alert_messages SET parts = ? WHERE id = ?", (parts, message_id))


def end_message(
    connection: sqlite3.Connection,
    message_id: int,
    state: MessageState,
    *,
    wall: datetime,
    error: str | None = None,
) -> None:
    """A message arrived, or was given up."""
    connection.execute(
        "UPDATE alert_messages SET state = ?, ended_wall = ?, error = ?, attempts = attempts + 1 WHERE id = ?",
        (state, to_text(wall), error, message_id),
    )


def note_failure(connection: sqlite3.Connection, message_id: int, error: str) -> None:
    """A message did not arrive, as far as is known; it waits."""
    connection.execute("UPDATE alert_messages SET attempts = attempts + 1, error = ? WHERE id = ?", (error, message_id))


def requeue_dropped(connection: sqlite3.Connection) -> int:
    """Try once more what was given up; returns how many messages."""
    return connection.execute(
        "UPDATE alert_messages SET state = 'waiting', ended_wall = NULL, attempts = 0 WHERE state = 'dropped'"
    ).rowcount


def settle(connection: sqlite3.Connection, channels: Collection[str]) -> None:
    """Alerts that each of these channels has, or gave up, are done."""
    marks = ", ".join("?" for _ in channels)
    connection.execute(
        "UPDATE alerts SET state = 'done' WHERE state = 'pending' AND (SELECT count(*) FROM alert_deliveries AS d"  # noqa: S608 - question marks
        " JOIN alert_messages AS m ON m.id = d.message_id WHERE d.alert_id = alerts.id AND m.state <> 'waiting'"
        f" AND d.channel IN ({marks})) = ?",
        (*channels, len(channels)),
    )


def save_note(connection: sqlite3.Connection, alert_ids: Sequence[int], note: str) -> None:
    """The checkpoint of the trail that goes with these alerts, unless they have one."""
    connection.executemany(
        "UPDATE alerts SET note = ? WHERE id = ? AND note IS NULL", [(note, alert_id) for alert_id in alert_ids]
    )


# -- channels ------------------------------------------------------------------------------------------------------


def read_hold(connection: sqlite3.Connection, channel: str) -> Hold | None:
    """Why a channel is left alone and until when; None when it took what was sent last."""
    row = connection.execute("SELECT * FROM alert_channels WHERE channel = ?", (channel,)).fetchone()
    return None if row is None else _hold(row)


def read_holds(connection: sqlite3.Connection) -> list[Hold]:
    """Every channel that fails."""
    return [_hold(row) for row in connection.execute("SELECT * FROM alert_channels ORDER BY channel")]


def save_hold(connection: sqlite3.Connection, hold: Hold) -> None:
    """Leave a channel alone."""
    connection.execute(
        "INSERT OR REPLACE INTO alert_channels (channel, failures, why, problem, since_wall, held_wall, next_try_wall)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            hold.channel,
            hold.failures,
            hold.why,
            hold.problem,
            to_text(hold.since_wall),
            to_text(hold.held_wall),
            to_text(hold.next_try_wall),
        ),
    )


def release(connection: sqlite3.Connection, channel: str) -> bool:
    """A channel works, or is to be tried at once; True when it was held."""
    return connection.execute("DELETE FROM alert_channels WHERE channel = ?", (channel,)).rowcount == 1


def try_again_now(connection: sqlite3.Connection, channel: str | None = None, *, told_too: bool = False) -> None:
    """Forget the wait (of one channel, or of all), not the failures; what a channel ordered itself is obeyed."""
    connection.execute(
        "UPDATE alert_channels SET next_try_wall = held_wall WHERE (? IS NULL OR channel = ?) AND (? OR why <> 'told')",
        (channel, channel, told_too),
    )


def _message(row: sqlite3.Row) -> StoredMessage:
    return StoredMessage(
        id=row["id"],
        channel=row["channel"],
        severity=Severity(row["severity"]),
        subject=row["subject"],
        text=row["text"],
        parts=row["parts"],
        attempts=row["attempts"],
    )


def _hold(row: sqlite3.Row) -> Hold:
    return Hold(
        channel=row["channel"],
        failures=row["failures"],
        why=WhyHeld(row["why"]),
        problem=row["problem"],
        since_wall=from_text(row["since_wall"]),
        held_wall=from_text(row["held_wall"]),
        next_try_wall=from_text(row["next_try_wall"]),
    )

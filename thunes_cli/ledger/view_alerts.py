"""What was raised and what became of it, for ``thunes alerts list``. Only sqlite3 is needed."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.ledger.alert_delivery import Hold, MessageState, read_holds
from thunes_cli.ledger.alert_mutes import Mute, read_mutes
from thunes_cli.ledger.alerts import Alert, Condition, alerts_of, read_conditions

LOG = "log"
# Alerts that no channel but the log has taken yet.
UNTAKEN = (
    "state = 'pending' AND NOT EXISTS (SELECT 1 FROM alert_deliveries AS d JOIN alert_messages AS m"
    " ON m.id = d.message_id WHERE d.alert_id = alerts.id AND d.channel <> 'log' AND m.state <> 'waiting')"
)


class Delivery(NamedTuple):
    """What became of an alert on one channel; ``ended_wall`` is network time."""

    channel: str
    state: MessageState
    ended_wall: datetime | None
    error: str | None


class Told(NamedTuple):
    """An alert and its deliveries. ``done``: every channel of the daemon has it, or gave it up.

    ``expired``: it waited in the backup that this ledger was restored from.
    """

    alert: Alert
    done: bool
    expired: bool
    deliveries: tuple[Delivery, ...]

    @property
    def state(self) -> str:
        """``expired`` when it goes out no more, ``dropped`` when a channel refused it, ``sent`` when one that is no log
        has it, else ``waiting``."""
        if self.expired:
            return "expired"
        states = {delivery.state for delivery in self.deliveries if delivery.channel != LOG}
        if MessageState.DROPPED in states:
            return "dropped"
        if self.done or (states and states == {MessageState.SENT}):
            return "sent"
        return "waiting"


class AlertsView(NamedTuple):
    """Alerts, oldest first, and how things stand."""

    told: tuple[Told, ...]
    waiting: int
    conditions: tuple[Condition, ...]
    mutes: tuple[Mute, ...]
    holds: tuple[Hold, ...]


def read_alerts(connection: sqlite3.Connection, *, since: datetime, kind: str | None = None) -> AlertsView:
    """What was raised since a market time, of one kind or of all."""
    rows = connection.execute(
        "SELECT * FROM alerts WHERE created_at >= ? AND (? IS NULL OR kind = ?) ORDER BY id",
        (to_text(since), kind, kind),
    ).fetchall()
    deliveries: dict[int, list[Delivery]] = {}
    if rows:
        for row in connection.execute(
            "SELECT d.alert_id, d.channel, m.state, m.ended_wall, m.error FROM alert_deliveries AS d"
            " JOIN alert_messages AS m ON m.id = d.message_id WHERE d.alert_id >= ? ORDER BY d.alert_id, d.channel",
            (rows[0]["id"],),
        ):
            ended = from_text(row["ended_wall"]) if row["ended_wall"] else None
            delivery = Delivery(row["channel"], MessageState(row["state"]), ended, row["error"])
            deliveries.setdefault(row["alert_id"], []).append(delivery)
    told = (
        Told(alert, row["state"] == "done", row["state"] == "expired", tuple(deliveries.get(alert.id, ())))
        for row, alert in zip(rows, alerts_of(rows), strict=True)
    )
    return AlertsView(
        told=tuple(told),
        waiting=count_waiting(connection),
        conditions=tuple(read_conditions(connection)),
        mutes=tuple(read_mutes(connection)),
        holds=tuple(read_holds(connection)),
    )


def count_waiting(connection: sqlite3.Connection) -> int:
    """Alerts that no channel but the log has taken yet."""
    row = connection.execute(f"SELECT count(*) FROM alerts WHERE {UNTAKEN}").fetchone()  # noqa: S608 - a constant
    return int(row[0])

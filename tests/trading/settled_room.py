"""What a settled comparison left behind: alerts and records."""

from __future__ import annotations

import json

from queued_alerts import pending_alerts
from trading_room import Room


def alerts(room: Room, kind: str = "reconcile") -> list[str]:
    """The texts of a kind that wait to be told."""
    with room.journal.read() as connection:
        return [alert.text for alert in pending_alerts(connection) if alert.kind == kind]


def events(room: Room, name: str) -> list[dict[str, object]]:
    """The records of an event."""
    lines = room.journal.trail.path.read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == name]

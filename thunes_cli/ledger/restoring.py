"""What changes in a ledger that comes back from a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import to_ms, to_text
from thunes_cli.ledger import orders
from thunes_cli.ledger.alerts import LOUDEST_FIRST, Severity
from thunes_cli.ledger.segments import CheckpointRow, Segment, close_segment, save_checkpoint
from thunes_cli.ledger.view_alerts import UNTAKEN
from thunes_cli.model import Order, OrderState

_LONGEST_RECV_WINDOW_MS = 60_000  # what the exchange accepts at most


class LiveEnd(NamedTuple):
    """Where a trail ends that went on after the backup: its open segment, and the last whole record in it."""

    segment: int
    length: int
    seq: int
    hash: str
    last_bytes: int


def continue_trail(
    connection: sqlite3.Connection,
    end: LiveEnd,
    *,
    closed: Sequence[Segment],
    checkpoint: CheckpointRow | None,
    at: datetime,
) -> None:
    """Go on where the files end: what waited in the backup's outbox is in them already."""
    known = {row[0] for row in connection.execute("SELECT number FROM audit_segments")}
    for segment in closed:
        if segment.number not in known:
            close_segment(connection, segment, at=at)
    connection.execute("DELETE FROM audit_outbox")
    connection.execute(
        "UPDATE audit_head SET seq = ?, hash = ?, segment = ?, durable_seq = ?, durable_hash = ?, durable_length = ?,"
        " durable_last_bytes = ?, problem = NULL, problem_wall = NULL",
        (end.seq, end.hash, end.segment, end.seq, end.hash, end.length, end.last_bytes),
    )
    if checkpoint is not None:
        save_checkpoint(connection, checkpoint)


class Unsent(NamedTuple):
    """Alerts of one kind and severity that no channel but the log has taken."""

    kind: str
    severity: Severity
    times: int


def read_unsent(connection: sqlite3.Connection) -> list[Unsent]:
    """What waits, the loudest first."""
    rows = connection.execute(
        f"SELECT kind, severity, count(*) AS times FROM alerts WHERE {UNTAKEN}"  # noqa: S608 - a constant
        " GROUP BY kind, severity ORDER BY min(id)"
    )
    found = [Unsent(row["kind"], Severity(row["severity"]), row["times"]) for row in rows]
    return sorted(found, key=lambda each: LOUDEST_FIRST.index(each.severity))


def expire_alerts(connection: sqlite3.Connection) -> list[Unsent]:
    """What waited when the backup was taken is news of another day, and mostly was told since: it goes out no more.

    Returns what no channel had. It stays in the list of alerts.
    """
    unsent = read_unsent(connection)
    connection.execute(f"UPDATE alerts SET state = 'expired' WHERE {UNTAKEN}")  # noqa: S608 - a constant
    connection.execute("UPDATE alerts SET state = 'done' WHERE state = 'pending'")
    waiting = "SELECT id FROM alert_messages WHERE state = 'waiting'"
    connection.execute(f"DELETE FROM alert_deliveries WHERE message_id IN ({waiting})")  # noqa: S608 - a constant
    connection.execute("DELETE FROM alert_messages WHERE state = 'waiting'")
    return unsent


def know_epochs(connection: sqlite3.Connection, epochs: Iterable[str], *, wall: datetime) -> None:
    """Epochs that the replaced home drew after the backup: their orders are ours, and they are never drawn again."""
    connection.executemany(
        "INSERT INTO epochs (epoch, drawn_wall, why) VALUES (?, ?, 'found') ON CONFLICT DO NOTHING",
        [(epoch, to_text(wall)) for epoch in sorted(epochs)],
    )


def forget_daemon(connection: sqlite3.Connection) -> None:
    """Whoever ran when the backup was made runs no more, and never ran here."""
    connection.execute("DELETE FROM daemon")


def doubt_unfinished(connection: sqlite3.Connection, *, at: datetime) -> list[Order]:
    """Nobody here owns an order under way, and one that was not sent yet may have been since: returns those.

    They count as sent when they were decided, with the longest recvWindow this home ever sent with.
    """
    connection.execute(
        "UPDATE orders SET owner_pid = NULL, owner_boot = NULL, owner_started = NULL, sent_boot = NULL,"
        " last_absence_boot = NULL WHERE state IN ('INTENT', 'SENT', 'UNKNOWN', 'ACKED')"
    )
    longest = connection.execute("SELECT max(recv_window_ms) FROM orders").fetchone()[0] or _LONGEST_RECV_WINDOW_MS
    decided = orders.list_orders(connection, state=OrderState.INTENT)
    for order in decided:
        orders.change_state(
            connection,
            order.id,
            expected=(OrderState.INTENT,),
            to=OrderState.UNKNOWN,
            at=at,
            sent_timestamp_ms=to_ms(order.created_at),
            recv_window_ms=longest,
        )
    return decided

"""What changes in a ledger that comes back from a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from thunes_cli.ledger.segments import CheckpointRow, Segment, close_segment, save_checkpoint


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


def forget_daemon(connection: sqlite3.Connection) -> None:
    """Whoever ran when the backup was made runs no more, and never ran here."""
    connection.execute("DELETE FROM daemon")

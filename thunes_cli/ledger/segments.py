"""The trail's closed segments and its newest checkpoint, as the ledger knows them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import from_text, to_text


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed segment. ``last_hash`` is that of its last record, ``sha256`` that of the whole file.

    ``last_bytes`` is the length of the last line; 0 when the file was closed as it was found, damaged.
    """

    number: int
    last_seq: int
    last_hash: str
    last_bytes: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """The newest checkpoint.

    It covers ``length`` bytes of a segment, whose SHA-256 is ``sha256`` and whose last record is ``seq`` with
    ``line_hash``. ``note`` is the signed text, ``file_length`` how much of the checkpoint file is written;
    ``announced_seq`` is the record that tells of it.
    """

    segment: int
    seq: int
    length: int
    sha256: str
    line_hash: str
    note: str
    announced_seq: int
    file_length: int
    at_wall: datetime


def close_segment(connection: sqlite3.Connection, segment: Segment, *, at: datetime) -> None:
    """Close the current segment: what is recorded from now on opens the next one."""
    connection.execute(
        "INSERT INTO audit_segments (number, last_seq, last_hash, last_bytes, length, sha256, closed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            segment.number,
            segment.last_seq,
            segment.last_hash,
            segment.last_bytes,
            segment.length,
            segment.sha256,
            to_text(at),
        ),
    )
    connection.execute(
        "UPDATE audit_head SET segment = ?, durable_length = 0, durable_last_bytes = 0", (segment.number + 1,)
    )


def read_segment(connection: sqlite3.Connection, number: int) -> Segment | None:
    """A closed segment; None while it is open, or before the first."""
    row = connection.execute("SELECT * FROM audit_segments WHERE number = ?", (number,)).fetchone()
    if row is None:
        return None
    return Segment(
        number=row["number"],
        last_seq=row["last_seq"],
        last_hash=row["last_hash"],
        last_bytes=row["last_bytes"],
        length=row["length"],
        sha256=row["sha256"],
    )


def read_checkpoint(connection: sqlite3.Connection) -> CheckpointRow | None:
    """The newest checkpoint, or None before the first."""
    row = connection.execute("SELECT * FROM audit_checkpoint").fetchone()
    if row is None:
        return None
    return CheckpointRow(
        segment=row["segment"],
        seq=row["seq"],
        length=row["length"],
        sha256=row["sha256"],
        line_hash=row["line_hash"],
        note=row["note"],
        announced_seq=row["announced_seq"],
        file_length=row["file_length"],
        at_wall=from_text(row["at_wall"]),
    )


def save_checkpoint(connection: sqlite3.Connection, checkpoint: CheckpointRow) -> None:
    """Remember the newest checkpoint; the older ones are in their file."""
    connection.execute(
        "INSERT OR REPLACE INTO audit_checkpoint (id, segment, seq, length, sha256, line_hash, note, announced_seq,"
        " file_length, at_wall) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            checkpoint.segment,
            checkpoint.seq,
            checkpoint.length,
            checkpoint.sha256,
            checkpoint.line_hash,
            checkpoint.note,
            checkpoint.announced_seq,
            checkpoint.file_length,
            to_text(checkpoint.at_wall),
        ),
    )

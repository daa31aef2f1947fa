"""The trail's rows: its head, and the records that are committed but not yet known to be in the file."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Head(NamedTuple):
    """``seq``/``hash``: the newest record made. ``durable_*``: the newest one known to be in the file.

    ``durable_length`` is the length in bytes, up to there, of the file that is ``segment``; ``durable_last_bytes`` the
    length of its last line. ``problem``: why the file cannot be written now. ``tampered``: what was found changed
    behind the end. ``signer``: the public key announced last.
    """

    seq: int
    hash: str
    segment: int
    durable_seq: int
    durable_hash: str
    durable_length: int
    durable_last_bytes: int
    problem: str | None
    tampered: str | None
    signer: str | None


class Pending(NamedTuple):
    """A committed record that waits for the file."""

    seq: int
    line: bytes


def read_head(connection: sqlite3.Connection) -> Head:
    """The head of the trail."""
    row = connection.execute("SELECT * FROM audit_head").fetchone()
    return Head(
        seq=row["seq"],
        hash=row["hash"],
        segment=row["segment"],
        durable_seq=row["durable_seq"],
        durable_hash=row["durable_hash"],
        durable_length=row["durable_length"],
        durable_last_bytes=row["durable_last_bytes"],
        problem=row["problem"],
        tampered=row["tampered"],
        signer=row["signer"],
    )


def append(connection: sqlite3.Connection, *, seq: int, event: str, line: bytes, line_hash: str) -> None:
    """Queue a record and move the head; inside the transaction that changes the state."""
    connection.execute("INSERT INTO audit_outbox (seq, event, line) VALUES (?, ?, ?)", (seq, event, line))
    connection.execute("UPDATE audit_head SET seq = ?, hash = ?", (seq, line_hash))


def pending(connection: sqlite3.Connection, *, after: int, limit: int = 5000) -> list[Pending]:
    """Records that wait, oldest first."""
    rows = connection.execute(
        "SELECT seq, line FROM audit_outbox WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    ).fetchall()
    return [Pending(seq=row["seq"], line=row["line"]) for row in rows]


def outbox_size(connection: sqlite3.Connection) -> int:
    """How many records wait for the file."""
    return int(connection.execute("SELECT count(*) FROM audit_outbox").fetchone()[0])


def advance(connection: sqlite3.Connection, *, seq: int, line_hash: str, length: int, last_bytes: int) -> None:
    """Records up to ``seq`` are in the file, which now has ``length`` bytes: forget them here."""
    connection.execute(
        "UPDATE audit_head SET durable_seq = ?, durable_hash = ?, durable_length = ?, durable_last_bytes = ?,"
        " problem = NULL, problem_wall = NULL",
        (seq, line_hash, length, last_bytes),
    )
    connection.execute("DELETE FROM audit_outbox WHERE seq <= ?", (seq,))


def save_problem(connection: sqlite3.Connection, problem: str | None, *, at_wall: str) -> None:
    """Remember why the file cannot be written, for every process; None clears it."""
    connection.execute("UPDATE audit_head SET problem = ?, problem_wall = ?", (problem, problem and at_wall))


def save_tampered(connection: sqlite3.Connection, what: str | None) -> None:
    """Remember that older bytes of the trail are not what they were; None: they are again."""
    connection.execute("UPDATE audit_head SET tampered = ?", (what,))


def save_signer(connection: sqlite3.Connection, public_key: str) -> None:
    """Remember the public key that the trail announced."""
    connection.execute("UPDATE audit_head SET signer = ?", (public_key,))

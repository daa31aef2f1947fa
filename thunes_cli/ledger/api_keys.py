"""Every API key this home used, by fingerprint, and how one took another's place. No secret is in here."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.process import ProcessIdentity

STARTED, DONE, ROLLED_BACK, OUTSIDE = "started", "done", "rolled_back", "outside"
EXCHANGE, FIRST_USE = "exchange", "first use"


class KeyRow(NamedTuple):
    """One key. ``created_at`` is the exchange's word or, by ``created_by``, the first use; ``signer`` what signs.

    ``dead_at``: since when it is taken for deleted, by ``dead_by``'s word and, unless nobody could ask, ``dead_answer``
    of the exchange.
    """

    fingerprint: str
    signer: str | None
    kind: str
    source: str
    created_at: datetime
    created_by: str
    first_seen: datetime
    compromised_at: datetime | None
    compromised_why: str | None
    retired_at: datetime | None
    dead_at: datetime | None
    dead_by: str | None
    dead_answer: str | None


class RotationRow(NamedTuple):
    """One change of key. ``owner`` is the process that made it.

    ``daemon_code``: the exit code of ``daemon_problem``. ``old_accepted``, ``old_bound``: whether the exchange took the
    old key from this machine when it was replaced, and whether it was bound to addresses; None: not known.
    """

    id: int
    old_fingerprint: str | None
    new_fingerprint: str
    source: str
    reason: str
    actor: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    problem: str | None
    daemon_problem: str | None
    daemon_code: int | None
    old_accepted: bool | None
    old_bound: bool | None
    owner: ProcessIdentity


class NewKey(NamedTuple):
    """What is known of a key when it comes into use; ``created_at`` None: the exchange did not say."""

    fingerprint: str
    signer: str | None
    kind: str
    source: str
    created_at: datetime | None = None


def _key(row: sqlite3.Row) -> KeyRow:
    times = {name: from_text(row[name]) if row[name] else None for name in ("compromised_at", "retired_at", "dead_at")}
    return KeyRow(
        fingerprint=row["fingerprint"],
        signer=row["signer"],
        kind=row["kind"],
        source=row["source"],
        created_at=from_text(row["created_at"]),
        created_by=row["created_by"],
        first_seen=from_text(row["first_seen"]),
        compromised_why=row["compromised_why"],
        dead_by=row["dead_by"],
        dead_answer=row["dead_answer"],
        **times,
    )


def _rotation(row: sqlite3.Row) -> RotationRow:
    return RotationRow(
        id=row["id"],
        old_fingerprint=row["old_fingerprint"],
        new_fingerprint=row["new_fingerprint"],
        source=row["source"],
        reason=row["reason"],
        actor=row["actor"],
        state=row["state"],
        started_at=from_text(row["started_at"]),
        ended_at=from_text(row["ended_at"]) if row["ended_at"] else None,
        problem=row["problem"],
        daemon_problem=row["daemon_problem"],
        daemon_code=row["daemon_code"],
        old_accepted=_truth(row["old_accepted"]),
        old_bound=_truth(row["old_bound"]),
        owner=ProcessIdentity(row["owner_pid"], row["owner_boot"], row["owner_started"]),
    )


def _truth(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def read_keys(connection: sqlite3.Connection) -> list[KeyRow]:
    """Every key, oldest first."""
    return [_key(row) for row in connection.execute("SELECT * FROM api_keys ORDER BY first_seen, rowid")]


def current_key(connection: sqlite3.Connection) -> KeyRow | None:
    """The key in use, or None before the first contact with the exchange."""
    row = connection.execute("SELECT * FROM api_keys WHERE retired_at IS NULL").fetchone()
    return None if row is None else _key(row)


def undead_key(connection: sqlite3.Connection) -> KeyRow | None:
    """The key that was replaced last and is not known to be deleted at the exchange."""
    row = connection.execute(
        "SELECT * FROM api_keys WHERE retired_at IS NOT NULL AND dead_at IS NULL ORDER BY retired_at DESC LIMIT 1"
    ).fetchone()
    return None if row is None else _key(row)


def put_in_use(connection: sqlite3.Connection, key: NewKey, *, at: datetime) -> None:
    """From now on this is the key; the one before is retired."""
    now = to_text(at)
    connection.execute(
        "UPDATE api_keys SET retired_at = ? WHERE retired_at IS NULL AND fingerprint <> ?", (now, key.fingerprint)
    )
    created, by = (to_text(key.created_at), EXCHANGE) if key.created_at else (now, FIRST_USE)
    connection.execute(
        "INSERT INTO api_keys (fingerprint, signer, kind, source, created_at, created_by, first_seen)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET retired_at = NULL, dead_at = NULL,"
        " dead_by = NULL, dead_answer = NULL, source = excluded.source, signer = excluded.signer, kind = excluded.kind",
        (key.fingerprint, key.signer, key.kind, key.source, created, by, now),
    )


def note_facts(connection: sqlite3.Connection, key: NewKey) -> None:
    """What is known of a key in use by now: where it lives, what signs, and when the exchange says it was made."""
    connection.execute(
        "UPDATE api_keys SET source = ?, signer = ?, kind = ? WHERE fingerprint = ?",
        (key.source, key.signer, key.kind, key.fingerprint),
    )
    if key.created_at is not None:
        connection.execute(
            "UPDATE api_keys SET created_at = ?, created_by = ? WHERE fingerprint = ?",
            (to_text(key.created_at), EXCHANGE, key.fingerprint),
        )


def mark_compromised(connection: sqlite3.Connection, fingerprint: str, *, why: str, at: datetime) -> bool:
    """A key that somebody else may have; False when it was known already."""
    cursor = connection.execute(
        "UPDATE api_keys SET compromised_at = ?, compromised_why = ? WHERE fingerprint = ? AND compromised_at IS NULL",
        (to_text(at), why, fingerprint),
    )
    return cursor.rowcount == 1


def mark_dead(connection: sqlite3.Connection, fingerprint: str, *, by: str, answer: str | None, at: datetime) -> bool:
    """Somebody says that the key is deleted, and the exchange refuses it; False when that was known already."""
    cursor = connection.execute(
        "UPDATE api_keys SET dead_at = ?, dead_by = ?, dead_answer = ? WHERE fingerprint = ? AND dead_at IS NULL",
        (to_text(at), by, answer, fingerprint),
    )
    return cursor.rowcount == 1


# -- rotations -----------------------------------------------------------------------------------------------------


def read_rotations(connection: sqlite3.Connection) -> list[RotationRow]:
    """Every change of key, oldest first."""
    return [_rotation(row) for row in connection.execute("SELECT * FROM key_rotations ORDER BY id")]


def last_rotation(connection: sqlite3.Connection) -> RotationRow | None:
    """The newest change of key."""
    row = connection.execute("SELECT * FROM key_rotations ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else _rotation(row)


def add_rotation(
    connection: sqlite3.Connection,
    *,
    old: str | None,
    new: str,
    source: str,
    reason: str,
    actor: str,
    owner: ProcessIdentity,
    at: datetime,
    state: str = STARTED,
    old_accepted: bool | None = None,
    old_bound: bool | None = None,
) -> int:
    """A change of key begins, or (``outside``) was found to have happened."""
    row = connection.execute(
        "INSERT INTO key_rotations (old_fingerprint, new_fingerprint, source, reason, actor, state, started_at,"
        " ended_at, old_accepted, old_bound, owner_pid, owner_boot, owner_started)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            *(old, new, source, reason, actor, state, to_text(at)),
            *(None if state == STARTED else to_text(at), old_accepted, old_bound),
            *(owner.pid, owner.boot_id, owner.started),
        ),
    ).fetchone()
    return int(row["id"])


def end_rotation(
    connection: sqlite3.Connection, rotation: int, state: str, *, at: datetime, problem: str | None = None
) -> None:
    """It is done, or taken back."""
    connection.execute(
        "UPDATE key_rotations SET state = ?, ended_at = ?, problem = ? WHERE id = ?",
        (state, to_text(at), problem, rotation),
    )


def reopen_rotation(connection: sqlite3.Connection, rotation: int, *, problem: str) -> None:
    """It failed, or is about to be taken back: whoever finds it so compares, as after a start, and says why."""
    connection.execute(
        "UPDATE key_rotations SET state = 'started', ended_at = NULL, problem = ? WHERE id = ?", (problem, rotation)
    )


def note_daemon_problem(
    connection: sqlite3.Connection, rotation: int, problem: str | None, *, code: int | None = None
) -> None:
    """Why a running daemon goes on with the key before, and the exit code of that; None when it does not."""
    connection.execute(
        "UPDATE key_rotations SET daemon_problem = ?, daemon_code = ? WHERE id = ?", (problem, code, rotation)
    )

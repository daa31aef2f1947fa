"""What the daemon says of itself and of its jobs."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.model import Mode
from thunes_cli.process import ProcessIdentity

KEPT_RUNS = 50_000  # nearly a year of checks every ten minutes


class DaemonRow(NamedTuple):
    """The last daemon of this home; it runs when ``process`` is alive."""

    process: ProcessIdentity
    command: str
    since: datetime
    since_wall: datetime
    heartbeat_wall: datetime
    mode: Mode
    mode_reason: str | None
    stopped_cleanly: bool


def read_daemon(connection: sqlite3.Connection) -> DaemonRow | None:
    """The last daemon, or None when none ever ran."""
    row = connection.execute("SELECT * FROM daemon").fetchone()
    if row is None:
        return None
    return DaemonRow(
        process=ProcessIdentity(row["pid"], row["boot_id"], row["started"]),
        command=row["command"],
        since=from_text(row["since"]),
        since_wall=from_text(row["since_wall"]),
        heartbeat_wall=from_text(row["heartbeat_wall"]),
        mode=Mode(row["mode"]),
        mode_reason=row["mode_reason"],
        stopped_cleanly=bool(row["stopped_cleanly"]),
    )


def save_daemon(
    connection: sqlite3.Connection, process: ProcessIdentity, *, command: str, since: datetime, wall: datetime
) -> None:
    """A daemon has started."""
    connection.execute(
        "INSERT OR REPLACE INTO daemon (id, pid, boot_id, started, command, since, since_wall, heartbeat_wall, mode,"
        " stopped_cleanly) VALUES (1, ?, ?, ?, ?, ?, ?, ?, 'starting', 0)",
        (process.pid, process.boot_id, process.started, command, to_text(since), to_text(wall), to_text(wall)),
    )


def save_mode(connection: sqlite3.Connection, mode: Mode, *, reason: str | None = None) -> None:
    """What the daemon may do now."""
    connection.execute("UPDATE daemon SET mode = ?, mode_reason = ?", (mode, reason))


def beat(connection: sqlite3.Connection, wall: datetime) -> None:
    """The main loop makes progress."""
    connection.execute("UPDATE daemon SET heartbeat_wall = ?", (to_text(wall),))


def save_clean_stop(connection: sqlite3.Connection) -> None:
    """The daemon ends in order."""
    connection.execute("UPDATE daemon SET stopped_cleanly = 1")


class JobRow(NamedTuple):
    """The last run of a job; times are market times."""

    job: str
    planned_at: datetime
    started_at: datetime
    ended_at: datetime | None
    next_at: datetime | None
    outcome: str | None
    detail: str | None


def start_job(connection: sqlite3.Connection, job: str, *, planned_at: datetime, started_at: datetime) -> int:
    """A job begins; returns the row to end."""
    row = connection.execute(
        "INSERT INTO job_runs (job, planned_at, started_at) VALUES (?, ?, ?) RETURNING id",
        (job, to_text(planned_at), to_text(started_at)),
    ).fetchone()
    return int(row["id"])


def end_job(
    connection: sqlite3.Connection,
    run_id: int,
    *,
    ended_at: datetime,
    outcome: str,
    next_at: datetime | None,
    detail: str | None = None,
) -> None:
    """A job ended: ``ok``, ``failed``, ``missed`` or ``overrun``."""
    connection.execute(
        "UPDATE job_runs SET ended_at = ?, outcome = ?, next_at = ?, detail = ? WHERE id = ?",
        (to_text(ended_at), outcome, to_text(next_at) if next_at else None, detail, run_id),
    )


def last_point(connection: sqlite3.Connection, job: str) -> datetime | None:
    """The point (market time) for which a job was planned that ended well last; None before the first."""
    row = connection.execute(
        "SELECT planned_at FROM job_runs WHERE job = ? AND outcome = 'ok' ORDER BY id DESC LIMIT 1", (job,)
    ).fetchone()
    return None if row is None else from_text(row["planned_at"])


def end_interrupted(connection: sqlite3.Connection, *, at: datetime) -> int:
    """End the runs that no living daemon can end any more: its home has no other. Returns how many there were."""
    cursor = connection.execute(
        "UPDATE job_runs SET ended_at = ?, outcome = 'failed', detail = 'its process ended' WHERE ended_at IS NULL",
        (to_text(at),),
    )
    return cursor.rowcount


def forget_runs(connection: sqlite3.Connection, *, kept: int = KEPT_RUNS) -> None:
    """Forget the oldest runs; the newest of each job stays, whenever it was."""
    connection.execute(
        "DELETE FROM job_runs WHERE id <= (SELECT max(id) FROM job_runs) - ?"
        " AND id NOT IN (SELECT max(id) FROM job_runs GROUP BY job)",
        (kept,),
    )


def last_runs(connection: sqlite3.Connection) -> list[JobRow]:
    """The newest run of each job."""
    rows = connection.execute(
        "SELECT * FROM job_runs WHERE id IN (SELECT max(id) FROM job_runs GROUP BY job) ORDER BY job"
    ).fetchall()
    return [
        JobRow(
            job=row["job"],
            planned_at=from_text(row["planned_at"]),
            started_at=from_text(row["started_at"]),
            ended_at=from_text(row["ended_at"]) if row["ended_at"] else None,
            next_at=from_text(row["next_at"]) if row["next_at"] else None,
            outcome=row["outcome"],
            detail=row["detail"],
        )
        for row in rows
    ]

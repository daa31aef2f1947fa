"""The breaker's rows: its state, the failures that count, who holds the probe, and what a status command says.

Only the standard library is imported; the machine that moves between the states is in
:mod:`thunes_cli.exchange.breaker`.
"""

from __future__ import annotations

import enum
import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.ledger.controls import Transition, read_transitions
from thunes_cli.process import ProcessIdentity, boot_id

REST = "rest"  # the one breaker today: every REST call goes through it
CONTROL = "breaker"  # its name in the history of controls
OFTEN = 3  # trips a day; more than these are the operator's business, says the runbook


class BreakerState(enum.StrEnum):
    """pybreaker's states, by pybreaker's names."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class BreakerLimits(NamedTuple):
    """Opens at ``fail_max`` failures within ``window_s`` seconds and stays open for ``reset_s`` (network time)."""

    fail_max: int = 5
    window_s: float = 60.0
    reset_s: float = 60.0


def recorded_limits(limits: Mapping[str, Any]) -> BreakerLimits:
    """The settings in force, as the daemon recorded them; the defaults before it ever did."""
    usual = BreakerLimits()
    return BreakerLimits(
        fail_max=int(limits.get("breaker_fail_max", usual.fail_max)),
        window_s=float(limits.get("breaker_window_seconds", usual.window_s)),
        reset_s=float(limits.get("breaker_reset_seconds", usual.reset_s)),
    )


class ProbeLease(NamedTuple):
    """The one process that may try a half-open breaker, and until when (wall)."""

    owner: ProcessIdentity
    until_wall: datetime


class BreakerRow(NamedTuple):
    """The stored state. ``opened_*`` keep the last opening even after it closed: they tell one opening from the next.

    ``cause`` is why it opened last.
    """

    name: str
    state: BreakerState = BreakerState.CLOSED
    opened_wall: datetime | None = None
    opened_mono: float | None = None
    opened_boot: str | None = None
    cause: str | None = None
    lease: ProbeLease | None = None

    def waits_s(self, reset_s: float, *, wall: datetime, monotonic: float, boot: str) -> float:
        """Seconds until a probe may go out, 0 when it may: monotonic within a boot, else wall."""
        if self.state is not BreakerState.OPEN or self.opened_wall is None or self.opened_mono is None:
            return 0.0
        if self.opened_boot == boot:
            left = self.opened_mono + reset_s - monotonic
        else:
            left = (self.opened_wall - wall).total_seconds() + reset_s
        return min(max(left, 0.0), reset_s)  # a clock set back must not lengthen it


class BreakerStatus(NamedTuple):
    """What ``breaker status`` shows. An open breaker whose time is over is half-open: the next call is the probe."""

    name: str
    state: BreakerState
    fail_counter: int
    fail_max: int
    window_s: float
    opened_at: datetime | None
    retry_in_s: float | None
    cause: str | None


def read_breaker(connection: sqlite3.Connection, name: str = REST) -> BreakerRow:
    """The stored state; closed when it never opened."""
    row = connection.execute("SELECT * FROM breaker WHERE name = ?", (name,)).fetchone()
    if row is None:
        return BreakerRow(name)
    lease = None
    if row["probe_until_wall"] is not None:
        owner = ProcessIdentity(row["probe_pid"], row["probe_boot"], row["probe_started"])
        lease = ProbeLease(owner, from_text(row["probe_until_wall"]))
    return BreakerRow(
        name=name,
        state=BreakerState(row["state"]),
        opened_wall=from_text(row["opened_wall"]) if row["opened_wall"] else None,
        opened_mono=row["opened_mono"],
        opened_boot=row["opened_boot"],
        cause=row["cause"],
        lease=lease,
    )


def save_opened(
    connection: sqlite3.Connection, name: str, *, cause: str, wall: datetime, monotonic: float, boot: str
) -> None:
    """It opens, now; a probe under way is over."""
    connection.execute(
        "INSERT INTO breaker (name, state, opened_wall, opened_mono, opened_boot, cause) VALUES (?, 'open', ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET state = 'open', opened_wall = excluded.opened_wall,"
        " opened_mono = excluded.opened_mono, opened_boot = excluded.opened_boot, cause = excluded.cause,"
        " probe_pid = NULL, probe_boot = NULL, probe_started = NULL, probe_until_wall = NULL",
        (name, to_text(wall), monotonic, boot, cause),
    )


def save_state(connection: sqlite3.Connection, name: str, state: BreakerState) -> None:
    """Another state, without a probe and without touching when it opened."""
    connection.execute(
        "INSERT INTO breaker (name, state) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state,"
        " probe_pid = NULL, probe_boot = NULL, probe_started = NULL, probe_until_wall = NULL",
        (name, state.value),
    )


def save_lease(connection: sqlite3.Connection, name: str, lease: ProbeLease | None) -> None:
    """Who may probe; None gives the probe back."""
    owner = lease.owner if lease is not None else None
    connection.execute(
        "UPDATE breaker SET probe_pid = ?, probe_boot = ?, probe_started = ?, probe_until_wall = ? WHERE name = ?",
        (
            owner.pid if owner is not None else None,
            owner.boot_id if owner is not None else None,
            owner.started if owner is not None else None,
            to_text(lease.until_wall) if lease is not None else None,
            name,
        ),
    )


def add_failure(connection: sqlite3.Connection, name: str, *, cause: str, wall: datetime, window_s: float) -> None:
    """Count a failure, and forget those that no longer count (or lie ahead, after the clock was set back)."""
    window = timedelta(seconds=window_s)
    connection.execute(
        "DELETE FROM breaker_failures WHERE name = ? AND (at_wall <= ? OR at_wall > ?)",
        (name, to_text(wall - window), to_text(wall + window)),
    )
    connection.execute(
        "INSERT INTO breaker_failures (name, at_wall, cause) VALUES (?, ?, ?)", (name, to_text(wall), cause)
    )


def count_failures(connection: sqlite3.Connection, name: str, *, wall: datetime, window_s: float) -> int:
    """Failures within the window before ``wall``, whatever lies between them."""
    row = connection.execute(
        "SELECT count(*) FROM breaker_failures WHERE name = ? AND at_wall > ?",
        (name, to_text(wall - timedelta(seconds=window_s))),
    ).fetchone()
    return int(row[0])


def clear_failures(connection: sqlite3.Connection, name: str) -> None:
    """Start counting at zero."""
    connection.execute("DELETE FROM breaker_failures WHERE name = ?", (name,))


def breaker_status(
    connection: sqlite3.Connection,
    now_wall: datetime,
    *,
    limits: BreakerLimits | None = None,
    name: str = REST,
    monotonic: float | None = None,
    boot: str | None = None,
) -> BreakerStatus:
    """The true state now, computed from what is stored; nothing is written.

    ``limits`` are those in force; ``monotonic`` and ``boot`` are this machine's, read when not given.
    """
    limits = limits or BreakerLimits()
    row = read_breaker(connection, name)
    left = row.waits_s(
        limits.reset_s,
        wall=now_wall,
        monotonic=time.monotonic() if monotonic is None else monotonic,
        boot=boot_id() if boot is None else boot,
    )
    state = BreakerState.HALF_OPEN if row.state is BreakerState.OPEN and left <= 0 else row.state
    closed = state is BreakerState.CLOSED
    return BreakerStatus(
        name=name,
        state=state,
        fail_counter=count_failures(connection, name, wall=now_wall, window_s=limits.window_s),
        fail_max=limits.fail_max,
        window_s=limits.window_s,
        opened_at=None if closed else row.opened_wall,
        retry_in_s=None if closed else left,
        cause=None if closed else row.cause,
    )


def breaker_names(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Every breaker there is: the REST calls' own, and whatever else ever opened."""
    rows = connection.execute("SELECT name FROM breaker WHERE name <> ? ORDER BY name", (REST,)).fetchall()
    return (REST, *(row["name"] for row in rows))


def breaker_transitions(
    connection: sqlite3.Connection, *, since: datetime | None = None, since_wall: datetime | None = None
) -> list[Transition]:
    """What the breakers did, oldest first: all of it, or since a market time, or since a wall time."""
    return read_transitions(connection, CONTROL, since=since, since_wall=since_wall)


def count_trips(connection: sqlite3.Connection, *, since_wall: datetime) -> int:
    """How often one opened from closed since then; a probe that fails goes on with the same trip."""
    row = connection.execute(
        "SELECT count(*) FROM control_history WHERE control = ? AND from_state = ? AND to_state = ? AND at_wall >= ?",
        (CONTROL, BreakerState.CLOSED, BreakerState.OPEN, to_text(since_wall)),
    ).fetchone()
    return int(row[0])

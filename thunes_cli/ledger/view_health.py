"""The rows that tell whether all is well, read together. What they mean is judged in :mod:`thunes_cli.ops.health`.

Named tuples: to make a frozen dataclass takes Python up to a millisecond, and scripts call ``status`` all day.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from thunes_cli.clock import from_text, utc_midnight
from thunes_cli.ledger import bans, breakers, controls, fills, known, order_numbers, orders, outbox, positions
from thunes_cli.ledger.backups import BackupRow, newest_backup
from thunes_cli.ledger.daemon import DaemonRow, JobRow, last_runs, read_daemon
from thunes_cli.model import Position
from thunes_cli.process import boot_id


class Reconciled(NamedTuple):
    """The last comparison with the exchange."""

    at: datetime
    clean: bool


class HardExit(NamedTuple):
    """An open position that is to be sold and could not be yet.

    ``attempts`` counts orders; ``alerted``: the operator was told that it is blocked.
    """

    position: Position
    attempts: int
    alerted: bool


class HealthRows(NamedTuple):
    """One snapshot. ``limits`` and ``feed`` are what the daemon recorded, empty before it ever did.

    ``ban_left_s`` is what is left of a ban in force; ``key_rejected``: the exchange refused our key last. ``quote`` is
    what ``daily_pnl`` is counted in, empty where there are several, or no position ever was.
    """

    daemon: DaemonRow | None
    jobs: tuple[JobRow, ...]
    kill_switch: controls.KillSwitch
    frozen: tuple[controls.Freeze, ...]
    breaker: breakers.BreakerStatus
    ban: bans.Ban | None
    ban_left_s: float
    key_rejected: bool
    limits: Mapping[str, Any]
    feed: Mapping[str, Any]
    feed_at: datetime | None
    positions: tuple[Position, ...]
    hard_exits: tuple[HardExit, ...]
    daily_pnl: Decimal
    quote: str
    unfinished: tuple[orders.Sending, ...]
    reconciled: Reconciled | None
    backup: BackupRow | None
    audit_head: outbox.Head
    audit_outbox: int


def read_health(connection: sqlite3.Connection, *, now: datetime, wall: datetime) -> HealthRows:
    """Everything ``thunes status`` needs; ``now`` is market time."""
    limits = known.read_known(connection, known.LIMITS)
    feed = known.read_known(connection, known.FEED)
    values = limits[0] if limits else {}
    held = tuple(positions.open_positions(connection))
    monotonic, boot = time.monotonic(), boot_id()
    ban = bans.active_ban(connection, wall=wall, monotonic=monotonic, boot=boot)
    return HealthRows(
        daemon=read_daemon(connection),
        jobs=tuple(last_runs(connection)),
        kill_switch=controls.read_kill_switch(connection),
        frozen=tuple(controls.frozen_symbols(connection).values()),
        breaker=breakers.breaker_status(connection, wall, limits=breakers.recorded_limits(values)),
        ban=ban,
        ban_left_s=ban.left_s(wall=wall, monotonic=monotonic, boot=boot) if ban is not None else 0.0,
        key_rejected=controls.key_is_rejected(connection),
        limits=values,
        feed=feed[0] if feed else {},
        feed_at=feed[1] if feed else None,
        positions=held,
        hard_exits=_hard_exits(connection, held),
        daily_pnl=fills.realized_since(connection, utc_midnight(now)),
        quote=positions.traded_quote(connection),
        unfinished=tuple(orders.unfinished(connection)),
        reconciled=_last_reconcile(connection),
        backup=newest_backup(connection),
        audit_head=outbox.read_head(connection),
        audit_outbox=outbox.outbox_size(connection),
    )


def _hard_exits(connection: sqlite3.Connection, held: tuple[Position, ...]) -> tuple[HardExit, ...]:
    alerted = {row["key"] for row in connection.execute("SELECT key FROM alert_conditions WHERE kind = 'exit_blocked'")}
    return tuple(
        HardExit(position, order_numbers.last_attempt(connection, position.id), position.symbol in alerted)
        for position in held
        if position.exit_wanted is not None and position.exit_problem
    )


def _last_reconcile(connection: sqlite3.Connection) -> Reconciled | None:
    row = connection.execute("SELECT at, clean FROM reconcile_runs ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else Reconciled(from_text(row["at"]), bool(row["clean"]))

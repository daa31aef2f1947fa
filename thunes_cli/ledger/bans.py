"""The exchange's order to be silent, and how much of its patience is used; both for every process and restart."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import from_text, to_text

CONTROL = "rate_gate"  # its name in the history of controls


@dataclass(frozen=True, slots=True)
class Ban:
    """Silence until then: ``until_mono`` counts within the boot ``boot_id``, ``until_wall`` after a reboot.

    ``status`` is the HTTP status that ordered it, ``consecutive`` how many bans came without a good answer between,
    ``since_wall`` when it was ordered.
    """

    until_wall: datetime
    until_mono: float
    boot_id: str
    status: int
    consecutive: int
    since_wall: datetime

    def left_s(self, *, wall: datetime, monotonic: float, boot: str) -> float:
        """Seconds of silence left, 0 when it is over."""
        if self.boot_id == boot:
            return max(self.until_mono - monotonic, 0.0)
        # A wall clock that was set back must not lengthen the ban.
        longest = self.until_wall - self.since_wall
        return max(min(self.until_wall - wall, longest).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True)
class RateUsage:
    """What the exchange's headers said last, at ``at_wall``; None where they said nothing."""

    used_weight_1m: int | None
    limit_1m: int | None
    order_count_10s: int | None
    order_count_1d: int | None
    at_wall: datetime


def read_ban(connection: sqlite3.Connection) -> Ban | None:
    """The last ban, in force or over; None after the exchange has answered again."""
    row = connection.execute("SELECT * FROM ban").fetchone()
    if row is None:
        return None
    return Ban(
        until_wall=from_text(row["until_wall"]),
        until_mono=row["until_mono"],
        boot_id=row["boot_id"],
        status=row["status"],
        consecutive=row["consecutive"],
        since_wall=from_text(row["since_wall"]),
    )


def active_ban(connection: sqlite3.Connection, *, wall: datetime, monotonic: float, boot: str) -> Ban | None:
    """The ban in force now, or None."""
    ban = read_ban(connection)
    return ban if ban is not None and ban.left_s(wall=wall, monotonic=monotonic, boot=boot) > 0 else None


def save_ban(connection: sqlite3.Connection, ban: Ban) -> None:
    """Order silence."""
    connection.execute(
        "INSERT INTO ban (id, until_wall, until_mono, boot_id, status, consecutive, since_wall)"
        " VALUES (1, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET until_wall = excluded.until_wall,"
        " until_mono = excluded.until_mono, boot_id = excluded.boot_id, status = excluded.status,"
        " consecutive = excluded.consecutive, since_wall = excluded.since_wall",
        (
            to_text(ban.until_wall),
            ban.until_mono,
            ban.boot_id,
            ban.status,
            ban.consecutive,
            to_text(ban.since_wall),
        ),
    )


def forget_ban(connection: sqlite3.Connection, ban: Ban) -> bool:
    """The exchange answered after this ban; False when another ban took its place."""
    cursor = connection.execute(
        "DELETE FROM ban WHERE until_mono = ? AND boot_id = ? AND consecutive = ?",
        (ban.until_mono, ban.boot_id, ban.consecutive),
    )
    return cursor.rowcount == 1


def read_usage(connection: sqlite3.Connection) -> RateUsage | None:
    """The last headers recorded."""
    row = connection.execute("SELECT * FROM rate_usage").fetchone()
    if row is None:
        return None
    return RateUsage(
        used_weight_1m=row["used_weight_1m"],
        limit_1m=row["limit_1m"],
        order_count_10s=row["order_count_10s"],
        order_count_1d=row["order_count_1d"],
        at_wall=from_text(row["at_wall"]),
    )


def save_usage(connection: sqlite3.Connection, usage: RateUsage) -> None:
    """Record the headers."""
    connection.execute(
        "INSERT INTO rate_usage (id, used_weight_1m, limit_1m, order_count_10s, order_count_1d, at_wall)"
        " VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET used_weight_1m = excluded.used_weight_1m,"
        " limit_1m = excluded.limit_1m, order_count_10s = excluded.order_count_10s,"
        " order_count_1d = excluded.order_count_1d, at_wall = excluded.at_wall",
        (
            usage.used_weight_1m,
            usage.limit_1m,
            usage.order_count_10s,
            usage.order_count_1d,
            to_text(usage.at_wall),
        ),
    )

"""The exchange's order to be silent, and how much of its patience is used; both for every process and restart."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from typing import NamedTuple

from thunes_cli.clock import EPOCH, from_text, to_text

MINUTE, TEN_SECONDS = timedelta(minutes=1), timedelta(seconds=10)
CONTROL = "rate_gate"  # its name in the history of controls


class Ban(NamedTuple):
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


class RateLimits(NamedTuple):
    """What the exchange allows: request weight in a minute, orders in ten seconds and in a day; None: not told."""

    weight_1m: int | None
    orders_10s: int | None
    orders_1d: int | None


class RateUsage(NamedTuple):
    """What the exchange said last of its limits and how much of them is used; None where it said nothing.

    Weight was read at ``at_wall``, order counts at ``orders_at_wall``. The exchange's windows are fixed: minutes begin
    at :00, ten seconds at :00, :10, …, days at midnight UTC; a count is worth nothing once its window is over.
    """

    at_wall: datetime
    used_weight_1m: int | None = None
    limit_1m: int | None = None
    order_count_10s: int | None = None
    order_count_1d: int | None = None
    order_limit_10s: int | None = None
    order_limit_1d: int | None = None
    orders_at_wall: datetime | None = None

    def weight_at(self, wall: datetime) -> int | None:
        """Weight used in the minute that holds ``wall``, as far as is known."""
        if self.used_weight_1m is None or window_end(self.at_wall, MINUTE) > wall >= self.at_wall:
            return self.used_weight_1m
        return 0

    def orders_wait_until(self, wall: datetime) -> datetime | None:
        """When the next order may be sent, because ten seconds' count is used up; None while it is not.

        The day's count never holds an order back: it falls whenever one of them fills, which nobody tells us.
        """
        count, limit, counted = self.order_count_10s, self.order_limit_10s, self.orders_at_wall
        if count is None or limit is None or counted is None or count < limit:
            return None
        end = window_end(counted, TEN_SECONDS)
        return end if counted <= wall < end else None


def window_end(wall: datetime, window: timedelta) -> datetime:
    """When the exchange's fixed window that holds ``wall`` is over."""
    return wall - (wall - EPOCH) % window + window


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


_USAGE = (
    *("used_weight_1m", "limit_1m", "order_count_10s", "order_count_1d", "order_limit_10s", "order_limit_1d"),
    *("at_wall", "orders_at_wall"),
)


def read_usage(connection: sqlite3.Connection) -> RateUsage | None:
    """What was recorded last."""
    row = connection.execute("SELECT * FROM rate_usage").fetchone()
    if row is None:
        return None
    return RateUsage(
        at_wall=from_text(row["at_wall"]),
        used_weight_1m=row["used_weight_1m"],
        limit_1m=row["limit_1m"],
        order_count_10s=row["order_count_10s"],
        order_count_1d=row["order_count_1d"],
        order_limit_10s=row["order_limit_10s"],
        order_limit_1d=row["order_limit_1d"],
        orders_at_wall=from_text(row["orders_at_wall"]) if row["orders_at_wall"] else None,
    )


def save_usage(connection: sqlite3.Connection, usage: RateUsage) -> None:
    """Record it."""
    values = {name: getattr(usage, name) for name in _USAGE}
    values["at_wall"] = to_text(usage.at_wall)
    values["orders_at_wall"] = to_text(usage.orders_at_wall) if usage.orders_at_wall else None
    columns = ", ".join(_USAGE)
    slots = ", ".join(f":{name}" for name in _USAGE)
    connection.execute(f"INSERT OR REPLACE INTO rate_usage (id, {columns}) VALUES (1, {slots})", values)  # noqa: S608 - names of ours

"""What clients have used of their limits, in fixed windows of wall time: minutes start at :00, days at midnight UTC.

Counts are kept in memory: they are of the network, and a new process is a new network edge. A ban outlives the
process that pronounced it: the client has been told how long to be quiet.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from thunes_cli.sim.bars import DAY, MINUTE, SECOND
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.rejection import ApiError

_MAKER_CREDIT: Final = 5
_RAW_SPAN: Final = 5 * MINUTE
# The exchange does not tell after how many requests in spite of a 429 it bans.
_PATIENCE: Final = 10
FIRST_BAN_MS: Final = 2 * MINUTE
_LONGEST_BAN_MS: Final = 3 * DAY
_TOO_MUCH: Final = (
    "Too much request weight used; current limit is {0}. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)
_BANNED: Final = (
    "Way too much request weight used; IP banned until {0}. "
    "Please use WebSocket Streams for live updates to avoid bans."
)


class FixedWindow:
    """Counts per key that fall back to zero whenever a new window begins."""

    def __init__(self, span: int) -> None:
        self.span = span
        self._slot = -1
        self._counts: dict[str, int] = {}

    def add(self, key: str, amount: int, wall: int) -> int:
        """Add to (or, negative, take from) a count; it never falls below zero. Returns the new count."""
        count = max(self.count(key, wall) + amount, 0)
        self._counts[key] = count
        return count

    def count(self, key: str, wall: int) -> int:
        """The count in the window that holds wall time ``wall`` (ms)."""
        slot = wall // self.span
        if slot != self._slot:
            self._slot, self._counts = slot, {}
        return self._counts.get(key, 0)

    def ends(self, wall: int) -> int:
        """When the window ends that holds wall time ``wall``, and the next one begins."""
        return (wall // self.span + 1) * self.span


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of what a client may use: request weight a minute, requests in 5 minutes, unfilled orders."""

    weight: int
    raw: int
    orders_10s: int
    orders_1d: int

    @classmethod
    def of(cls, options: SimOptions) -> Limits:
        """The limits of a served exchange."""
        return cls(options.weight_limit, options.raw_limit, options.order_limit_10s, options.order_limit_1d)

    def orders(self) -> tuple[dict[str, Any], ...]:
        """Those that ``GET rateLimit/order`` tells of."""
        return (
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self.orders_10s},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": self.orders_1d},
        )

    def all(self) -> tuple[dict[str, Any], ...]:
        """Those that ``exchangeInfo`` tells of."""
        return (
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight},
            *self.orders(),
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": self.raw},
        )


class Bans:
    """Addresses that are answered 418, until when (wall ms), and how often each has offended."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        rows = db.execute("SELECT address, until_ms, offences FROM bans")
        self._bans: dict[str, tuple[int, int]] = {address: (until, offences) for address, until, offences in rows}

    def until(self, address: str, wall: int) -> int | None:
        """When the address' ban is over, or None if it is not banned."""
        until, _ = self._bans.get(address, (0, 0))
        return until if until > wall else None

    def pronounce(self, address: str, wall: int, *, span: int | None = None) -> int:
        """Ban an address: for ``span`` ms, else for twice as long as the last time. Returns when it is over."""
        last, offences = self._bans.get(address, (0, 0))
        if last + _LONGEST_BAN_MS < wall:  # long ago: a clean slate
            offences = 0
        until = wall + (min(FIRST_BAN_MS << min(offences, 20), _LONGEST_BAN_MS) if span is None else span)
        self._bans[address] = (until, offences + 1)
        self._db.execute("INSERT OR REPLACE INTO bans VALUES (?, ?, ?)", (address, until, offences + 1))
        return until

    def lift(self) -> int:
        """Let everybody in again; how many were not."""
        lifted = len(self._bans)
        self._bans.clear()
        self._db.execute("DELETE FROM bans")
        return lifted

    def told(self, wall: int) -> list[dict[str, Any]]:
        """The bans in force, for people."""
        return [{"address": each, "until_ms": until} for each, (until, _) in self._bans.items() if until > wall]


def banned(until: int, wall: int) -> ApiError:
    """What a banned address reads."""
    return ApiError(
        -1003, _BANNED.format(until), status=418, retry_after_s=seconds_until(until, wall), retry_at_ms=until
    )


def too_much(limit: str, until: int, wall: int) -> ApiError:
    """What an address reads that has used up a limit."""
    return ApiError(-1003, _TOO_MUCH.format(limit), retry_after_s=seconds_until(until, wall), retry_at_ms=until)


def seconds_until(moment: int, wall: int) -> int:
    """Whole seconds from one wall time to another, at least one."""
    return max(-(-(moment - wall) // SECOND), 1)


class Usage:
    """Request weight by IP address, unfilled orders by account; ``requests`` counts calls by method and path."""

    def __init__(self, limits: Limits, bans: Bans) -> None:
        self.limits = limits
        self.bans = bans
        self.weight = FixedWindow(MINUTE)
        self.raw = FixedWindow(_RAW_SPAN)
        self._orders = (FixedWindow(10 * SECOND), FixedWindow(DAY))
        self._strikes = FixedWindow(_RAW_SPAN)
        self.requests: Counter[str] = Counter()

    def charge(self, address: str, weight: int, wall: int) -> None:
        """Count one request of a weight.

        Raises:
            ApiError: −1003, with 418 for a banned address, with 429 for one that has used up its limit.
        """
        until = self.bans.until(address, wall)
        if until is not None:
            raise banned(until, wall)
        raw = self.raw.add(address, 1, wall)
        used = self.weight.add(address, weight, wall)
        if used > self.limits.weight:
            self._strike(address, wall)
            raise too_much(f"{self.limits.weight} request weight per 1 MINUTE", self.weight.ends(wall), wall)
        if raw > self.limits.raw:
            self._strike(address, wall)
            raise too_much(f"{self.limits.raw} raw requests per 5 MINUTE", self.raw.ends(wall), wall)

    def _strike(self, address: str, wall: int) -> None:
        """Whoever goes on in spite of a 429 is banned."""
        if self._strikes.add(address, 1, wall) > _PATIENCE:
            raise banned(self.bans.pronounce(address, wall), wall)

    def refund(self, address: str, weight: int, wall: int) -> None:
        """Take a weight back: a successful order costs none."""
        self.weight.add(address, -weight, wall)

    def demand_room(self, account: str, wall: int) -> None:
        """Refuse a new order of an account with too many unfilled ones.

        Raises:
            ApiError: −1015 with 429.
        """
        for limit, window in zip(self.limits.orders(), self._orders, strict=True):
            if window.count(account, wall) >= limit["limit"]:
                span = f"{limit['intervalNum']} {limit['interval']}"
                message = f"Too many new orders; current limit is {limit['limit']} orders per {span}."
                end = window.ends(wall)
                raise ApiError(-1015, message, retry_after_s=seconds_until(end, wall), retry_at_ms=end)

    def order_placed(self, account: str, wall: int, *, filled: bool) -> None:
        """Count a new order; a first fill as taker takes it off again."""
        for window in self._orders:
            window.add(account, 0 if filled else 1, wall)

    def first_fill(self, account: str, wall: int, *, as_maker: bool) -> None:
        """An order's first fill later on takes it off the count; as maker it is rewarded with more than itself."""
        for window in self._orders:
            window.add(account, -_MAKER_CREDIT if as_maker else -1, wall)

    def weight_headers(self, address: str, wall: int) -> dict[str, str]:
        """What every reply carries."""
        used = str(self.weight.count(address, wall))
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def order_headers(self, account: str, wall: int) -> dict[str, str]:
        """What the reply to a successful order carries."""
        seconds, day = (str(window.count(account, wall)) for window in self._orders)
        return {"X-MBX-ORDER-COUNT-10S": seconds, "X-MBX-ORDER-COUNT-1D": day}

    def order_counts(self, account: str, wall: int) -> list[dict[str, Any]]:
        """The reply to ``GET rateLimit/order``."""
        return [
            limit | {"count": window.count(account, wall)}
            for limit, window in zip(self.limits.orders(), self._orders, strict=True)
        ]

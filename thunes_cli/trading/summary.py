"""The day in numbers, from the ledger alone: what the daily summary says."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from thunes_cli.clock import to_text
from thunes_cli.ledger import alerts, bans, breakers, fills, orders, outbox, positions, reconcile
from thunes_cli.ledger.alert_delivery import read_holds
from thunes_cli.ledger.known import FEED, LIMITS, read_known, read_prices
from thunes_cli.ledger.view_kill_switch import Standing, read_standing
from thunes_cli.model import ZERO, Position, plain
from thunes_cli.trading.accounting import unrealized

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Result:
    """What a span of market time brought; money in quote, fees taken off. ``unvalued`` counts fees of unknown worth."""

    realized: Decimal
    fees: Decimal
    unvalued: int
    trades: int
    wins: int


@dataclass(frozen=True, slots=True)
class DaySummary:
    """A span up to ``until``, and how everything stands ``now`` (market time). ``late``: nobody ran at ``until``.

    ``prices`` are the last ones seen; ``unrealized`` leaves out what has none.
    """

    since: datetime
    until: datetime
    now: datetime
    late: bool
    result: Result
    unrealized: Decimal
    held: tuple[Position, ...]
    prices: Mapping[str, tuple[Decimal, datetime]]
    limits: Mapping[str, Any]
    standing: Standing
    breaker: breakers.BreakerStatus
    trips: int
    ban: bans.Ban | None
    feed: Mapping[str, Any]
    feed_at: datetime | None
    reconciled: reconcile.Run | None
    unresolved: int
    head: outbox.Head
    unwritten: int
    conditions: tuple[alerts.Condition, ...]
    failing_channels: tuple[str, ...]

    def facts(self) -> dict[str, str | int | bool]:
        """For the trail."""
        return {
            "since": to_text(self.since),
            "until": to_text(self.until),
            "late": self.late,
            "realized": plain(self.result.realized),
            "unrealized": plain(self.unrealized),
            "fees": plain(self.result.fees),
            "trades": self.result.trades,
            "wins": self.result.wins,
            "open_positions": len(self.held),
            "counted_loss": plain(self.standing.counted_loss),
            "kill_switch": self.standing.switch.active,
            "breaker_trips": self.trips,
        }


def summarize_day(
    connection: sqlite3.Connection,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    wall: datetime,
    late: bool = False,
) -> DaySummary:
    """What happened from ``since`` to ``until``, and how everything stands ``now``; ``wall`` is network time."""
    held = tuple(positions.open_positions(connection))
    prices = read_prices(connection)
    limits, feed = read_known(connection, LIMITS), read_known(connection, FEED)
    values = limits[0] if limits else {}
    return DaySummary(
        since=since,
        until=until,
        now=now,
        late=late,
        result=_result(connection, since, until),
        unrealized=sum((unrealized(each, prices[each.symbol][0]) for each in held if each.symbol in prices), ZERO),
        held=held,
        prices=prices,
        limits=values,
        standing=read_standing(connection, now),
        breaker=breakers.breaker_status(connection, wall, limits=breakers.recorded_limits(values)),
        trips=breakers.count_trips(connection, since_wall=wall - DAY),
        ban=bans.read_ban(connection),
        feed=feed[0] if feed else {},
        feed_at=feed[1] if feed else None,
        reconciled=reconcile.last_run(connection),
        unresolved=orders.count_unresolved(connection),
        head=outbox.read_head(connection),
        unwritten=outbox.outbox_size(connection),
        conditions=tuple(alerts.read_conditions(connection)),
        failing_channels=tuple(hold.channel for hold in read_holds(connection)),
    )


def _result(connection: sqlite3.Connection, since: datetime, until: datetime) -> Result:
    booked = fills.result_between(connection, since, until)
    closed = [
        position
        for position in positions.all_positions(connection)
        if position.was_traded_away and position.exit_time and since <= position.exit_time < until
    ]
    wins = sum(position.realized > 0 for position in closed)
    return Result(booked.realized, booked.fees, booked.unvalued, trades=len(closed), wins=wins)

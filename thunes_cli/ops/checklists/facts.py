"""What the checklists look at: one snapshot of the ledger, the log's errors and the disk."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from thunes_cli.config.home import LOG
from thunes_cli.exchange.key_rules import Due, due
from thunes_cli.ledger import breakers
from thunes_cli.ledger.alert_delivery import Hold, read_holds
from thunes_cli.ledger.api_keys import current_key
from thunes_cli.ledger.backups import BackupRow, last_good_backup
from thunes_cli.ledger.identity import Identity, read_identity
from thunes_cli.ledger.view_checks import (
    TradingRecord,
    count_alerts,
    count_decisions,
    count_unknown_orders,
    last_ended_well,
    read_record,
)
from thunes_cli.ledger.view_health import read_health
from thunes_cli.ledger.view_pnl import PnlRows, read_pnl
from thunes_cli.ops.checklists.log_errors import count_errors
from thunes_cli.ops.health import Health, judge
from thunes_cli.trading.performance import EquityCurve, equity_curve

DAY = timedelta(days=1)
WEEK, MONTH = timedelta(days=7), timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Facts:
    """``now`` is market time, ``wall`` network time; counts are of the last day, week or thirty days before them.

    ``key_due`` is None before a key was used, ``log_errors`` where there is no log; ``disk_used`` is a part of one.
    """

    home: Path
    identity: Identity
    now: datetime
    wall: datetime
    health: Health
    record: TradingRecord
    pnl_month: PnlRows
    decisions: Mapping[str, int]
    alerts_day: Mapping[str, int]
    holds: tuple[Hold, ...]
    trips_day: int
    trips_week: int
    last_summary: datetime | None
    last_signal_check: datetime | None
    good_backup: BackupRow | None
    key_due: Due | None
    unknown_orders: int
    log_errors: int | None
    disk_used: float

    @property
    def curve(self) -> EquityCurve | None:
        """Equity day by day since the first contact, today included; None where it cannot be told."""
        if self.record.since is None:
            return None
        return equity_curve(
            self.record.results, capital=self.record.capital, first=self.record.since.date(), last=self.now.date()
        )

    @property
    def age(self) -> timedelta:
        """Since the first contact with the exchange, in market time."""
        return timedelta(0) if self.record.since is None else self.now - self.record.since

    @property
    def result_today(self) -> Decimal:
        """Realised, net of fees, of this UTC day."""
        return self.record.results.get(self.now.date(), Decimal(0))


def read_facts(connection: sqlite3.Connection, home: Path, *, now: datetime, wall: datetime) -> Facts:
    """Everything, from one snapshot."""
    rows = read_health(connection, now=now, wall=wall)
    usage = shutil.disk_usage(home)
    identity, key = read_identity(connection), current_key(connection)
    return Facts(
        home=home,
        identity=identity,
        now=now,
        wall=wall,
        health=judge(rows, now=now, wall=wall),
        record=read_record(connection),
        pnl_month=read_pnl(connection, since=now - MONTH),
        decisions=count_decisions(connection, since=now - MONTH),
        alerts_day=count_alerts(connection, since=now - DAY),
        holds=tuple(read_holds(connection)),
        trips_day=breakers.count_trips(connection, since_wall=wall - DAY),
        trips_week=breakers.count_trips(connection, since_wall=wall - WEEK),
        last_summary=last_ended_well(connection, "daily_summary"),
        last_signal_check=last_ended_well(connection, "signal_check"),
        good_backup=last_good_backup(connection),
        key_due=None if key is None else due(key, identity.environment, now=now),
        unknown_orders=count_unknown_orders(connection),
        log_errors=count_errors(home / LOG, since=wall - DAY),
        disk_used=usage.used / usage.total,
    )

"""What the checklists read of the ledger that other views do not give."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from thunes_cli.clock import from_text, to_text
from thunes_cli.ledger.baseline import baseline_taken, read_baseline
from thunes_cli.ledger.identity import read_identity
from thunes_cli.model import ZERO


@dataclass(frozen=True, slots=True)
class TradingRecord:
    """Results by UTC day (quote, net of fees), and what the account held of each quote asset at first contact.

    ``since``: the first contact, None before it.
    """

    results: Mapping[date, Decimal]
    capital: Decimal
    since: datetime | None


def read_record(connection: sqlite3.Connection) -> TradingRecord:
    """Of the exchange's present life: a wiped testnet begins anew."""
    epoch = read_identity(connection).exchange_epoch
    results: dict[date, Decimal] = {}
    for row in connection.execute("SELECT realized, traded_at FROM fills WHERE exchange_epoch = ?", (epoch,)):
        day = from_text(row["traded_at"]).date()
        results[day] = results.get(day, ZERO) + Decimal(row["realized"])
    quotes = {row[0] for row in connection.execute("SELECT DISTINCT quote FROM positions")}
    baseline = read_baseline(connection, exchange_epoch=epoch)
    capital = sum((baseline.get(quote, ZERO) for quote in quotes), ZERO)
    return TradingRecord(results, capital, baseline_taken(connection, exchange_epoch=epoch))


def count_decisions(connection: sqlite3.Connection, *, since: datetime) -> dict[str, int]:
    """Approved and rejected since a market time; exits are no decisions."""
    rows = connection.execute(
        "SELECT decision, count(*) FROM decisions WHERE at >= ? AND side = 'BUY' GROUP BY decision", (to_text(since),)
    )
    return {"approved": 0, "rejected": 0, **dict(rows.fetchall())}


def count_alerts(connection: sqlite3.Connection, *, since: datetime) -> dict[str, int]:
    """Alerts of some gravity since a market time, by kind; what was only information does not count."""
    rows = connection.execute(
        "SELECT kind, count(*) FROM alerts WHERE created_at >= ? AND severity <> 'info' AND phase <> 'over'"
        " GROUP BY kind ORDER BY kind",
        (to_text(since),),
    )
    return dict(rows.fetchall())


def last_ended_well(connection: sqlite3.Connection, job: str) -> datetime | None:
    """When a job last ended well, in market time."""
    row = connection.execute("SELECT max(ended_at) FROM job_runs WHERE job = ? AND outcome = 'ok'", (job,)).fetchone()
    return from_text(row[0]) if row[0] else None


def count_unknown_orders(connection: sqlite3.Connection) -> int:
    """Orders of others that nobody has accepted."""
    row = connection.execute("SELECT count(*) FROM external_orders WHERE accepted_at IS NULL").fetchone()
    return int(row[0])

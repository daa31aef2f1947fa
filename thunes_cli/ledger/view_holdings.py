"""What the ledger says an account must hold: what was there before us, what came and went, and what our fills did."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.ledger.fills import all_fills
from thunes_cli.ledger.known import read_baseline
from thunes_cli.model import Fill


@dataclass(frozen=True, slots=True)
class HoldingRows:
    """Of one exchange epoch. ``assets``: base and quote of each symbol; ``baseline`` is None before first contact.

    The baseline includes deposits, withdrawals and accepted differences.
    """

    fills: list[Fill]
    assets: dict[str, tuple[str, str]]
    baseline: dict[str, Decimal] | None


def read_holdings(connection: sqlite3.Connection, *, exchange_epoch: int) -> HoldingRows:
    """The rows from which an account's balances follow."""
    symbols = connection.execute("SELECT DISTINCT symbol, base, quote FROM orders").fetchall()
    baseline = read_baseline(connection, exchange_epoch=exchange_epoch)
    for row in connection.execute("SELECT asset, quantity FROM flows WHERE exchange_epoch = ?", (exchange_epoch,)):
        baseline[row["asset"]] = baseline.get(row["asset"], Decimal(0)) + Decimal(row["quantity"])
    known = connection.execute("SELECT 1 FROM baseline WHERE exchange_epoch = ? LIMIT 1", (exchange_epoch,)).fetchone()
    return HoldingRows(
        fills=all_fills(connection, exchange_epoch=exchange_epoch),
        assets={row["symbol"]: (row["base"], row["quote"]) for row in symbols},
        baseline=baseline if known is not None else None,
    )

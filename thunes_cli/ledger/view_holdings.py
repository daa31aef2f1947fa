"""What the ledger says an account must hold: what was there before us, what came and went, and what our fills did."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.ledger.baseline import baseline_taken, read_not_ours
from thunes_cli.ledger.fills import all_fills
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
    contact = baseline_taken(connection, exchange_epoch=exchange_epoch)
    return HoldingRows(
        fills=all_fills(connection, exchange_epoch=exchange_epoch),
        assets={row["symbol"]: (row["base"], row["quote"]) for row in symbols},
        baseline=None if contact is None else read_not_ours(connection, exchange_epoch=exchange_epoch),
    )

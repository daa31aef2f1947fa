"""What the account held before us, and what came and went without us: by asset, of one exchange epoch."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from thunes_cli.clock import from_text, to_text
from thunes_cli.model import ZERO, Balance, plain

_SINCE_CONTACT = ("flows", "cursors", "external_orders", "baseline", "exchange_epochs")


class FlowKind(enum.StrEnum):
    """ACCEPTED: the operator knows of a deposit, a withdrawal, a trade by hand. ADOPTED: left it for a position."""

    ACCEPTED = "accepted"
    ADOPTED = "adopted"


class EpochBegin(enum.StrEnum):
    """Why an exchange epoch began."""

    FIRST_CONTACT = "first contact"
    RESET = "reset"
    REBUILD = "rebuild"


def save_baseline(
    connection: sqlite3.Connection,
    balances: Mapping[str, Balance | Decimal],
    *,
    exchange_epoch: int,
    at: datetime,
    why: EpochBegin = EpochBegin.FIRST_CONTACT,
) -> None:
    """Record what the account holds that is not ours (an exchange epoch has one baseline, an empty one too)."""
    connection.execute(
        "INSERT INTO exchange_epochs (exchange_epoch, began_at, why) VALUES (?, ?, ?)",
        (exchange_epoch, to_text(at), why),
    )
    amounts = {asset: held.total if isinstance(held, Balance) else held for asset, held in balances.items()}
    connection.executemany(
        "INSERT INTO baseline (exchange_epoch, asset, quantity, at) VALUES (?, ?, ?, ?)",
        [(exchange_epoch, asset, plain(amount), to_text(at)) for asset, amount in sorted(amounts.items())],
    )


def forget_baseline(connection: sqlite3.Connection, *, exchange_epoch: int) -> None:
    """Take back a baseline that a rebuild replaces, and what was read and accepted since: as if never met."""
    for table in _SINCE_CONTACT:
        connection.execute(f"DELETE FROM {table} WHERE exchange_epoch = ?", (exchange_epoch,))  # noqa: S608 - our names


def baseline_taken(connection: sqlite3.Connection, *, exchange_epoch: int) -> datetime | None:
    """When the baseline was recorded (market time); None before the first contact."""
    row = connection.execute(
        "SELECT began_at FROM exchange_epochs WHERE exchange_epoch = ?", (exchange_epoch,)
    ).fetchone()
    return None if row is None else from_text(row["began_at"])


def read_baseline(connection: sqlite3.Connection, *, exchange_epoch: int) -> dict[str, Decimal]:
    """What the account held before us, by asset."""
    rows = connection.execute(
        "SELECT asset, quantity FROM baseline WHERE exchange_epoch = ?", (exchange_epoch,)
    ).fetchall()
    return {row["asset"]: Decimal(row["quantity"]) for row in rows}


def insert_flow(
    connection: sqlite3.Connection,
    asset: str,
    quantity: Decimal,
    *,
    kind: FlowKind,
    exchange_epoch: int,
    reason: str,
    actor: str,
    at: datetime,
) -> None:
    """Write down what came (> 0) or went (< 0) that no order of ours moved."""
    connection.execute(
        "INSERT INTO flows (exchange_epoch, asset, quantity, kind, reason, actor, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (exchange_epoch, asset, plain(quantity), kind, reason, actor, to_text(at)),
    )


def read_not_ours(connection: sqlite3.Connection, *, exchange_epoch: int) -> dict[str, Decimal]:
    """Baseline and flows together, by asset: what is in the account and not ours."""
    amounts = read_baseline(connection, exchange_epoch=exchange_epoch)
    for row in connection.execute("SELECT asset, quantity FROM flows WHERE exchange_epoch = ?", (exchange_epoch,)):
        amounts[row["asset"]] = amounts.get(row["asset"], ZERO) + Decimal(row["quantity"])
    return amounts

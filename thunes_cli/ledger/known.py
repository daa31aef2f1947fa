"""What a daemon found true and other commands repeat without settings or network: limits, feed, prices, baseline."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from thunes_cli.clock import from_text, to_text
from thunes_cli.model import Balance, plain

LIMITS = "limits"
FEED = "feed"
SYMBOLS = "symbols"


def save_known(connection: sqlite3.Connection, key: str, value: Mapping[str, Any], *, at: datetime) -> None:
    """Record a fact as a JSON object."""
    connection.execute(
        "INSERT INTO known (key, value, at) VALUES (?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at",
        (key, json.dumps(dict(value), sort_keys=True), to_text(at)),
    )


def read_known(connection: sqlite3.Connection, key: str) -> tuple[dict[str, Any], datetime] | None:
    """A recorded fact and when it was recorded."""
    row = connection.execute("SELECT value, at FROM known WHERE key = ?", (key,)).fetchone()
    return None if row is None else (json.loads(row["value"]), from_text(row["at"]))


def save_price(connection: sqlite3.Connection, symbol: str, price: Decimal, *, at: datetime) -> None:
    """Record the last price seen."""
    connection.execute(
        "INSERT INTO prices (symbol, price, at) VALUES (?, ?, ?)"
        " ON CONFLICT (symbol) DO UPDATE SET price = excluded.price, at = excluded.at",
        (symbol, plain(price), to_text(at)),
    )


def read_prices(connection: sqlite3.Connection) -> dict[str, tuple[Decimal, datetime]]:
    """The last price seen of each symbol, and when."""
    rows = connection.execute("SELECT symbol, price, at FROM prices").fetchall()
    return {row["symbol"]: (Decimal(row["price"]), from_text(row["at"])) for row in rows}


def save_baseline(
    connection: sqlite3.Connection, balances: Mapping[str, Balance], *, exchange_epoch: int, at: datetime
) -> None:
    """Record what the account holds at first contact (an exchange epoch has one baseline)."""
    connection.executemany(
        "INSERT INTO baseline (exchange_epoch, asset, quantity, at) VALUES (?, ?, ?, ?)",
        [(exchange_epoch, asset, plain(balance.total), to_text(at)) for asset, balance in sorted(balances.items())],
    )


def read_baseline(connection: sqlite3.Connection, *, exchange_epoch: int) -> dict[str, Decimal]:
    """What the account held before us, by asset."""
    rows = connection.execute(
        "SELECT asset, quantity FROM baseline WHERE exchange_epoch = ?", (exchange_epoch,)
    ).fetchall()
    return {row["asset"]: Decimal(row["quantity"]) for row in rows}

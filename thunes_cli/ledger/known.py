"""What a daemon found true and other commands repeat without settings or network: limits, feed, symbols, prices."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from thunes_cli.clock import from_text, to_text
from thunes_cli.model import plain

LIMITS = "limits"
FEED = "feed"
SYMBOLS = "symbols"
TRADABLE = "tradable"
FALLBACKS_WITHIN = timedelta(hours=1)  # network time; how often the price stream was given up lately
KEY = "key"  # the API key that the daemon signs with, by its fingerprint


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

"""The exchange's memory: one SQLite file. What has been committed survives kill -9; nothing else is acknowledged."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from thunes_cli.model import Side
from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.failure import EXIT_UNAVAILABLE, SimError
from thunes_cli.sim.orders import SimOrder, SimTrade

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE keys (
  api_key TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('HMAC', 'ED25519')), secret TEXT NOT NULL,
  permissions TEXT NOT NULL, ips TEXT NOT NULL, created_ms INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE balances (asset TEXT PRIMARY KEY, free TEXT NOT NULL, locked TEXT NOT NULL) STRICT;
CREATE TABLE orders (
  symbol TEXT NOT NULL, order_id INTEGER NOT NULL, client_order_id TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')), type TEXT NOT NULL, time_in_force TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('NEW', 'PARTIALLY_FILLED', 'FILLED', 'CANCELED', 'EXPIRED', 'REJECTED')),
  price TEXT NOT NULL, orig_qty TEXT NOT NULL, orig_quote_qty TEXT NOT NULL, executed_qty TEXT NOT NULL,
  executed_quote TEXT NOT NULL, stop_price TEXT NOT NULL, iceberg_qty TEXT NOT NULL, time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, working_time INTEGER NOT NULL, expiry_reason TEXT, strategy_id INTEGER,
  strategy_type INTEGER, PRIMARY KEY (symbol, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_by_client_id ON orders (symbol, client_order_id);
CREATE INDEX orders_by_time ON orders (symbol, time);
CREATE INDEX orders_open ON orders (status) WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE TABLE trades (
  symbol TEXT NOT NULL, trade_id INTEGER NOT NULL, order_id INTEGER NOT NULL, price TEXT NOT NULL,
  quantity TEXT NOT NULL, quote TEXT NOT NULL, commission TEXT NOT NULL, commission_asset TEXT NOT NULL,
  time INTEGER NOT NULL, is_buyer INTEGER NOT NULL, is_maker INTEGER NOT NULL, PRIMARY KEY (symbol, trade_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX trades_by_order ON trades (symbol, order_id);
CREATE INDEX trades_by_time ON trades (symbol, time);
CREATE TABLE symbol_status (symbol TEXT PRIMARY KEY, status TEXT NOT NULL) STRICT;
"""
_ORDER_COLUMNS = 20
_TRADE_COLUMNS = 11
_PUT_ORDER = f"INSERT OR REPLACE INTO orders VALUES ({','.join('?' * _ORDER_COLUMNS)})"  # noqa: S608 - no input in it
_PUT_TRADE = f"INSERT INTO trades VALUES ({','.join('?' * _TRADE_COLUMNS)})"  # noqa: S608 - no input in it


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the account. ``secret`` is the HMAC secret or the Ed25519 public key; ``ips`` empty: any address."""

    api_key: str
    secret: str = field(repr=False)
    permissions: Mapping[str, bool]
    created_ms: int
    kind: str = "HMAC"
    ips: tuple[str, ...] = ()
    revoked: bool = False


@dataclass(slots=True)
class Changes:
    """Rows that become true together."""

    orders: list[SimOrder] = field(default_factory=list)
    trades: list[SimTrade] = field(default_factory=list)
    balances: dict[str, Holding] = field(default_factory=dict)


class Store:
    """Reads and writes the file; one connection, one thread."""

    def __init__(self, path: Path) -> None:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # it holds the keys' secrets
            self._db = sqlite3.connect(path, isolation_level=None, cached_statements=64)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._create()
        except (OSError, sqlite3.Error) as error:
            message = f"the simulator's state {path} cannot be used: {error}"
            raise SimError(message, "sim serve --reset makes it anew", code="sim_state") from error

    def _create(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if version:
            message = f"the simulator's state has schema {version}; this version knows {SCHEMA_VERSION}"
            raise SimError(message, "sim serve --reset makes it anew", code="sim_state")
        self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._db.close()

    def settings(self) -> dict[str, str]:
        """All settings."""
        return dict(self._db.execute("SELECT name, value FROM settings"))

    def put_settings(self, values: Mapping[str, str]) -> None:
        """Write settings in one transaction."""
        with _transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", list(values.items()))

    def put_clock(self, moment: int) -> None:
        """Where the market stands."""
        self._db.execute("INSERT OR REPLACE INTO settings VALUES ('clock_ms', ?)", (str(moment),))

    def api_keys(self) -> list[ApiKey]:
        """Every key ever made, revoked ones included, oldest first."""
        rows = self._db.execute(
            "SELECT api_key, secret, permissions, created_ms, kind, ips, revoked FROM keys ORDER BY rowid"
        )
        return [
            ApiKey(
                api_key=row[0],
                secret=row[1],
                permissions=json.loads(row[2]),
                created_ms=row[3],
                kind=row[4],
                ips=tuple(json.loads(row[5])),
                revoked=bool(row[6]),
            )
            for row in rows
        ]

    def put_key(self, key: ApiKey) -> None:
        """Add a key, or replace it."""
        self._db.execute(
            "INSERT INTO keys (api_key, kind, secret, permissions, ips, created_ms, revoked) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT (api_key) DO UPDATE SET permissions = excluded.permissions, ips = excluded.ips, "
            "revoked = excluded.revoked",
            (
                key.api_key,
                key.kind,
                key.secret,
                json.dumps(dict(key.permissions)),
                json.dumps(list(key.ips)),
                key.created_ms,
                int(key.revoked),
            ),
        )

    def balances(self) -> dict[str, Holding]:
        """All balances."""
        rows = self._db.execute("SELECT asset, free, locked FROM balances ORDER BY asset")
        return {asset: Holding(Decimal(free), Decimal(locked)) for asset, free, locked in rows}

    def statuses(self) -> dict[str, str]:
        """Symbols whose status was set by hand."""
        return dict(self._db.execute("SELECT symbol, status FROM symbol_status"))

    def put_status(self, symbol: str, status: str) -> None:
        """Set a symbol's status."""
        self._db.execute("INSERT OR REPLACE INTO symbol_status VALUES (?, ?)", (symbol, status))

    def apply(self, changes: Changes) -> None:
        """Make changes true together, durably against the death of this process.

        Raises:
            SimError: the disk would not take them; nothing has changed.
        """
        try:
            with _transaction(self._db):
                self._db.executemany(_PUT_ORDER, [_order_row(each) for each in changes.orders])
                self._db.executemany(_PUT_TRADE, [_trade_row(each) for each in changes.trades])
                self._db.executemany(
                    "INSERT OR REPLACE INTO balances VALUES (?, ?, ?)",
                    [(asset, _text(held.free), _text(held.locked)) for asset, held in changes.balances.items()],
                )
        except sqlite3.Error as error:
            message = f"the simulator's state cannot be written: {error}"
            raise SimError(message, "free some disk space", code="sim_state", exit_code=EXIT_UNAVAILABLE) from error

    def orders(self, where: str = "1", values: Sequence[Any] = (), *, tail: str = "") -> list[SimOrder]:
        """Orders by a condition of ours (never of a client), with its values bound."""
        rows = self._db.execute(f"SELECT * FROM orders WHERE {where} {tail}", tuple(values))  # noqa: S608 - see docstring
        return [_read_order(row) for row in rows]

    def trades(self, where: str = "1", values: Sequence[Any] = (), *, tail: str = "") -> list[SimTrade]:
        """Trades by a condition of ours (never of a client), with its values bound."""
        rows = self._db.execute(f"SELECT * FROM trades WHERE {where} {tail}", tuple(values))  # noqa: S608 - see docstring
        return [_read_trade(row) for row in rows]

    def count(self, table: Literal["orders", "trades"]) -> int:
        """How many rows a table holds."""
        found: int = self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608 - one of two words
        return found

    def last_ids(self) -> tuple[dict[str, int], dict[str, int]]:
        """The greatest order id and trade id of each symbol."""
        orders = dict(self._db.execute("SELECT symbol, MAX(order_id) FROM orders GROUP BY symbol"))
        trades = dict(self._db.execute("SELECT symbol, MAX(trade_id) FROM trades GROUP BY symbol"))
        return orders, trades


class _transaction:  # noqa: N801 - used as a statement
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK on any exception."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._rollback()
                raise
        else:
            self._rollback()

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _text(amount: Decimal) -> str:
    return format(amount, "f")


def _order_row(order: SimOrder) -> tuple[Any, ...]:
    return (
        order.symbol,
        order.order_id,
        order.client_order_id,
        str(order.side),
        order.type,
        order.time_in_force,
        order.status,
        _text(order.price),
        _text(order.orig_qty),
        _text(order.orig_quote_qty),
        _text(order.executed_qty),
        _text(order.executed_quote),
        _text(order.stop_price),
        _text(order.iceberg_qty),
        order.time,
        order.update_time,
        order.working_time,
        order.expiry_reason,
        order.strategy_id,
        order.strategy_type,
    )


def _read_order(row: Sequence[Any]) -> SimOrder:
    values: list[Any] = [*row[:3], Side(row[3]), *row[4:7], *(Decimal(each) for each in row[7:14]), *row[14:]]
    return SimOrder(*values)


def _trade_row(trade: SimTrade) -> tuple[Any, ...]:
    return (
        trade.symbol,
        trade.trade_id,
        trade.order_id,
        _text(trade.price),
        _text(trade.quantity),
        _text(trade.quote),
        _text(trade.commission),
        trade.commission_asset,
        trade.time,
        int(trade.is_buyer),
        int(trade.is_maker),
    )


def _read_trade(row: Sequence[Any]) -> SimTrade:
    values: list[Any] = [*row[:3], *(Decimal(each) for each in row[3:7]), *row[7:9], bool(row[9]), bool(row[10])]
    return SimTrade(*values)

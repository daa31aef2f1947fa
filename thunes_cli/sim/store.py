"""The exchange's memory: one SQLite file. What has been committed survives kill -9; nothing else is acknowledged."""

from __future__ import annotations

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
from thunes_cli.sim.orders import Amendment, SimOrder, SimTrade
from thunes_cli.sim.schema import prepare

_ORDER_COLUMNS = 24
_TRADE_COLUMNS = 11
_PUT_ORDER = f"INSERT OR REPLACE INTO orders VALUES ({','.join('?' * _ORDER_COLUMNS)})"  # noqa: S608 - no input in it
_PUT_AMENDMENT = "INSERT INTO amendments VALUES (?,?,?,?,?,?,?,?)"
_PUT_TRADE = f"INSERT INTO trades VALUES ({','.join('?' * _TRADE_COLUMNS)})"  # noqa: S608 - no input in it


@dataclass(slots=True)
class Changes:
    """Rows that become true together."""

    orders: list[SimOrder] = field(default_factory=list)
    trades: list[SimTrade] = field(default_factory=list)
    balances: dict[str, Holding] = field(default_factory=dict)
    amendments: list[Amendment] = field(default_factory=list)


class Store:
    """Reads and writes the file; one connection, one thread."""

    def __init__(self, path: Path) -> None:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # it holds the keys' secrets
            self._db = sqlite3.connect(path, isolation_level=None, cached_statements=64)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            prepare(self._db)
        except (OSError, sqlite3.OperationalError) as error:  # a full disk, or a directory that is not ours
            message = f"the simulator's state {path} cannot be used now: {error}"
            hint = f"look at the disk: df -h {path.parent}"
            raise SimError(message, hint, code="sim_state", exit_code=EXIT_UNAVAILABLE) from error
        except sqlite3.Error as error:
            message = f"the simulator's state {path} cannot be used: {error}"
            raise SimError(message, "sim serve --reset makes it anew", code="sim_state") from error

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, for what keeps tables of its own in the same file."""
        return self._db

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

    def balances(self) -> dict[str, Holding]:
        """All balances."""
        rows = self._db.execute("SELECT asset, free, locked FROM balances ORDER BY asset")
        return {asset: Holding(Decimal(free), Decimal(locked)) for asset, free, locked in rows}

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
                self._db.executemany(_PUT_AMENDMENT, [_amendment_row(each) for each in changes.amendments])
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

    def amendments(self, symbol: str, order_id: int) -> list[Amendment]:
        """What was changed of an order, oldest first."""
        query = "SELECT * FROM amendments WHERE symbol = ? AND order_id = ? ORDER BY execution_id"
        rows = self._db.execute(query, (symbol, order_id))
        return [_read_amendment(row) for row in rows]

    def wipe(self, balances: Mapping[str, Holding]) -> None:
        """Forget every order and trade, and hold these balances."""
        with _transaction(self._db):
            for table in ("orders", "trades", "amendments", "balances"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - one of four words
            self._db.executemany(
                "INSERT INTO balances VALUES (?, ?, ?)",
                [(asset, _text(held.free), _text(held.locked)) for asset, held in balances.items()],
            )

    def count(self, table: Literal["orders", "trades", "amendments"]) -> int:
        """How many rows a table holds."""
        found: int = self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608 - one of three words
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
        order.trailing_delta,
        order.trailing_time,
        _text(order.lock_price),
        order.self_trade_mode,
    )


def _read_order(row: Sequence[Any]) -> SimOrder:
    values: list[Any] = [*row[:3], Side(row[3]), *row[4:7], *(Decimal(each) for each in row[7:14]), *row[14:22]]
    values += [Decimal(row[22]), row[23]]
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


def _amendment_row(each: Amendment) -> tuple[Any, ...]:
    return (
        each.symbol,
        each.order_id,
        each.execution_id,
        each.orig_client_order_id,
        each.new_client_order_id,
        _text(each.orig_qty),
        _text(each.new_qty),
        each.time,
    )


def _read_amendment(row: Sequence[Any]) -> Amendment:
    values: list[Any] = [*row[:5], Decimal(row[5]), Decimal(row[6]), row[7]]
    return Amendment(*values)

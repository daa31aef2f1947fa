"""The tables of the exchange's file, and how a file of an earlier version becomes one of this."""

from __future__ import annotations

import sqlite3

from thunes_cli.sim.failure import SimError

VERSION = 2
_RESET = "sim serve --reset makes it anew"

_BESIDES = """
CREATE TABLE closures (
  symbol TEXT NOT NULL, begin_ms INTEGER NOT NULL, end_ms INTEGER, status TEXT NOT NULL, PRIMARY KEY (symbol, begin_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, remaining INTEGER, until_ms INTEGER, path TEXT NOT NULL,
  details TEXT NOT NULL
) STRICT;
CREATE TABLE bans (address TEXT PRIMARY KEY, until_ms INTEGER NOT NULL, offences INTEGER NOT NULL) STRICT;
CREATE TABLE amendments (
  symbol TEXT NOT NULL, order_id INTEGER NOT NULL, execution_id INTEGER NOT NULL, orig_client_order_id TEXT NOT NULL,
  new_client_order_id TEXT NOT NULL, orig_qty TEXT NOT NULL, new_qty TEXT NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY (symbol, order_id, execution_id)
) STRICT, WITHOUT ROWID;
"""
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE keys (
  api_key TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('HMAC', 'ED25519', 'RSA')), secret TEXT NOT NULL,
  permissions TEXT NOT NULL, ips TEXT NOT NULL, created_ms INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0,
  label TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE balances (asset TEXT PRIMARY KEY, free TEXT NOT NULL, locked TEXT NOT NULL) STRICT;
CREATE TABLE orders (
  symbol TEXT NOT NULL, order_id INTEGER NOT NULL, client_order_id TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')), type TEXT NOT NULL, time_in_force TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('NEW', 'PARTIALLY_FILLED', 'FILLED', 'CANCELED', 'EXPIRED', 'REJECTED')),
  price TEXT NOT NULL, orig_qty TEXT NOT NULL, orig_quote_qty TEXT NOT NULL, executed_qty TEXT NOT NULL,
  executed_quote TEXT NOT NULL, stop_price TEXT NOT NULL, iceberg_qty TEXT NOT NULL, time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, working_time INTEGER NOT NULL, expiry_reason TEXT, strategy_id INTEGER,
  strategy_type INTEGER, trailing_delta INTEGER, trailing_time INTEGER, lock_price TEXT NOT NULL DEFAULT '0',
  self_trade_mode TEXT NOT NULL DEFAULT 'NONE', PRIMARY KEY (symbol, order_id)
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
"""
# Version 1 knew neither orders that wait for a price nor more than one kind of asymmetric key.
_FROM_1 = """
ALTER TABLE orders ADD COLUMN trailing_delta INTEGER;
ALTER TABLE orders ADD COLUMN trailing_time INTEGER;
ALTER TABLE orders ADD COLUMN lock_price TEXT NOT NULL DEFAULT '0';
ALTER TABLE orders ADD COLUMN self_trade_mode TEXT NOT NULL DEFAULT 'NONE';
UPDATE orders SET lock_price = price;
ALTER TABLE keys RENAME TO keys_1;
CREATE TABLE keys (
  api_key TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('HMAC', 'ED25519', 'RSA')), secret TEXT NOT NULL,
  permissions TEXT NOT NULL, ips TEXT NOT NULL, created_ms INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0,
  label TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO keys (api_key, kind, secret, permissions, ips, created_ms, revoked)
  SELECT api_key, kind, secret, permissions, ips, created_ms, revoked FROM keys_1 ORDER BY rowid;
DROP TABLE keys_1;
DROP TABLE symbol_status;
"""


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables of a new file, or bring those of an earlier version up to date.

    Raises:
        SimError: the file was written by a later version.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == VERSION:
        return
    if version not in {0, 1}:
        message = f"the simulator's state has schema {version}; this version knows {VERSION}"
        raise SimError(message, _RESET, code="sim_state")
    steps = (_SCHEMA if version == 0 else _FROM_1) + _BESIDES
    db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")

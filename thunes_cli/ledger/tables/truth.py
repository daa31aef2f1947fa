"""What the exchange has: its lives, the baseline, flows, cursors, and what a reconcile found."""

from __future__ import annotations

TRUTH = (
    # One life of the exchange's account. A wiped testnet, once accepted, begins another, with a baseline of its own.
    """CREATE TABLE exchange_epochs (
        exchange_epoch INTEGER PRIMARY KEY,
        began_at TEXT NOT NULL,
        why TEXT NOT NULL CHECK (why IN ('first contact', 'reset', 'rebuild'))
    ) STRICT""",
    # What the account held before us, by asset; deposits, withdrawals and accepted differences are flows.
    """CREATE TABLE baseline (
        exchange_epoch INTEGER NOT NULL,
        asset TEXT NOT NULL,
        quantity TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (exchange_epoch, asset)
    ) STRICT""",
    """CREATE TABLE flows (
        id INTEGER PRIMARY KEY,
        exchange_epoch INTEGER NOT NULL,
        asset TEXT NOT NULL,
        quantity TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('accepted', 'adopted')),
        reason TEXT NOT NULL,
        actor TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    # How far the exchange's lists were read, and from where they concern us: up to the floor (trade and order ids of
    # the moment when the baseline was taken) they are somebody else's past.
    """CREATE TABLE cursors (
        exchange_epoch INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        base TEXT NOT NULL,
        quote TEXT NOT NULL,
        trade_id INTEGER NOT NULL,
        order_id INTEGER NOT NULL,
        floor_trade_id INTEGER NOT NULL,
        floor_order_id INTEGER NOT NULL,
        PRIMARY KEY (exchange_epoch, symbol)
    ) STRICT""",
    # Orders of this account that this home did not make; effects: asset -> amount, of its trades so far (JSON).
    """CREATE TABLE external_orders (
        exchange_epoch INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        order_id INTEGER NOT NULL,
        client_order_id TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('external_order', 'other_instance', 'other_copy')),
        side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
        status TEXT NOT NULL,
        requested TEXT NOT NULL,
        executed_qty TEXT NOT NULL,
        executed_quote TEXT NOT NULL,
        trades TEXT NOT NULL,
        effects TEXT NOT NULL,
        placed_at TEXT NOT NULL,
        seen_at TEXT NOT NULL,
        accepted_at TEXT,
        PRIMARY KEY (exchange_epoch, symbol, order_id)
    ) STRICT""",
    """CREATE TABLE reconcile_runs (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        clean INTEGER NOT NULL CHECK (clean IN (0, 1)),
        checked TEXT NOT NULL,
        findings TEXT NOT NULL
    ) STRICT""",
    # What the last runs found, by what identifies it; a finding alerts when it is new. accepted_at: the operator looked
    # and lives with it, so that it does not count any more.
    """CREATE TABLE reconcile_findings (
        exchange_epoch INTEGER NOT NULL,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'medium', 'high', 'critical')),
        first_seen TEXT NOT NULL,
        accepted_at TEXT,
        accepted_reason TEXT,
        PRIMARY KEY (exchange_epoch, key)
    ) STRICT""",
)

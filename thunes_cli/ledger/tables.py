"""Version 1 of the tables, one statement each. A later version adds a migration; these lines never change."""

from __future__ import annotations

_IDENTITY = (
    # One home = one environment and one account; the anchor converts wall time to market time for every process.
    """CREATE TABLE identity (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        environment TEXT NOT NULL CHECK (environment IN ('sim', 'testnet', 'live')),
        instance TEXT NOT NULL,
        epoch TEXT NOT NULL,
        exchange_epoch INTEGER NOT NULL DEFAULT 1,
        uid TEXT,
        next_order INTEGER NOT NULL DEFAULT 1,
        created_wall TEXT NOT NULL,
        entries_from TEXT,
        anchor_wall TEXT NOT NULL,
        anchor_market TEXT NOT NULL,
        anchor_speed TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE epochs (
        epoch TEXT PRIMARY KEY,
        drawn_wall TEXT NOT NULL,
        why TEXT NOT NULL CHECK (why IN ('init', 'restore', 'rebuild', 'found'))
    ) STRICT""",
)

_TRADING = (
    """CREATE TABLE positions (
        id INTEGER PRIMARY KEY,
        exchange_epoch INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        base TEXT NOT NULL,
        quote TEXT NOT NULL,
        strategy TEXT NOT NULL,
        stop_loss_pct TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('OPEN', 'CLOSED')),
        quantity TEXT NOT NULL,
        cost TEXT NOT NULL,
        bought_qty TEXT NOT NULL,
        bought_quote TEXT NOT NULL,
        sold_qty TEXT NOT NULL,
        sold_quote TEXT NOT NULL,
        realized TEXT NOT NULL,
        fees TEXT NOT NULL,
        entry_time TEXT NOT NULL,
        exit_time TEXT,
        exit_wanted TEXT CHECK (exit_wanted IN ('signal', 'stop_loss', 'operator')),
        exit_wanted_since TEXT,
        exit_next_try_wall TEXT,
        exit_problem TEXT,
        CHECK ((exit_wanted IS NULL) = (exit_wanted_since IS NULL))
    ) STRICT""",
    "CREATE UNIQUE INDEX one_open_position ON positions (symbol) WHERE status = 'OPEN'",
    """CREATE TABLE orders (
        id INTEGER PRIMARY KEY,
        client_order_id TEXT NOT NULL UNIQUE,
        exchange_epoch INTEGER NOT NULL,
        exchange_order_id INTEGER,
        symbol TEXT NOT NULL,
        base TEXT NOT NULL,
        quote TEXT NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
        type TEXT NOT NULL DEFAULT 'MARKET',
        state TEXT NOT NULL CHECK (state IN ('INTENT', 'SENT', 'UNKNOWN', 'ACKED', 'FILLED', 'CANCELED', 'EXPIRED',
                                             'REJECTED', 'NOT_PLACED')),
        strategy TEXT NOT NULL,
        stop_loss_pct TEXT NOT NULL,
        signal_id TEXT,
        position_id INTEGER REFERENCES positions (id),
        attempt INTEGER,
        reason TEXT,
        requested_base TEXT,
        requested_quote TEXT,
        executed_qty TEXT NOT NULL DEFAULT '0',
        executed_quote TEXT NOT NULL DEFAULT '0',
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        sent_timestamp_ms INTEGER,
        recv_window_ms INTEGER,
        sent_wall TEXT,
        sent_mono REAL,
        sent_boot TEXT,
        owner_pid INTEGER,
        owner_boot TEXT,
        owner_started INTEGER,
        next_try_wall TEXT,
        absences INTEGER NOT NULL DEFAULT 0,
        last_absence_mono REAL,
        last_absence_boot TEXT,
        error_code INTEGER,
        error TEXT,
        CHECK ((requested_base IS NULL) <> (requested_quote IS NULL)),
        CHECK (side = 'SELL' OR attempt IS NULL),
        CHECK (state NOT IN ('SENT', 'UNKNOWN', 'ACKED') OR sent_timestamp_ms IS NOT NULL)
    ) STRICT""",
    """CREATE UNIQUE INDEX one_live_order ON orders (symbol)
        WHERE state IN ('INTENT', 'SENT', 'UNKNOWN', 'ACKED')""",
    "CREATE UNIQUE INDEX one_order_per_signal ON orders (signal_id) WHERE side = 'BUY' AND signal_id IS NOT NULL",
    "CREATE UNIQUE INDEX one_order_per_attempt ON orders (position_id, attempt) WHERE attempt IS NOT NULL",
    "CREATE INDEX orders_by_exchange_id ON orders (exchange_epoch, symbol, exchange_order_id)",
    # source: 'exchange' is a trade of an order of ours; the others are judgements of the operator about coins (see
    # trading/adopting.py): their trade_id counts down from -1, after_trade is the trade they follow in the fold.
    """CREATE TABLE fills (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        exchange_epoch INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        trade_id INTEGER NOT NULL,
        order_id INTEGER NOT NULL REFERENCES orders (id),
        position_id INTEGER NOT NULL REFERENCES positions (id),
        side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
        price TEXT NOT NULL,
        quantity TEXT NOT NULL,
        quote_quantity TEXT NOT NULL,
        fee TEXT NOT NULL,
        fee_asset TEXT NOT NULL,
        fee_quote TEXT NOT NULL,
        fee_valued TEXT NOT NULL CHECK (fee_valued IN ('exact', 'market', 'last_known', 'unknown')),
        realized TEXT NOT NULL,
        traded_at TEXT NOT NULL,
        booked_at TEXT NOT NULL,
        source TEXT NOT NULL DEFAULT 'exchange' CHECK (source IN ('exchange', 'adopted', 'manual', 'reset')),
        after_trade INTEGER,
        UNIQUE (exchange_epoch, symbol, trade_id),
        CHECK ((source = 'exchange') = (after_trade IS NULL)),
        CHECK ((source = 'exchange') = (trade_id >= 0))
    ) STRICT""",
    "CREATE INDEX fills_by_position ON fills (position_id)",
    "CREATE INDEX fills_by_order ON fills (order_id)",
    "CREATE INDEX fills_by_day ON fills (traded_at)",
    # Remainders too small to sell: quantity > 0 leaves the position for the dust account, < 0 comes back.
    """CREATE TABLE dust_moves (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        exchange_epoch INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        base TEXT NOT NULL,
        position_id INTEGER NOT NULL REFERENCES positions (id),
        quantity TEXT NOT NULL,
        cost TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX dust_by_symbol ON dust_moves (exchange_epoch, symbol, id)",
    "CREATE INDEX dust_by_position ON dust_moves (position_id)",
    """CREATE TABLE decisions (
        id INTEGER PRIMARY KEY,
        signal_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        strategy TEXT NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
        candle_open_time TEXT NOT NULL,
        decision TEXT NOT NULL CHECK (decision IN ('approved', 'rejected')),
        reason TEXT NOT NULL DEFAULT '',
        facts TEXT NOT NULL,
        client_order_id TEXT,
        at TEXT NOT NULL,
        UNIQUE (signal_id, decision, reason)
    ) STRICT""",
)

_CONTROLS = (
    """CREATE TABLE kill_switch (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        active INTEGER NOT NULL CHECK (active IN (0, 1)),
        reason TEXT,
        actor TEXT,
        since TEXT,
        rearmed_after_fill INTEGER,
        rearmed_at TEXT,
        CHECK (active = 0 OR (reason IS NOT NULL AND since IS NOT NULL))
    ) STRICT""",
    """CREATE TABLE frozen_symbols (
        symbol TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        actor TEXT NOT NULL,
        since TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE breaker (
        name TEXT PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
        opened_wall TEXT,
        opened_mono REAL,
        opened_boot TEXT,
        cause TEXT,
        probe_pid INTEGER,
        probe_boot TEXT,
        probe_started INTEGER,
        probe_until_wall TEXT
    ) STRICT""",
    """CREATE TABLE breaker_failures (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        at_wall TEXT NOT NULL,
        cause TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE ban (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        until_wall TEXT NOT NULL,
        until_mono REAL NOT NULL,
        boot_id TEXT NOT NULL,
        status INTEGER NOT NULL,
        consecutive INTEGER NOT NULL,
        since_wall TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE rate_usage (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        used_weight_1m INTEGER,
        limit_1m INTEGER,
        order_count_10s INTEGER,
        order_count_1d INTEGER,
        order_limit_10s INTEGER,
        order_limit_1d INTEGER,
        orders_at_wall TEXT,
        at_wall TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE control_history (
        id INTEGER PRIMARY KEY,
        control TEXT NOT NULL,
        name TEXT NOT NULL,
        from_state TEXT NOT NULL,
        to_state TEXT NOT NULL,
        reason TEXT NOT NULL,
        actor TEXT NOT NULL,
        facts TEXT NOT NULL DEFAULT '{}',
        at TEXT NOT NULL,
        at_wall TEXT NOT NULL
    ) STRICT""",
)

_KEYS = (
    # Every API key this home used, by fingerprint. signer: fingerprint of what signs. created_by: 'exchange' told when
    # it was made; 'first use' is the latest it can have been. One is not retired: that in use.
    """CREATE TABLE api_keys (
        fingerprint TEXT PRIMARY KEY,
        signer TEXT,
        kind TEXT NOT NULL CHECK (kind IN ('HMAC', 'Ed25519')),
        source TEXT NOT NULL,
        created_at TEXT NOT NULL,
        created_by TEXT NOT NULL CHECK (created_by IN ('exchange', 'first use')),
        first_seen TEXT NOT NULL,
        compromised_at TEXT,
        compromised_why TEXT,
        retired_at TEXT,
        dead_at TEXT
    ) STRICT""",
    "CREATE UNIQUE INDEX one_key_in_use ON api_keys (retired_at IS NULL) WHERE retired_at IS NULL",
    # started: nothing, or everything, may be written where the key lives; whoever comes next compares and ends it.
    # outside: nobody rotated here, the key was another one at a start. daemon_problem: why a daemon does not take it.
    """CREATE TABLE key_rotations (
        id INTEGER PRIMARY KEY,
        old_fingerprint TEXT,
        new_fingerprint TEXT NOT NULL,
        source TEXT NOT NULL,
        reason TEXT NOT NULL,
        actor TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('started', 'done', 'rolled_back', 'outside')),
        started_at TEXT NOT NULL,
        ended_at TEXT,
        problem TEXT,
        daemon_problem TEXT,
        owner_pid INTEGER NOT NULL,
        owner_boot TEXT NOT NULL,
        owner_started INTEGER NOT NULL,
        CHECK ((state = 'started') = (ended_at IS NULL))
    ) STRICT""",
)

_TRUTH = (
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

_TRAIL = (
    # seq and hash of the newest record made; durable_* of the newest record that is known to be in the file, which is
    # the segment of that number. tampered: what a checkpoint found changed in older bytes; it stays until it is mended.
    """CREATE TABLE audit_head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL,
        segment INTEGER NOT NULL DEFAULT 1,
        durable_seq INTEGER NOT NULL DEFAULT 0,
        durable_hash TEXT NOT NULL DEFAULT '0000000000000000000000000000000000000000000000000000000000000000',
        durable_length INTEGER NOT NULL DEFAULT 0,
        durable_last_bytes INTEGER NOT NULL DEFAULT 0,
        problem TEXT,
        problem_wall TEXT,
        tampered TEXT,
        signer TEXT
    ) STRICT""",
    """CREATE TABLE audit_outbox (
        seq INTEGER PRIMARY KEY,
        event TEXT NOT NULL,
        line BLOB NOT NULL
    ) STRICT""",
    # Segments that were closed by a rotation; hash is that of the last line, sha256 that of the whole file.
    """CREATE TABLE audit_segments (
        number INTEGER PRIMARY KEY,
        last_seq INTEGER NOT NULL,
        last_hash TEXT NOT NULL,
        last_bytes INTEGER NOT NULL,
        length INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        closed_at TEXT NOT NULL
    ) STRICT""",
    # The newest checkpoint. line_hash: of the record it ends with; announced_seq: the record that tells of it;
    # file_length: how much of the checkpoint file is known to be written.
    """CREATE TABLE audit_checkpoint (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        segment INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        length INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        line_hash TEXT NOT NULL,
        note TEXT NOT NULL,
        announced_seq INTEGER NOT NULL,
        file_length INTEGER NOT NULL,
        at_wall TEXT NOT NULL
    ) STRICT""",
)

_DAEMON = (
    # phase: a condition that lasts begins and is over; anything else is an event. state: pending until every channel
    # has it. note: the checkpoint of the trail that goes out with it.
    """CREATE TABLE alerts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        phase TEXT NOT NULL CHECK (phase IN ('event', 'began', 'over')),
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        text TEXT NOT NULL,
        note TEXT,
        created_at TEXT NOT NULL,
        created_wall TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done'))
    ) STRICT""",
    "CREATE INDEX alerts_pending ON alerts (id) WHERE state = 'pending'",
    # A condition alerts once when it begins, is counted while it lasts, and says when it is over.
    """CREATE TABLE alert_conditions (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        since TEXT NOT NULL,
        last_at TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT""",
    # What goes out on one channel: an alert, or several that came together. It is written down before it is sent, so
    # that a second try sends the same; parts: how many pieces of a long one arrived.
    """CREATE TABLE alert_messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        subject TEXT NOT NULL,
        text TEXT NOT NULL,
        made_wall TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dropped')),
        parts INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        ended_wall TEXT,
        error TEXT,
        CHECK ((state = 'waiting') = (ended_wall IS NULL))
    ) STRICT""",
    "CREATE INDEX alert_messages_waiting ON alert_messages (channel) WHERE state = 'waiting'",
    "CREATE INDEX alert_messages_ended ON alert_messages (channel, ended_wall)",
    """CREATE TABLE alert_deliveries (
        alert_id INTEGER NOT NULL REFERENCES alerts (id),
        channel TEXT NOT NULL,
        message_id INTEGER NOT NULL REFERENCES alert_messages (id),
        PRIMARY KEY (alert_id, channel)
    ) STRICT""",
    "CREATE INDEX alert_deliveries_by_message ON alert_deliveries (message_id)",
    # A channel that fails is left alone from held_wall to next_try_wall. why: 'told' is the channel's own order.
    """CREATE TABLE alert_channels (
        channel TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        why TEXT NOT NULL CHECK (why IN ('back-off', 'told', 'refused')),
        problem TEXT NOT NULL,
        since_wall TEXT NOT NULL,
        held_wall TEXT NOT NULL,
        next_try_wall TEXT NOT NULL
    ) STRICT""",
    # Alerts of a kind wait until then (network time).
    """CREATE TABLE alert_mutes (
        kind TEXT PRIMARY KEY,
        since_wall TEXT NOT NULL,
        until_wall TEXT NOT NULL,
        reason TEXT NOT NULL,
        actor TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE daemon (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        pid INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        started INTEGER NOT NULL,
        command TEXT NOT NULL,
        since TEXT NOT NULL,
        since_wall TEXT NOT NULL,
        heartbeat_wall TEXT NOT NULL,
        mode TEXT NOT NULL CHECK (mode IN ('starting', 'trading', 'exits-only')),
        mode_reason TEXT,
        stopped_cleanly INTEGER NOT NULL CHECK (stopped_cleanly IN (0, 1))
    ) STRICT""",
    """CREATE TABLE job_runs (
        id INTEGER PRIMARY KEY,
        job TEXT NOT NULL,
        planned_at TEXT NOT NULL,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        next_at TEXT,
        outcome TEXT CHECK (outcome IN ('ok', 'failed', 'missed', 'overrun')),
        detail TEXT
    ) STRICT""",
    "CREATE INDEX job_runs_by_job ON job_runs (job, id)",
    """CREATE TABLE prices (
        symbol TEXT PRIMARY KEY,
        price TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    # What a daemon found true and status commands repeat without settings of their own: limits, feed, symbols.
    """CREATE TABLE known (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
)

_UPKEEP = (
    # Backups that were finished; the files may be elsewhere by now. verified_wall: when it was last found good.
    """CREATE TABLE backups (
        id TEXT PRIMARY KEY,
        made_wall TEXT NOT NULL,
        path TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        encrypted INTEGER NOT NULL CHECK (encrypted IN (0, 1)),
        audit_seq INTEGER NOT NULL,
        verified_wall TEXT,
        problem TEXT,
        removed_wall TEXT
    ) STRICT""",
)

VERSION_1 = (*_IDENTITY, *_TRADING, *_CONTROLS, *_KEYS, *_TRUTH, *_TRAIL, *_DAEMON, *_UPKEEP)

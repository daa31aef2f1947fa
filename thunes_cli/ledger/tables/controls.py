"""What forbids trading (kill switch, frozen symbols, breakers, bans), and the API keys that were used."""

from __future__ import annotations

CONTROLS = (
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

KEYS = (
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
        dead_at TEXT,
        dead_by TEXT,
        dead_answer TEXT
    ) STRICT""",
    "CREATE UNIQUE INDEX one_key_in_use ON api_keys (retired_at IS NULL) WHERE retired_at IS NULL",
    # started: nothing, or everything, may be written where the key lives; whoever comes next compares and ends it.
    # outside: nobody rotated here, the key was another one at a start. daemon_problem: why a daemon does not take it,
    # daemon_code: its exit code. old_accepted, old_bound: what the exchange said of the old key when it was replaced.
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
        daemon_code INTEGER,
        old_accepted INTEGER CHECK (old_accepted IN (0, 1)),
        old_bound INTEGER CHECK (old_bound IN (0, 1)),
        owner_pid INTEGER NOT NULL,
        owner_boot TEXT NOT NULL,
        owner_started INTEGER NOT NULL,
        CHECK ((state = 'started') = (ended_at IS NULL))
    ) STRICT""",
)

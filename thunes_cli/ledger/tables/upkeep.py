"""The daemon and its jobs, prices, alerts and backups."""

from __future__ import annotations

DAEMON = (
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
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'expired'))
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

UPKEEP = (
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

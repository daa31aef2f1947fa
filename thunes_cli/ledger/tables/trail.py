"""The head of the audit trail, what waits for it, its segments and the newest checkpoint."""

from __future__ import annotations

TRAIL = (
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

"""Every kind of alert, by its stable name: what ``alerts mute`` takes and what docs/alerts.md explains."""

from __future__ import annotations

import enum


class Kind(enum.StrEnum):
    """What an alert is about; a condition's beginning and end are of one kind."""

    KILL_SWITCH = "kill_switch"
    DAILY_LOSS_NEAR = "daily_loss_near"
    BREAKER = "breaker"
    BAN = "ban"
    FEED = "feed"
    KEY_REJECTED = "key_rejected"
    KEY_TROUBLE = "key_trouble"
    KEY_DUE = "key_due"
    STOP_LOSS = "stop_loss"
    EXIT_BLOCKED = "exit_blocked"
    EXITS_ONLY = "exits_only"
    ORDER_UNRESOLVED = "order_unresolved"
    LATE_ORDER = "late_order"
    TRADE_ID_REUSED = "trade_id_reused"
    RECONCILE = "reconcile"
    EXTERNAL_ORDER = "external_order"
    OTHER_COPY = "other_copy"
    TRAIL = "trail"
    DISK_LOW = "disk_low"
    DISK_FULL = "disk_full"
    BACKUP = "backup"
    JOB_FAILED = "job_failed"
    DAEMON = "daemon"
    DAILY_SUMMARY = "daily_summary"
    ALERTS_UNDELIVERED = "alerts_undelivered"


MEANINGS: dict[Kind, str] = {
    Kind.KILL_SWITCH: "Entries were stopped, by the daily loss or by hand, or go on.",
    Kind.DAILY_LOSS_NEAR: "The counted loss reached 80 % of the daily limit.",
    Kind.BREAKER: "The circuit breaker opened, or closed again.",
    Kind.BAN: "The exchange ordered silence (HTTP 429, 418, 403), or answers again.",
    Kind.FEED: "The price stream is gone and REST is asked instead, or no fresh price comes at all; or both are well.",
    Kind.KEY_REJECTED: "The exchange rejects the API key, or takes it again.",
    Kind.KEY_TROUBLE: "The API key may do what it must not, or lacks what it needs, or is as it should be again.",
    Kind.KEY_DUE: "The API key is about to be too old, or is, or was replaced.",
    Kind.STOP_LOSS: "A stop-loss asked for an exit, and what became of it.",
    Kind.EXIT_BLOCKED: "A position cannot be sold, or is sold after all.",
    Kind.EXITS_ONLY: "The daemon makes no entries, or makes them again.",
    Kind.ORDER_UNRESOLVED: "Nobody knows what became of an order, or it is known now.",
    Kind.LATE_ORDER: "An order taken for dead was executed after all; it is booked.",
    Kind.TRADE_ID_REUSED: "The exchange uses a trade number twice: was it wiped?",
    Kind.RECONCILE: "Ledger and exchange differ, or agree again.",
    Kind.EXTERNAL_ORDER: "Somebody else used the account.",
    Kind.OTHER_COPY: "A second copy of this home trades; entries stop.",
    Kind.TRAIL: "The audit trail cannot be written or was changed from outside, or is well again.",
    Kind.DISK_LOW: "The disk is nearly full and entries stop, or there is room again.",
    Kind.DISK_FULL: "The disk is full and the reserve for exits is gone, or it is there again.",
    Kind.BACKUP: "A backup failed, the newest good one is too old, there is a fresh one again; or a home was restored.",
    Kind.JOB_FAILED: "A job of the daemon failed, or works again.",
    Kind.DAEMON: "The daemon started, stopped, or took up what a crash left.",
    Kind.DAILY_SUMMARY: "The day in numbers.",
    Kind.ALERTS_UNDELIVERED: "A channel did not take alerts for a while; told on the others at once.",
}

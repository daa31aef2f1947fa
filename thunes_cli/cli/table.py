"""The static table of every command: what ``--help`` shows without importing a single command module.

On the way of every start; hence named tuples here and around, a dataclass takes ten times as long to define.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Section(enum.StrEnum):
    """Headings of the root help, in the order an operator needs them."""

    TRADING = "Trading"
    LOOKING = "Looking around"
    INCIDENT = "Incident"
    UPKEEP = "Upkeep"


class Entry(NamedTuple):
    """One command: its words, where its function lives (``module:name``, imported only when invoked), one line.

    ``quick``: scripts wait for it; without options of its own it is called without a parser (see ``quick.py``).
    """

    path: str
    target: str
    summary: str
    section: Section
    quick: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The path, word by word."""
        return tuple(self.path.split())


_HERE = "thunes_cli.cli."

COMMANDS: tuple[Entry, ...] = (
    Entry("init", _HERE + "init:init", "Create a home for one environment and one account.", Section.TRADING),
    Entry("run", _HERE + "run:run", "Trade until stopped.", Section.TRADING),
    Entry("demo", _HERE + "demo:demo", "Trade a simulated market in a home of its own.", Section.TRADING),
    Entry("stop", _HERE + "stop:stop", "End our daemon and wait until it is gone.", Section.TRADING),
    Entry(
        "status", _HERE + "status:status", "Is everything well? The first thing to type.", Section.LOOKING, quick=True
    ),
    Entry(
        "positions list",
        _HERE + "positions:positions_list",
        "What is held, and what it is worth.",
        Section.LOOKING,
        quick=True,
    ),
    Entry(
        "orders list",
        _HERE + "orders:orders_list",
        "What was ordered, and what came of it.",
        Section.LOOKING,
        quick=True,
    ),
    Entry("symbols list", _HERE + "symbols:symbols_list", "Which symbols take entries.", Section.LOOKING, quick=True),
    Entry("balance", _HERE + "balance:balance", "What the account holds, ours and not ours.", Section.LOOKING),
    Entry("pnl", _HERE + "pnl:pnl", "What was earned and lost, fees included.", Section.LOOKING, quick=True),
    Entry(
        "explain", _HERE + "explain:explain", "Everything known about one signal, order or position.", Section.LOOKING
    ),
    Entry(
        "audit tail",
        _HERE + "audit_tail:audit_tail",
        "The newest records of the audit trail.",
        Section.LOOKING,
        quick=True,
    ),
    Entry(
        "audit stats",
        _HERE + "audit_stats:audit_stats",
        "What the audit trail adds up to.",
        Section.LOOKING,
        quick=True,
    ),
    Entry(
        "killswitch status",
        _HERE + "killswitch:killswitch_status",
        "Are entries stopped, and why?",
        Section.INCIDENT,
        quick=True,
    ),
    Entry(
        "killswitch activate",
        _HERE + "killswitch:killswitch_activate",
        "Stop entries in every process, at once.",
        Section.INCIDENT,
    ),
    Entry(
        "killswitch deactivate",
        _HERE + "killswitch:killswitch_deactivate",
        "Let entries go on, and re-arm the switch.",
        Section.INCIDENT,
    ),
    Entry(
        "killswitch history",
        _HERE + "killswitch:killswitch_history",
        "When entries were stopped, why and by whom.",
        Section.INCIDENT,
        quick=True,
    ),
    Entry(
        "breaker status",
        _HERE + "breaker:breaker_status",
        "Is anything sent to the exchange, and if not, why not?",
        Section.INCIDENT,
        quick=True,
    ),
    Entry("breaker reset", _HERE + "breaker:breaker_reset", "Close the breaker by hand.", Section.INCIDENT),
    Entry(
        "breaker history",
        _HERE + "breaker:breaker_history",
        "When the breaker opened and closed, and why.",
        Section.INCIDENT,
        quick=True,
    ),
    Entry("symbols freeze", _HERE + "symbols:symbols_freeze", "Stop entries on a symbol.", Section.INCIDENT),
    Entry("symbols unfreeze", _HERE + "symbols:symbols_unfreeze", "Entries on a symbol again.", Section.INCIDENT),
    Entry(
        "positions close",
        _HERE + "positions_close:positions_close",
        "Sell what is held, now.",
        Section.INCIDENT,
    ),
    Entry(
        "reconcile",
        _HERE + "reconcile:reconcile",
        "Does the ledger agree with the exchange?",
        Section.INCIDENT,
    ),
    Entry(
        "reconcile accept",
        _HERE + "reconcile_words:reconcile_accept",
        "A difference is as it should be: a deposit, a withdrawal.",
        Section.INCIDENT,
    ),
    Entry(
        "reconcile adopt",
        _HERE + "reconcile_words:reconcile_adopt",
        "Let the bot look after coins of the account.",
        Section.INCIDENT,
    ),
    Entry(
        "reconcile close",
        _HERE + "reconcile_words:reconcile_close",
        "Coins of a position left otherwise: close it at their price.",
        Section.INCIDENT,
    ),
    Entry(
        "audit validate",
        _HERE + "audit_validate:audit_validate",
        "Is the audit trail what was written?",
        Section.UPKEEP,
        quick=True,
    ),
    Entry(
        "audit checkpoint",
        _HERE + "audit_checkpoint:audit_checkpoint",
        "Verify the audit trail up to its end and sign it.",
        Section.UPKEEP,
    ),
    Entry(
        "audit rotate",
        _HERE + "audit_rotate:audit_rotate",
        "Close the audit trail's open segment, begin the next.",
        Section.UPKEEP,
    ),
    Entry(
        "alerts list",
        _HERE + "alerts:alerts_list",
        "What the operator was told, and what still waits.",
        Section.LOOKING,
        quick=True,
    ),
    Entry("alerts retry", _HERE + "alerts:alerts_retry", "Send what waits, now.", Section.UPKEEP),
    Entry(
        "alerts mute",
        _HERE + "alerts_mute:alerts_mute",
        "Hold a kind of alert back for a while.",
        Section.UPKEEP,
    ),
    Entry(
        "alerts unmute",
        _HERE + "alerts_mute:alerts_unmute",
        "Let a kind of alert go out again.",
        Section.UPKEEP,
    ),
    Entry(
        "telegram test",
        _HERE + "telegram:telegram_test",
        "Would an alert arrive? Token, chat or network?",
        Section.UPKEEP,
    ),
    Entry("backup", _HERE + "backup:backup_create", "Take a backup, and prove it.", Section.UPKEEP),
    Entry("backup create", _HERE + "backup:backup_create", "Take a backup, and prove it.", Section.UPKEEP),
    Entry("backup list", _HERE + "backup_list:backup_list", "The backups there are.", Section.UPKEEP, quick=True),
    Entry("backup verify", _HERE + "backup_verify:backup_verify", "Is a backup good?", Section.UPKEEP),
    Entry("backup drill", _HERE + "backup_verify:backup_drill", "Would it restore, and how fast?", Section.UPKEEP),
    Entry("backup prune", _HERE + "backup_prune:backup_prune", "Remove what no rule keeps.", Section.UPKEEP),
    Entry("backup restore", _HERE + "backup_restore:backup_restore", "A home from a backup.", Section.INCIDENT),
    Entry("check daily", _HERE + "check:check_daily", "The daily look, as checks.", Section.LOOKING, quick=True),
    Entry("check weekly", _HERE + "check:check_weekly", "The weekly look, as checks.", Section.LOOKING, quick=True),
    Entry("check monthly", _HERE + "check:check_monthly", "The monthly look, as checks.", Section.LOOKING, quick=True),
    Entry("service print", _HERE + "service:service_print", "Units, timers and cron lines.", Section.UPKEEP),
    Entry("service install", _HERE + "service:service_install", "Let systemd keep it running.", Section.UPKEEP),
    Entry("config check", _HERE + "config:config_check", "Would these settings trade?", Section.UPKEEP),
    Entry(
        "config show", _HERE + "config:config_show", "The settings in force and where each came from.", Section.UPKEEP
    ),
    Entry("keys status", _HERE + "keys:keys_status", "How old is the API key?", Section.UPKEEP, quick=True),
    Entry("keys check", _HERE + "keys:keys_check", "What may the API key do?", Section.UPKEEP),
    Entry("keys rotate", _HERE + "keys_rotate:keys_rotate", "Put another API key in its place.", Section.UPKEEP),
    Entry("keys history", _HERE + "keys_history:keys_history", "Which API keys were used?", Section.UPKEEP, quick=True),
    Entry("keys scan", _HERE + "keys_scan:keys_scan", "Is a secret where none belongs?", Section.UPKEEP),
    Entry("keys generate", _HERE + "keys_generate:keys_generate", "Make an Ed25519 key pair.", Section.UPKEEP),
    Entry("sim serve", _HERE + "sim:sim_serve", "Serve a simulated exchange on this machine.", Section.UPKEEP),
    Entry("sim state", _HERE + "sim_state:sim_state", "What the simulated exchange knows.", Section.UPKEEP),
    Entry("sim fault", _HERE + "sim_fault:sim_fault", "Let the simulated exchange misbehave.", Section.UPKEEP),
    Entry("sim faults", _HERE + "sim_fault:sim_faults", "The kinds of fault, and which wait.", Section.UPKEEP),
    Entry("sim key list", _HERE + "sim_key:sim_key_list", "The simulated exchange's API keys.", Section.UPKEEP),
    Entry("sim key add", _HERE + "sim_key:sim_key_add", "Make an API key there.", Section.UPKEEP),
    Entry("sim key revoke", _HERE + "sim_key:sim_key_revoke", "Let a key do nothing any more.", Section.UPKEEP),
    Entry("sim key restrict", _HERE + "sim_key:sim_key_restrict", "Change what a key may do.", Section.UPKEEP),
)

GROUPS: dict[str, str] = {
    "service": "What systemd and cron need.",
    "check": "The runbook's looks at how things stand.",
    "positions": "What the bot holds and held.",
    "orders": "What the bot ordered.",
    "symbols": "Which symbols take entries.",
    "killswitch": "Stop entries in every process; exits go on.",
    "breaker": "What keeps calls from the exchange while it is unwell.",
    "audit": "The tamper-evident record of everything that happened.",
    "alerts": "What the operator is told.",
    "telegram": "The channel that alerts go out by.",
    "keys": "The API key: checked, rotated, looked for.",
    "config": "The settings: checked and shown.",
    "sim": "The embedded exchange.",
    "key": "API keys of the embedded exchange.",
}

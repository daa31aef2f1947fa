"""What each exit code means, in one line: help pages and docs/exit-codes.md are made of it."""

from __future__ import annotations

from thunes_cli.errors import ExitCode

MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "ok, healthy, or already so",
    ExitCode.BUG: "a bug of ours; the traceback is in the home's thunes.log",
    ExitCode.USAGE: "usage: unknown command or option, missing or bad value",
    ExitCode.ATTENTION: "attention: the answer is bad",
    ExitCode.MISMATCH: "mismatch: the exchange and the ledger disagree",
    ExitCode.INTEGRITY: "integrity: audit trail, backup or ledger is damaged",
    ExitCode.CANCELLED: "cancelled by the operator; nothing changed",
    ExitCode.NEEDS_CONFIRMATION: "needs a confirmation that was not given; nothing changed",
    ExitCode.NOT_FOUND: "not found: home, ledger, backup, position or order",
    ExitCode.LOCKED: "locked by another process",
    ExitCode.AUTH: "the exchange rejected the API key, or the key breaks a rule",
    ExitCode.UNAVAILABLE: "could not find out: exchange, Telegram, secret store or state unavailable",
    ExitCode.TIMEOUT: "could not find out in time",
    ExitCode.PARTIAL: "partly done; the problems say what is left",
    ExitCode.CONFIG: "configuration: bad setting, newer schema, other environment or account",
    ExitCode.SIGINT: "interrupted (Ctrl-C)",
    ExitCode.SIGPIPE: "the reader of the answer went away",
    ExitCode.SIGTERM: "terminated",
}

ALWAYS = (ExitCode.OK, ExitCode.BUG, ExitCode.USAGE)  # every command can end so

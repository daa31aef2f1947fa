"""What a daemon tells the operator about itself: that it trades, that it ended, what a crash left behind."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from thunes_cli.audit.journal import Change, Journal
from thunes_cli.ledger import controls, orders, positions
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity, read_conditions
from thunes_cli.ledger.daemon import DaemonRow
from thunes_cli.ledger.outbox import outbox_size, read_head
from thunes_cli.model import Mode, plain
from thunes_cli.process import is_alive
from thunes_cli.spans import span
from thunes_cli.trading.gate import GateReport
from thunes_cli.trading.plan import TradingPlan

_CHANGED, _UNWRITTEN = "trusted", "written"  # what it cannot be; keys of the condition


def died(before: DaemonRow | None) -> bool:
    """Whether the last daemon of a home ended without saying so."""
    return before is not None and not before.stopped_cleanly and not is_alive(before.process)


def tell_crash(change: Change, before: DaemonRow, *, record: Path | None = None) -> None:
    """The daemon before this one died; this start takes up what it left. ``record``: what is left of the crash."""
    held = positions.open_positions(change.connection)
    unfinished = len(orders.unfinished(change.connection))
    silence = span(change.at_wall - before.heartbeat_wall)
    text = (
        f"The daemon (pid {before.process.pid}, since {before.since:%Y-%m-%d %H:%M:%S}Z) ended without stopping; its"
        f" last sign of life was {silence} ago. {_without_stop(len(held), 'meanwhile')}This start"
        f" takes up what it left: {_count(unfinished, 'unfinished order')}."
        f"{f' Its last words: {record}.' if record is not None else ''} Next: thunes status"
    )
    change.alert(Kind.DAEMON, text, Severity.CRITICAL if held or unfinished else Severity.WARNING)


def tell_ready(change: Change, plan: TradingPlan, report: GateReport) -> None:
    """The gate has been passed."""
    held = positions.open_positions(change.connection)
    switch = controls.read_kill_switch(change.connection)
    trades = (
        f"{plan.what} by {plan.strategy} on {plan.timeframe} candles, {plain(plan.quote_amount)} an entry"
        if report.mode is Mode.TRADING
        else "exits only, no entries"
    )
    stopped = f"ACTIVE ({switch.reason}): entries are stopped" if switch.active else "off"
    text = (
        f"The daemon runs: {trades}. {_count(len(held), 'open position')},"
        f" {_count(report.unresolved, 'unresolved order')}, kill switch {stopped}. Next: thunes status"
    )
    change.alert(Kind.DAEMON, text, Severity.INFO)


def tell_stop(change: Change, *, why: str, since: datetime | None, clean: bool, asked: bool = True) -> None:
    """The daemon ends; ``since`` is the market time it began at, ``asked`` whether somebody wanted it to."""
    held = positions.open_positions(change.connection)
    ran = f" after {span(change.at - since)}" if since is not None else ""
    text = f"The daemon stopped{ran}: {why}. {_without_stop(len(held), 'until it runs again')}Next: thunes run"
    loud = Severity.CRITICAL if not clean else Severity.WARNING if held or not asked else Severity.INFO
    change.alert(Kind.DAEMON, text, loud)


def tell_ledger_gone(change: Change, path: Path, *, holds: int) -> None:
    """Somebody took the ledger away under a daemon that has something to sell."""
    text = (
        f"The ledger {path} was removed or replaced while the daemon runs on it. Nothing is bought;"
        f" {_count(holds, 'position')} or orders are looked after for as long as this process lives, and what it does"
        f" is lost with it. Next: put the file back where it was; or thunes stop, then thunes reconcile --rebuild"
    )
    change.alert(Kind.DAEMON, text, Severity.CRITICAL)


def tell_trail(journal: Journal) -> None:
    """Say once that the trail cannot be written or was changed from outside, and once that it is well again."""
    with journal.read() as connection:
        head = read_head(connection)
        told = {each.key: each for each in read_conditions(connection) if each.kind == Kind.TRAIL}
    wrong = {_CHANGED: head.tampered, _UNWRITTEN: head.problem}
    if all((wrong[key] is not None) == (key in told) for key in wrong):
        return
    with journal.change() as change:
        for key, what in wrong.items():
            if what is not None:
                _tell_bad_trail(change, key, what)
                continue
            text = f"The audit trail can be {key} again. Next: thunes audit validate"
            change.alert_over(Kind.TRAIL, text, key=key)


def _tell_bad_trail(change: Change, key: str, what: str) -> None:
    if key == _CHANGED:
        text = f"The audit trail was changed from outside: {what}. Entries are stopped. Next: thunes audit validate"
    else:
        waiting = _count(outbox_size(change.connection), "record")
        text = (
            f"The audit trail cannot be written: {what}. Not in it yet, but in the ledger: {waiting}. Entries are"
            " stopped, exits go on. Next: thunes status"
        )
    change.alert(Kind.TRAIL, text, Severity.CRITICAL, key=key, lasting=True)


def _without_stop(held: int, when: str) -> str:
    return f"Without a stop-loss {when}: {_count(held, 'open position')}. " if held else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

"""``run --once``: everything of a daemon that one check needs, for cron and for stepping through a market."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from thunes_cli.alerts.channels import open_channels
from thunes_cli.alerts.handing import hand_over
from thunes_cli.alerts.log_notifier import LogNotifier
from thunes_cli.alerts.outbox import Courier, settle
from thunes_cli.alerts.witness import anchor_of
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.config.home import LEDGER, TRAIL
from thunes_cli.config.private_file import remove_drafts
from thunes_cli.daemon import jobs
from thunes_cli.daemon.assembly import (
    ExchangeLink,
    HomeSettings,
    TradingRoom,
    assemble,
    problems_at_start,
    require_environment,
)
from thunes_cli.daemon.checking import check_signals, require_answers
from thunes_cli.daemon.disk import DiskWatch
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.key_change import record_key
from thunes_cli.daemon.lock import ONCE, DaemonLock
from thunes_cli.daemon.records import redactor_of
from thunes_cli.daemon.start import read_clock, stand_still
from thunes_cli.daemon.telling import tell_trail
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.controls import read_kill_switch
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.reserve import make_room
from thunes_cli.model import Mode
from thunes_cli.trading.engine import Tick

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OnceReport:
    """What one check found. ``unresolved`` orders are still doubtful; ``reasons`` say why there are no entries."""

    ticks: tuple[Tick, ...]
    mode: Mode
    reasons: tuple[str, ...]
    unresolved: int
    kill_switch: str | None


ALERTS_S = 2.0  # for what the check has to say; the rest is for the next one


def run_once(
    configured: HomeSettings,
    open_link: Callable[[], AbstractContextManager[ExchangeLink]],
    *,
    credentials: Path | None = None,
) -> OnceReport:
    """Resolve what is unfinished, then check every symbol once, and tell what there is to tell, whatever came of it.

    Args:
        configured: home and settings.
        open_link: reaches the exchange; entered under the lock.
        credentials: the directory of systemd's credentials, where the key that signs the trail may be.

    Raises:
        Locked: a daemon, or another single check, holds this home (11).
        ExchangeFailure, CheckFailed: the exchange cannot be reached, or no symbol could be checked (13).
        LedgerCorrupt (5), AuthError (12), ConfigError (78): see :class:`thunes_cli.trading.gate.Gate`.
    """
    lock = DaemonLock(configured.home)
    lock.acquire(ONCE)
    try:
        remove_drafts(configured.home)
        make_room(configured.home)
        ledger = Ledger(configured.home / LEDGER)
        with contextlib.closing(ledger), open_link() as link:
            with ledger.read() as connection:
                identity = read_identity(connection)
            require_environment(identity.environment, configured.settings.environment)
            journal = Journal(ledger, configured.home / TRAIL, Clock(identity.anchor))
            try:
                return _look(journal, configured, link)
            finally:
                _deliver(journal, configured, credentials)
    finally:
        lock.release()


def _look(journal: Journal, configured: HomeSettings, link: ExchangeLink) -> OnceReport:
    room = assemble(journal, configured, link, wait=_wait)
    read_clock(room, link)
    try:
        return _check(room, configured)
    finally:
        if link.ends_with_us():
            stand_still(journal)


def _reconcile(room: TradingRoom, interval: timedelta) -> None:
    """When it is time, and whenever the exchange knows more than the ledger: that may be an old copy, put back."""
    if room.reconciler.is_due(interval) or room.reconciler.is_behind():
        room.reconciler.routine(by="once")


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _deliver(journal: Journal, configured: HomeSettings, credentials: Path | None) -> None:
    """Nothing that is wrong with it changes what the check found."""
    channels = open_channels(configured.settings, timeout_s=ALERTS_S - 0.5)
    notifiers = (LogNotifier(), *channels.notifiers)
    anchor = anchor_of(journal, credentials)
    couriers = [Courier(journal, notifier, anchor=anchor, redact=channels.redact) for notifier in notifiers]
    hand_over(journal, couriers, seconds=ALERTS_S)
    try:
        settle(journal, [courier.channel for courier in couriers])
    except sqlite3.Error as error:
        _log.error("delivered alerts could not be recorded: error=%s", error)


def _check(room: TradingRoom, configured: HomeSettings) -> OnceReport:
    interval = timedelta(seconds=configured.settings.reconcile_interval_seconds)
    disk = DiskWatch(room.journal, min_free_mib=configured.settings.min_free_mib)
    disk.look()
    report = room.gate.open(
        problems=problems_at_start(configured, room.plan),
        patient=False,
        reconcile=lambda: _reconcile(room, interval),
    )
    with room.journal.change() as change:
        record_key(change, room.key.key, by="once")
    room.engine.mode = report.mode
    room.engine.mode_reason = "; ".join(report.reasons)
    ticks: list[Tick] = []
    problems: list[Exception] = []

    def body() -> str:
        try:
            ticks.extend(check_signals(room))
            require_answers(ticks)
        except Exception as error:
            problems.append(error)
            raise
        return f"{len(ticks)} checked"

    JobBook(room.journal, redact=redactor_of(configured.settings)).run(Job(jobs.SIGNAL_CHECK, body, every_run=True))
    disk.look()
    tell_trail(room.journal)
    if problems:
        raise problems[0]
    with room.journal.read() as connection:
        switch = read_kill_switch(connection)
    return OnceReport(
        ticks=tuple(ticks),
        mode=report.mode,
        reasons=report.reasons,
        unresolved=report.unresolved,
        kill_switch=(switch.reason or "activated") if switch.active else None,
    )

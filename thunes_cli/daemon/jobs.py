"""Running a job so that it is known what became of it, and so that its failure stays its own.

Jobs on the market's grid leave a row for every run; jobs that run every few seconds leave one when their outcome
changes. A job that fails is logged, alerted once, and tried again when it is due; the others go on.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import to_text
from thunes_cli.config.secrets import redact_by_look
from thunes_cli.daemon.worker import Worker
from thunes_cli.errors import ExitCode, ThunesError
from thunes_cli.ledger import alerts
from thunes_cli.ledger import daemon as daemon_rows
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.machine_faults import is_machine_fault

_log = logging.getLogger(__name__)

SIGNAL_CHECK = "signal_check"
DAILY_SUMMARY = "daily_summary"
STOP_CHECK = "stop_check"
PRICE_CHECK = "price_check"
CANDLE_CHECK = "candle_check"
FEED = "feed"
ACCOUNT = "account"
ACCOUNT_GAP = "account_gap"
RESOLVE = "resolve"
RECONCILE = "reconcile"
EXCHANGE = "exchange"
CLOCK_SYNC = "clock_sync"
ALERTS = "alerts"
HEARTBEAT = "heartbeat"
DISK = "disk"
TRAIL = "trail"
BACKUP = "backup"
KEY = "key"
KEY_WATCH = "key_watch"
RESOURCES = "resources"
PLAN = "plan"
STREAMS = "streams"

_REPEAT_LOG_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """A step and how it is accounted for; ``run`` returns a line for the record, or None."""

    name: str
    run: Callable[[], str | None]
    every_run: bool = False


class JobBook:
    """Runs jobs on behalf of one daemon and keeps account of them in the ledger (one thread at a time a job).

    ``redact`` takes secrets out of what a failure says: the ledger, alerts and status commands repeat it.
    """

    def __init__(self, journal: Journal, *, redact: Callable[[str], str] = redact_by_look) -> None:
        self._journal = journal
        self._redact = redact
        self._clock = journal.clock
        self._last: dict[str, str | None] = {}  # the problem of a job's last run, None when it went well
        self._logged_mono: dict[str, float] = {}
        self._late: set[str] = set()

    def run(
        self,
        job: Job,
        *,
        planned_at: datetime | None = None,
        next_at: Callable[[], datetime | None] = lambda: None,
    ) -> bool:
        """Run a job now; False when it failed. Never raises.

        Args:
            job: what to run.
            planned_at: the point of market time it was planned for; now when it has none.
            next_at: asked when it has ended, for the record.
        """
        started = self._clock.now()
        planned = planned_at or started
        row = self._start(job, planned=planned, started=started) if job.every_run else None
        problem: str | None = None
        try:
            detail = job.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other jobs go on
            detail = problem = self._redact(_message(error))
            self._tell(job, problem, error)
        changed = job.name not in self._last or (self._last[job.name] is None) != (problem is None)
        self._last[job.name] = problem
        if row is not None or changed:
            outcome = "ok" if problem is None else "failed"
            self._end(job, row, planned=planned, outcome=outcome, detail=detail, next_at=next_at())
        if changed:
            self._alert(job, problem)
        return problem is None

    def submission(self, job: Job, worker: Worker) -> Callable[[], None]:
        """What has a worker run it; nothing happens while it waits or runs there already."""

        def submit() -> None:
            worker.submit(job.name, lambda: self.run(job))

        return submit

    def note(self, name: str, outcome: str, *, planned_at: datetime, detail: str) -> None:
        """Write down that a planned run did not take place: ``missed``, or ``overrun`` by the one before it.

        It is alerted once, and once more when the job keeps its time again. Never raises.
        """
        _log.warning("job %s: job=%s planned=%s why=%s", outcome, name, to_text(planned_at), detail)
        row = Job(name, lambda: None)
        self._end(row, None, planned=planned_at, outcome=outcome, detail=detail, next_at=None)
        if name not in self._late:
            self._late.add(name)
            self._alert(Job(f"{name} on time", row.run), detail)

    def on_time(self, name: str) -> None:
        """It runs as planned (again)."""
        if name in self._late:
            self._late.discard(name)
            self._alert(Job(f"{name} on time", lambda: None), None)

    def _start(self, job: Job, *, planned: datetime, started: datetime) -> int | None:
        try:
            with self._journal.ledger.write() as connection:
                return daemon_rows.start_job(connection, job.name, planned_at=planned, started_at=started)
        except sqlite3.Error as error:
            _log.error("job not recorded: job=%s error=%s", job.name, error)
            return None

    def _end(
        self,
        job: Job,
        row: int | None,
        *,
        planned: datetime,
        outcome: str,
        detail: str | None,
        next_at: datetime | None,
    ) -> None:
        now = self._clock.now()
        try:
            with self._journal.ledger.write() as connection:
                if row is None:
                    row = daemon_rows.start_job(connection, job.name, planned_at=planned, started_at=planned)
                daemon_rows.end_job(connection, row, ended_at=now, outcome=outcome, next_at=next_at, detail=detail)
        except sqlite3.Error as error:
            _log.error("job not recorded: job=%s outcome=%s error=%s", job.name, outcome, error)

    def _tell(self, job: Job, problem: str, error: Exception) -> None:
        now = self._clock.monotonic()
        if self._last.get(job.name) == problem and now - self._logged_mono[job.name] < _REPEAT_LOG_S:
            return
        self._logged_mono[job.name] = now
        # What an operator can meet is told in a line; a traceback is for what only we can repair.
        _log.error("job failed: job=%s error=%s", job.name, problem, exc_info=error if _is_bug(error) else None)

    def _alert(self, job: Job, problem: str | None) -> None:
        """One alert when a job begins to fail, one when it works again: also across restarts."""
        now, wall = self._clock.now(), self._clock.wall()
        try:
            with self._journal.ledger.write() as connection:
                if problem is not None:
                    text = f"Job {job.name} failed: {problem}. The other jobs go on. Next: thunes status"
                    alerts.raise_alert(
                        connection,
                        Kind.JOB_FAILED,
                        text,
                        severity=alerts.Severity.WARNING,
                        at=now,
                        at_wall=wall,
                        key=job.name,
                        lasting=True,
                    )
                else:
                    text = f"Job {job.name} works again. Next: thunes status"
                    if alerts.tell_over(connection, Kind.JOB_FAILED, text, key=job.name, at=now, at_wall=wall):
                        _log.info("job works again: job=%s", job.name)
        except sqlite3.Error as error:
            _log.error("alert not recorded: job=%s error=%s", job.name, error)


def _is_bug(error: Exception) -> bool:
    if is_machine_fault(error):
        return False
    return not isinstance(error, ThunesError) or error.exit_code == ExitCode.BUG


def _message(error: Exception) -> str:
    if isinstance(error, ThunesError):
        return error.message
    if isinstance(error, sqlite3.Error) and is_machine_fault(error):
        return f"the ledger cannot be read or written now: {error}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

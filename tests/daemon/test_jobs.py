"""What is kept of each run of a job, and what a failing job does to the others: nothing."""

from __future__ import annotations

import errno
import logging

import pytest
from queued_alerts import pending_alerts

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock, utc_now
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.errors import Unavailable
from thunes_cli.ledger import daemon as daemon_rows
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.daemon import last_runs
from thunes_cli.ledger.schema import create_ledger


@pytest.fixture
def journal(tmp_path):
    """The journal of a fresh home."""
    create_ledger(tmp_path / "thunes.db", environment="sim", instance="aaaaaa", epoch="bbb", wall=utc_now())
    journal = Journal(Ledger(tmp_path / "thunes.db"), tmp_path / "audit_trail.jsonl", Clock())
    yield journal
    journal.close()


class Flaky:
    """A job's body that raises what the test wants next."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __call__(self) -> str:
        """The body."""
        if self.error is not None:
            raise self.error
        return "ticks=1"


def runs(journal, job):
    """(outcome, detail) of a job's rows, oldest first."""
    with journal.read() as connection:
        rows = connection.execute("SELECT outcome, detail FROM job_runs WHERE job = ? ORDER BY id", (job,))
        return [tuple(row) for row in rows]


def alert_texts(journal):
    """What waits for the operator."""
    with journal.read() as connection:
        return [(alert.kind, alert.key, alert.text) for alert in pending_alerts(connection)]


def test_every_run_of_a_grid_job_leaves_a_row(journal):
    """Planned, started, ended, next, outcome and detail: of each run."""
    book, check = JobBook(journal), Job("signal_check", lambda: "ticks=1", every_run=True)
    planned = journal.clock.now()

    assert book.run(check, planned_at=planned, next_at=lambda: planned)
    assert book.run(check, planned_at=planned)

    assert runs(journal, "signal_check") == [("ok", "ticks=1"), ("ok", "ticks=1")]
    with journal.read() as connection:
        (last,) = last_runs(connection)
    assert last.ended_at is not None
    assert last.ended_at >= last.started_at
    assert abs(last.planned_at - planned).total_seconds() < 0.001


def test_a_frequent_job_leaves_a_row_when_its_outcome_changes(journal):
    """A job of every second tells when it began to fail and when it recovered, not that nothing changed."""
    body = Flaky()
    book, resolve = JobBook(journal), Job("resolve", body)

    for error in (None, None, Unavailable("down"), Unavailable("down"), None, None):
        body.error = error
        book.run(resolve)

    assert runs(journal, "resolve") == [("ok", "ticks=1"), ("failed", "down"), ("ok", "ticks=1")]


def test_a_failing_job_alerts_once_and_again_when_it_works(journal):
    """Ten failures are one alert; recovery is told; a new failure is a new alert."""
    body = Flaky()
    book, check = JobBook(journal), Job("signal_check", body, every_run=True)

    for error in (*[Unavailable("the exchange cannot be reached")] * 10, None, None, Unavailable("gone")):
        body.error = error
        book.run(check)

    kinds = [(kind, key) for kind, key, _ in alert_texts(journal)]
    assert kinds == [
        ("job_failed", "signal_check"),
        ("job_failed", "signal_check"),
        ("job_failed", "signal_check"),
    ]
    assert "the exchange cannot be reached" in alert_texts(journal)[0][2]


def test_a_failure_that_lasts_over_a_restart_is_not_told_twice(journal):
    """The condition is in the ledger, not in the process."""
    body = Flaky()
    body.error = Unavailable("down")

    JobBook(journal).run(Job("resolve", body))
    JobBook(journal).run(Job("resolve", body))
    body.error = None
    JobBook(journal).run(Job("resolve", body))

    assert [kind for kind, _, _ in alert_texts(journal)] == ["job_failed", "job_failed"]


def test_only_bugs_leave_a_traceback(journal, caplog):
    """What an operator can meet is a line; what only we can repair comes with its traceback."""
    book = JobBook(journal)
    outage, full, bug = Flaky(), Flaky(), Flaky()
    outage.error, bug.error = Unavailable("down"), KeyError("symbol")
    full.error = OSError(errno.ENOSPC, "No space left on device")

    with caplog.at_level(logging.INFO):
        assert not book.run(Job("resolve", outage))
        assert not book.run(Job("backup", full))
        assert not book.run(Job("signal_check", bug, every_run=True))

    told = {record.getMessage(): record.exc_info is not None for record in caplog.records}
    assert told == {
        "job failed: job=resolve error=down": False,
        "job failed: job=backup error=OSError: [Errno 28] No space left on device": False,
        "job failed: job=signal_check error=KeyError: 'symbol'": True,
    }


def test_a_lasting_failure_does_not_flood_the_log(journal, caplog):
    """The same failure each second is one line a minute."""
    body = Flaky()
    body.error = Unavailable("down")
    book = JobBook(journal)

    with caplog.at_level(logging.INFO):
        for _ in range(100):
            book.run(Job("resolve", body))

    assert len(caplog.records) == 1


def test_a_ledger_that_cannot_be_written_does_not_stop_the_job(journal, caplog):
    """Exits go on with a full disk: not being able to record a run is logged, nothing else."""
    ran = []
    book = JobBook(journal)
    journal.ledger.connection.execute("PRAGMA query_only=ON")

    assert book.run(Job("signal_check", lambda: ran.append(1), every_run=True))

    assert ran == [1]
    assert "job not recorded" in caplog.text


def test_runs_that_did_not_take_place(journal):
    """Missed and overrun are on record, told once, and once more when the job keeps its time again."""
    book = JobBook(journal)
    planned = journal.clock.now()

    for _ in range(3):
        book.note("signal_check", "missed", planned_at=planned, detail="2 planned before noon")
    book.note("reconcile", "overrun", planned_at=planned, detail="the run before it was not over")
    book.on_time("signal_check")
    book.on_time("never_late")

    with journal.read() as connection:
        runs = connection.execute("SELECT job, outcome FROM job_runs ORDER BY id").fetchall()
        told = connection.execute("SELECT key, phase FROM alerts ORDER BY id").fetchall()
    assert [tuple(row) for row in runs] == [*[("signal_check", "missed")] * 3, ("reconcile", "overrun")]
    assert [tuple(row) for row in told] == [
        ("signal_check on time", "began"),
        ("reconcile on time", "began"),
        ("signal_check on time", "over"),
    ]


def test_old_runs_are_forgotten(journal):
    """The newest of each job stays."""
    now = journal.clock.now()
    with journal.ledger.write() as connection:
        for name in ("rare", *["often"] * 20):
            daemon_rows.start_job(connection, name, planned_at=now, started_at=now)
        daemon_rows.forget_runs(connection, kept=5)
        left = connection.execute("SELECT job, count(*) FROM job_runs GROUP BY job ORDER BY job").fetchall()

    assert [tuple(row) for row in left] == [("often", 5), ("rare", 1)]

"""How a command that is no daemon changes the home: in one transaction, with its records, by the home's own clock.

It works beside a running daemon and without one, without settings and without network.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from thunes_cli.audit.journal import Change, Journal
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.cli.alerting import send_now
from thunes_cli.cli.call import Call
from thunes_cli.cli.ledger_errors import ledger_error
from thunes_cli.cli.result import Problem
from thunes_cli.clock import Clock
from thunes_cli.config.home import LEDGER, TRAIL, require_home
from thunes_cli.errors import UsageFault
from thunes_cli.ledger.alerts import last_alert_id
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.outbox import read_head

T = TypeVar("T")


def change_home(call: Call, work: Callable[[Change], T]) -> tuple[T, tuple[Problem, ...]]:
    """Do ``work`` in one transaction; its answer, and what is wrong with the trail (the change stands all the same).

    Raises:
        HomeMissing, HomeNotOurs, LedgerMissing: see :func:`thunes_cli.config.home.require_home` (10).
        LedgerCorrupt (5), LedgerTooNew (78). Unavailable: it cannot be written now; nothing was changed (13).
    """
    path = require_home(call.home) / LEDGER
    with _journal(path) as journal:
        try:
            with journal.change(drain=False) as change:
                before = last_alert_id(change.connection)
                answer = work(change)
                raised = last_alert_id(change.connection) > before
        except sqlite3.Error as error:
            raise ledger_error(error, path, verb="written") from error
        problems = _drained(journal) if change.recorded else ()
        return answer, (*problems, *send_now(call, journal, home=path.parent)) if raised else problems


@contextmanager
def home_journal(call: Call) -> Iterator[Journal]:
    """The home's journal, for work that is more than one transaction. Raises: as :func:`change_home`."""
    path = require_home(call.home) / LEDGER
    with _journal(path) as journal:
        try:
            yield journal
        except sqlite3.Error as error:
            raise ledger_error(error, path, verb="written") from error


@contextmanager
def _journal(path: Path) -> Iterator[Journal]:
    with closing(Ledger(path)) as ledger:
        try:
            with ledger.read() as connection:
                anchor = read_identity(connection).anchor
        except sqlite3.Error as error:
            raise ledger_error(error, path) from error
        yield Journal(ledger, path.with_name(TRAIL), Clock(anchor))


def _drained(journal: Journal) -> tuple[Problem, ...]:
    """The change is committed; whatever keeps its record from the file is no failure of the command."""
    try:
        outcome = journal.drain()
        if outcome in {DrainOutcome.CLEAN, DrainOutcome.LOCKED}:  # locked: who holds it takes ours along
            return ()
        with journal.read() as connection:
            why = read_head(connection).problem or outcome.value
    except sqlite3.Error as error:
        why = str(error)
    message = f"done, but the audit trail cannot be written: {why}; the record waits in the ledger"
    return (Problem("audit_unavailable", message, "look at that file and its disk: ls -l, df -h"),)


def reason_given(reason: str) -> str:
    """A reason that says something, on one line.

    Raises:
        UsageFault: it does not (2).
    """
    text = " ".join(reason.split())
    if not text:
        raise UsageFault("--reason is empty", hint='say why, it goes to the trail: --reason "..."')
    return text

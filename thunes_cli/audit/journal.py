"""The one way to change the ledger's state: the change, its audit record and its alert commit together.

::

    with journal.change() as tx:
        tx.connection.execute(...)
        tx.record(Event.SYMBOL_FROZEN, symbol="BTCUSDT", reason=reason)
        tx.alert(Kind.RECONCILE, text, Severity.WARNING)

After the commit the trail is drained; a trail that cannot be written delays nothing (see ``drain``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from thunes_cli.audit.events import Event
from thunes_cli.audit.lock import LOCK_WAIT_SECONDS
from thunes_cli.audit.record import Fact, line_hash, make_line
from thunes_cli.audit.trail import DrainOutcome, Trail
from thunes_cli.clock import Clock
from thunes_cli.ledger import outbox
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity, raise_alert, tell_over
from thunes_cli.ledger.connection import Ledger

_IMPATIENT_SECONDS = 10.0


class Change:
    """One open ``BEGIN IMMEDIATE`` transaction. ``at`` is the market time every record of it carries."""

    def __init__(self, connection: sqlite3.Connection, *, at: datetime, at_wall: datetime) -> None:
        self.connection = connection
        self.at = at
        self.at_wall = at_wall
        self.recorded = 0

    def record(self, event: Event, **facts: Fact) -> None:
        """Put a record on the trail; it becomes true when, and only when, the transaction commits."""
        head = outbox.read_head(self.connection)
        line = make_line(seq=head.seq + 1, prev=head.hash, at=self.at, event=event, facts=facts)
        outbox.append(self.connection, seq=head.seq + 1, event=event, line=line, line_hash=line_hash(line))
        self.recorded += 1

    def alert(self, kind: Kind, text: str, severity: Severity, *, key: str = "", lasting: bool = False) -> bool:
        """Tell the operator, when and only when the transaction commits; False: it lasts, and was told before.

        What a text must say, and what ``lasting`` means: :func:`~thunes_cli.ledger.alerts.raise_alert`.
        """
        return raise_alert(
            self.connection,
            kind,
            text,
            severity=severity,
            at=self.at,
            at_wall=self.at_wall,
            key=key,
            lasting=lasting,
        )

    def alert_over(self, kind: Kind, text: str, *, key: str = "") -> bool:
        """Tell that a lasting condition is over, with how long it lasted; False, with nothing told: it was not on."""
        return tell_over(self.connection, kind, text, key=key, at=self.at, at_wall=self.at_wall) is not None


class Journal:
    """Ledger and trail of one home, read and changed with one clock."""

    def __init__(self, ledger: Ledger, trail_path: Path, clock: Clock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.trail = Trail(trail_path, ledger)
        self._impatient_until = 0.0

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent view of the ledger."""
        with self.ledger.read() as connection:
            yield connection

    @contextmanager
    def change(self, *, drain: bool = True) -> Iterator[Change]:
        """Change state and trail together; both or neither survive a crash at any instant."""
        with self.ledger.write() as connection:
            change = Change(connection, at=self.clock.now(), at_wall=self.clock.wall())
            yield change
        if drain and change.recorded:
            self.drain()

    def drain(self, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> DrainOutcome:
        """Bring the file up to date now, and say whether it is.

        Who waited for the lock in vain does not wait again for a while: an exit has many steps, and whatever holds the
        lock for so long (a stopped process) may hold it for ever.
        """
        now = self.clock.monotonic()
        outcome = self.trail.drain(wait_seconds=0.0 if now < self._impatient_until else wait_seconds)
        if outcome is DrainOutcome.LOCKED and wait_seconds > 0:
            self._impatient_until = self.clock.monotonic() + _IMPATIENT_SECONDS
        return outcome

    def close(self) -> None:
        """Close this thread's connection."""
        self.ledger.close()

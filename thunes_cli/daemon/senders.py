"""The threads that carry alerts out, one a channel: a channel that hangs delays neither trading nor another channel.

They run from before the start-up gate to after the stop, so that a daemon which waits for the exchange, or is refused,
is heard as well.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from thunes_cli.alerts.channels import NOT_CONFIGURED, open_channels
from thunes_cli.alerts.log_notifier import LogNotifier
from thunes_cli.alerts.notifier import Notifier
from thunes_cli.alerts.outbox import Courier, settle
from thunes_cli.alerts.witness import anchor_of
from thunes_cli.audit.journal import Journal
from thunes_cli.daemon import jobs
from thunes_cli.daemon.assembly import HomeSettings
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.worker import Worker
from thunes_cli.ledger import alert_delivery, alerts
from thunes_cli.ledger.alert_kinds import Kind

_log = logging.getLogger(__name__)

SEND_S = 1.0
_LAST_MESSAGES = 20


class Senders:
    """Every channel of one daemon, the log included."""

    def __init__(self, journal: Journal, configured: HomeSettings, *, credentials: Path | None = None) -> None:
        """``credentials``: the directory of systemd's credentials, where the key that signs the trail may be."""
        self._journal = journal
        self._clock = journal.clock
        self._channels = open_channels(configured.settings)
        self._anchor = anchor_of(journal, credentials)
        notifiers = (LogNotifier(), *self._channels.notifiers)
        names = [notifier.name for notifier in notifiers]
        self._lines = [self._line(notifier, names) for notifier in notifiers]

    def _line(self, notifier: Notifier, names: Collection[str]) -> _Line:
        courier = Courier(self._journal, notifier, anchor=self._anchor, redact=self._channels.redact)
        return _Line(self._journal, courier, names, redact=self._channels.redact)

    def begin(self, beats: Periodic) -> None:
        """Deliver from now on; what cannot be had is said once, here."""
        if not self._channels.notifiers and not self._channels.problems:
            _log.warning("alerts go to the log only: %s", NOT_CONFIGURED)
        try:
            self._tell_problems()
        except sqlite3.Error as error:
            _log.error("the channels' state could not be recorded: error=%s", error)
        for line in self._lines:
            beats.add(SEND_S, line.submit, at_once=True)

    def _tell_problems(self) -> None:
        working = {notifier.name for notifier in self._channels.notifiers}
        with self._journal.ledger.write() as connection:
            alert_delivery.try_again_now(connection)
            for condition in alerts.read_conditions(connection):
                if condition.kind == Kind.ALERTS_UNDELIVERED and condition.key not in working:
                    alerts.end_condition(connection, Kind.ALERTS_UNDELIVERED, key=condition.key)
            for hold in alert_delivery.read_holds(connection):
                if hold.channel not in working:
                    alert_delivery.release(connection, hold.channel)
            for channel, problem in self._channels.problems.items():
                _log.error("no alerts by %s: %s", channel, problem)
                alerts.raise_alert(
                    connection,
                    Kind.ALERTS_UNDELIVERED,
                    f"No alerts go out by {channel}: {problem}. Next: thunes config show",
                    severity=alerts.Severity.WARNING,
                    at=self._clock.now(),
                    at_wall=self._clock.wall(),
                    key=channel,
                    lasting=True,
                )

    def finish(self, seconds: float) -> None:
        """Deliver what waits, for so many seconds at most, and end; the rest is the next start's."""
        deadline = self._clock.monotonic() + seconds
        last = [line.submit_last() for line in self._lines]
        for done in last:
            done.wait(max(deadline - self._clock.monotonic(), 0.0))
        for line in self._lines:
            line.worker.close()
        for line in self._lines:
            line.worker.finished(max(deadline - self._clock.monotonic(), 0.0))


class _Line:
    """One channel with its thread."""

    def __init__(
        self, journal: Journal, courier: Courier, channels: Collection[str], *, redact: Callable[[str], str]
    ) -> None:
        self._journal = journal
        self._courier = courier
        self._channels = channels
        self._book = JobBook(journal, redact=redact)
        name = jobs.ALERTS if courier.channel == LogNotifier.name else f"{jobs.ALERTS}_{courier.channel}"
        self._job = Job(name, self._deliver)
        self.worker = Worker(f"alerts-{courier.channel}", on_end=journal.close)

    def submit(self) -> None:
        """Look for what is due."""
        self._book.submission(self._job, self.worker)()

    def submit_last(self) -> threading.Event:
        """Deliver all that waits; the event tells when it was tried."""
        done = threading.Event()

        def last() -> None:
            try:
                self._book.run(Job(self._job.name, self._deliver_all))
            finally:
                done.set()

        self.worker.submit("last", last)
        return done

    def _deliver(self) -> None:
        if self._courier.deliver():
            settle(self._journal, self._channels)

    def _deliver_all(self) -> None:
        if self._courier.deliver(most=_LAST_MESSAGES, at_once=True):
            settle(self._journal, self._channels)

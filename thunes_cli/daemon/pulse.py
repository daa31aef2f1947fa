"""The daemon's sign of life to the outside: whoever serves ``HEARTBEAT_URL`` raises the alarm when it stops.

It is given once a minute while the main loop beats, on a thread of its own, and at once when it changes. ``/fail`` says
that the daemon lives and cannot do its work: something critical lasts, a step hangs, a start does not end, or alerts do
not arrive. What passes by itself within half a minute is nobody's business; nor is the kill switch, which is an answer
and no trouble.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from thunes_cli.alerts.heartbeat import Heartbeat
from thunes_cli.alerts.notifier import Throttled
from thunes_cli.audit.journal import Journal
from thunes_cli.config.secrets import Secret
from thunes_cli.daemon import jobs
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.worker import Worker
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity, read_conditions

_log = logging.getLogger(__name__)

PULSE_S = 60.0
LOOK_S = 10.0
TROUBLE_S = 30.0
PATIENCE_S = 300.0  # a step, or a start, that takes longer needs somebody
STARTING, STUCK, STOPPED, LEDGER = "starting", "stuck", "stopped", "ledger"


class Pulse:
    """Signs of life of one daemon; none without an address.

    ``look`` is asked on the main thread and must be quick: what it sees of its own threads.
    """

    def __init__(
        self,
        journal: Journal,
        url: Secret | None,
        *,
        look: Callable[[], Sequence[str]],
        redact: Callable[[str], str],
    ) -> None:
        self._journal = journal
        self._look = look
        self._heartbeat = Heartbeat(url) if url is not None else None
        self._book = JobBook(journal, redact=redact)
        self._worker = Worker("heartbeat", on_end=journal.close) if url is not None else None
        self._since_mono: dict[str, float] = {}  # each trouble there is
        self._given: tuple[bool, float] | None = None  # whether it was well, and when (monotonic)

    def begin(self, beats: Periodic) -> None:
        """Give a sign now, and go on."""
        if self._worker is not None:
            beats.add(LOOK_S, self._submit, at_once=True)

    def finish(self, seconds: float, *, badly: bool) -> None:
        """End; who ends otherwise than asked says so, if it can be said in so many seconds."""
        if self._worker is None:
            return
        if badly:
            last = Job(jobs.HEARTBEAT, lambda: self._give([STOPPED]))
            self._worker.submit(STOPPED, lambda: self._conclude(last))
            self._worker.submit("end", self._worker.close)
        else:
            self._worker.close()
        self._worker.finished(seconds if badly else 0.0)

    def _submit(self) -> None:
        assert self._worker is not None
        seen = list(self._look())
        self._worker.submit(jobs.HEARTBEAT, lambda: self._run(seen))

    def _conclude(self, job: Job) -> None:
        self._book.run(job)

    def _run(self, seen: Sequence[str]) -> None:
        self._book.run(Job(jobs.HEARTBEAT, lambda: self._sign(seen)))

    def _sign(self, seen: Sequence[str]) -> None:
        now = self._journal.clock.monotonic()
        troubles = frozenset(seen) | self._lasting()
        self._since_mono = {name: self._since_mono.get(name, now) for name in troubles}
        lasting = sorted(name for name, since in self._since_mono.items() if now - since >= TROUBLE_S)
        if self._given is not None and self._given[0] is not bool(lasting) and now - self._given[1] < PULSE_S:
            return
        self._give(lasting)
        self._given = (not lasting, now)

    def _lasting(self) -> frozenset[str]:
        try:
            with self._journal.read() as connection:
                conditions = read_conditions(connection)
        except Exception as error:  # noqa: BLE001 - a ledger that cannot be read is what must be told
            _log.error("the ledger cannot be read: error=%s", error)
            return frozenset({LEDGER})
        return frozenset(
            condition.kind
            for condition in conditions
            if condition.severity is Severity.CRITICAL or condition.kind == Kind.ALERTS_UNDELIVERED
        )

    def _give(self, troubles: Sequence[str]) -> None:
        assert self._heartbeat is not None
        try:
            self._heartbeat.beat(troubles)
        except Throttled as error:
            _log.warning("heartbeat not taken: error=%s", error)

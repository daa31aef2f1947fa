"""The daemon: from the lock to the clean stop.

The main thread beats: heartbeat, watchdog, signals, and handing due work to the one thread that trades. Nothing it
does itself can hang on the network.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.notary import Notary
from thunes_cli.clock import Clock
from thunes_cli.config.home import LEDGER, TRAIL
from thunes_cli.config.private_file import remove_drafts
from thunes_cli.daemon.assembly import ExchangeLink, HomeSettings, require_environment
from thunes_cli.daemon.backups import DailyBackup
from thunes_cli.daemon.crashes import StackWatch, record_crash, take_stacks, told
from thunes_cli.daemon.ledger_watch import LedgerWatch
from thunes_cli.daemon.lock import ONCE, DaemonLock
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.pulse import PATIENCE_S, STARTING, STUCK, Pulse
from thunes_cli.daemon.records import redactor_of
from thunes_cli.daemon.senders import Senders
from thunes_cli.daemon.signals import StopRequest
from thunes_cli.daemon.start import Start, stand_still
from thunes_cli.daemon.systemd import Notifier
from thunes_cli.daemon.telling import tell_stop
from thunes_cli.daemon.work import Work
from thunes_cli.daemon.worker import Worker
from thunes_cli.errors import ThunesError
from thunes_cli.ledger import daemon as daemon_rows
from thunes_cli.ledger import orders
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.reserve import make_room
from thunes_cli.process import this_process

_log = logging.getLogger(__name__)

BEAT_S = 1.0
ONCE_WAIT_S = 30.0  # a single check ends by itself; a request of it may take its time-out
_HURRIED_WAIT_S = 1.0
_LAST_ALERTS_S = 5.0  # for what is said last; more is for the next start
_QUICK_START_S = 10.0
_QUICK_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class RunRequest:
    """How to run.

    ``duration_s``: wall seconds until the orderly end, None for ever. ``credentials``: the directory of them, where
    the trail's key may be. ``watch``: called by the main thread every ``watch_every_s`` as long as it trades.
    """

    command: str = "run"
    duration_s: float | None = None
    notify_socket: str | None = None
    credentials: Path | None = None
    watch: Callable[[], None] | None = None
    watch_every_s: float = 0.25


@dataclass(frozen=True, slots=True)
class RunReport:
    """What came of it: wall seconds, ticks (one a symbol and check), orders made.

    ``abandoned`` is the step that was not waited for, because the operator was in a hurry.
    """

    ran_s: float
    ticks: int
    orders: int
    abandoned: str | None = None


def run_daemon(
    configured: HomeSettings,
    open_link: Callable[[], AbstractContextManager[ExchangeLink]],
    stop: StopRequest,
    request: RunRequest,
) -> RunReport:
    """Trade until asked to stop, or until the duration is over.

    Args:
        configured: home and settings.
        open_link: reaches the exchange, starting it if it is the embedded one; entered under the lock.
        stop: asked from outside; its owner turns signals into it.
        request: see there.

    Raises:
        Locked: another daemon holds this home (11). LedgerGone: somebody took the ledger away, nothing is held (10).
        LedgerCorrupt (5), AuthError (12), ConfigError (78): see :class:`thunes_cli.trading.gate.Gate`.
    """
    lock = DaemonLock(configured.home)
    lock.acquire(request.command, wait_seconds=ONCE_WAIT_S, wait_for=ONCE)
    try:
        remove_drafts(configured.home)
        if make_room(configured.home):
            _log.critical("the disk is full: the reserve was given up, so that exits can be written down")
        ledger = Ledger(configured.home / LEDGER)
        with contextlib.closing(ledger), open_link() as link:
            with ledger.read() as connection:
                identity = read_identity(connection)
            require_environment(identity.environment, configured.settings.environment)
            journal = Journal(ledger, configured.home / TRAIL, Clock(identity.anchor))
            return _Daemon(journal, configured, link, stop, request, lock=lock).run()
    finally:
        lock.release()


class _Daemon:
    def __init__(
        self,
        journal: Journal,
        configured: HomeSettings,
        link: ExchangeLink,
        stop: StopRequest,
        request: RunRequest,
        *,
        lock: DaemonLock,
    ) -> None:
        self._lock = lock
        self._journal = journal
        self._clock = journal.clock
        self._configured = configured
        self._link = link
        self._stop = stop
        self._request = request
        self._notifier = Notifier(request.notify_socket)
        self._worker = Worker("trading", on_end=journal.close)
        self._redact = redactor_of(configured.settings)
        self._senders = Senders(journal, configured, credentials=request.credentials)
        self._pulse = Pulse(journal, configured.settings.heartbeat_url, look=self._look, redact=self._redact)
        self._backups = DailyBackup(journal, configured.settings, credentials=request.credentials, redact=self._redact)
        self._stacks = StackWatch(configured.home)
        self._ledger = LedgerWatch(journal)
        self._began_mono = self._clock.monotonic()
        self._beats = Periodic(monotonic=self._clock.monotonic)
        self._start = Start(journal, configured, link, command=request.command, stop=stop)
        self._work: Work | None = None
        self._abandoned: str | None = None

    def run(self) -> RunReport:
        self._beats.add(BEAT_S, self._beat, at_once=True)
        problem: BaseException | None = None
        try:
            with self._journal.ledger.write() as connection:
                now, wall = self._clock.now(), self._clock.wall()
                self._start.before = daemon_rows.read_daemon(connection)
                daemon_rows.save_daemon(connection, this_process(), command=self._request.command, since=now, wall=wall)
            self._start.stacks = take_stacks(self._configured.home)
            self._stacks.begin()
            self._senders.begin(self._beats)
            self._pulse.begin(self._beats)
            self._backups.begin(self._beats)
            self._worker.submit("start", self._start.run)
            self._loop()
        except BaseException as error:
            problem = error
            raise
        finally:
            self._end(problem)
        return self._report()

    def _loop(self) -> None:
        deadline = None if self._request.duration_s is None else self._began_mono + self._request.duration_s
        while not self._stop.stop:
            pause = self._beats.run_due()
            self._lock.keep(self._request.command)
            self._ledger.require()
            if self._work is None:
                self._begin_work()
                pause = min(pause, self._starting_pause())
            if deadline is not None:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    return
                pause = min(pause, left)
            self._stop.wait(pause)

    def _starting_pause(self) -> float:
        """Look often while a start can be about to end, seldom once it obviously waits for the exchange."""
        return _QUICK_LOOK_S if self._clock.monotonic() - self._began_mono < _QUICK_START_S else BEAT_S / 4

    def _begin_work(self) -> None:
        """When the gate has been passed: begin to trade."""
        room = self._start.outcome()
        if room is None:
            return
        self._work = Work(
            room, self._configured, self._link, worker=self._worker, credentials=self._request.credentials
        )
        self._work.begin(self._beats)
        if self._request.watch is not None:
            self._beats.add(self._request.watch_every_s, self._request.watch, at_once=True)
        self._notifier.ready(f"{room.engine.mode}, {room.plan.what}")

    def _look(self) -> Sequence[str]:
        """What of ourselves a sign of life must not hide."""
        if self._work is None and self._clock.monotonic() - self._began_mono > PATIENCE_S:
            return (STARTING,)
        return (STUCK,) if self._worker.busy_s > PATIENCE_S else ()

    def _beat(self) -> None:
        if self._work is None:
            self._notifier.waiting(self._start.status)
        else:
            self._work.look_at_clock()
        if self._work is None or self._worker.busy_s <= PATIENCE_S:  # a step that hangs for ever is no progress
            self._notifier.alive()
        try:
            with self._journal.ledger.write() as connection:
                daemon_rows.beat(connection, self._clock.wall())
        except sqlite3.Error as error:
            _log.error("heartbeat not recorded: error=%s", error)

    # -- the end -----------------------------------------------------------------------------------------------

    def _end(self, problem: BaseException | None) -> None:
        """No new steps, the one in flight finishes, the stop is recorded."""
        self._notifier.stopping()
        _log.info("daemon stopping: waits_for=%s", self._worker.running or "nothing")
        if self._work is not None:
            self._work.stop()
        self._worker.close()
        self._backups.finish()
        if not self._wait_for_step():
            self._abandoned = self._worker.running
        self._record_stop(problem)
        self._senders.finish(_HURRIED_WAIT_S if self._stop.hurry else _LAST_ALERTS_S)
        self._pulse.finish(_HURRIED_WAIT_S, badly=problem is not None)
        self._stacks.end()
        self._notifier.close()

    def _wait_for_step(self) -> bool:
        """False when the operator asked twice and the step still hung a second later."""
        hurried_mono: float | None = None
        while not self._worker.finished(0.05):
            self._beat_while_waiting()
            if self._stop.hurry:
                now = self._clock.monotonic()
                hurried_mono = now if hurried_mono is None else hurried_mono
                if now - hurried_mono >= _HURRIED_WAIT_S:
                    return False
        return True

    def _beat_while_waiting(self) -> None:
        self._beats.run_due()  # a closed worker takes nothing, so only the heartbeat goes on

    def _record_stop(self, problem: BaseException | None) -> None:
        clean = self._abandoned is None and (problem is None or isinstance(problem, ThunesError | BrokenPipeError))
        why = "asked" if self._stop.stop else "duration over"
        if problem is not None:
            said = problem.message if isinstance(problem, ThunesError) else f"{type(problem).__name__}: {problem}"
            why = self._redact(said)
        try:
            with self._journal.change() as change:
                if clean:
                    daemon_rows.save_clean_stop(change.connection)
                change.record(Event.DAEMON_STOPPED, why=why, clean=clean, abandoned=self._abandoned)
                tell_stop(change, why=why, since=self._start.since, clean=clean, asked=problem is None)
            if self._link.ends_with_us():
                stand_still(self._journal)
        except sqlite3.Error as error:
            _log.error("stop not recorded: error=%s", error)
        if problem is not None and not clean:
            self._record_crash(problem)
        self._sign_last()
        _log.info("daemon stopped: clean=%s why=%s", clean, why)

    def _record_crash(self, problem: BaseException) -> None:
        wall = self._clock.wall()
        with contextlib.suppress(sqlite3.Error), self._journal.read() as connection:
            record_crash(self._configured.home, connection, what=told(problem), wall=wall, redact=self._redact)

    def _sign_last(self) -> None:
        """What was recorded last is signed as well; a trail that cannot be signed keeps nobody from stopping."""
        try:
            Notary(self._journal, credentials=self._request.credentials).checkpoint()
        except (ThunesError, sqlite3.Error) as error:
            _log.error("trail not signed: error=%s", error)

    def _report(self) -> RunReport:
        ran_s = round(self._clock.monotonic() - self._began_mono, 3)
        with self._journal.read() as connection:
            made = orders.list_orders(connection, since=self._start.since) if self._start.since else []
        ticks = self._work.ticks if self._work is not None else 0
        return RunReport(ran_s=ran_s, ticks=ticks, orders=len(made), abandoned=self._abandoned)

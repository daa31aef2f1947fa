"""What a trading daemon does, job by job."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from thunes_cli.audit.notary import Notary
from thunes_cli.daemon import jobs
from thunes_cli.daemon.assembly import ExchangeLink, HomeSettings, TradingRoom
from thunes_cli.daemon.checking import check_signals, require_answers
from thunes_cli.daemon.disk import DiskWatch
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.key_watch import KeyWatch
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.records import redactor_of
from thunes_cli.daemon.reporting import DailyReport
from thunes_cli.daemon.resources import look_at_resources
from thunes_cli.daemon.schedule import Every, settling_moment
from thunes_cli.daemon.streams import Streams
from thunes_cli.daemon.telling import tell_trail
from thunes_cli.daemon.worker import Worker
from thunes_cli.ledger.outbox import outbox_size

if TYPE_CHECKING:
    from thunes_cli.daemon.scheduling import MarketSchedule

_log = logging.getLogger(__name__)

RENEW_S = 1.0
RESOLVE_S = 1.0
CLOCK_SYNC_S = 60.0
STOP_CHECK_S = 10.0
DISK_S = 10.0
TRAIL_S = 5.0
KEY_S = 1.0
AGAIN_S = 10.0
_KEY_WATCH = timedelta(hours=1)
_LEAST_STOP_CHECK_S = 0.5
_LEAST_RECONCILE_S = 10.0
_STEP = timedelta(seconds=0.5)  # of the wall clock against the monotonic one: no slewing gets so far in a minute


def stop_check_every_s(speed: Decimal) -> float:
    """Ten seconds; on a sped-up exchange the same in market time, but never without a breath in between."""
    return max(_LEAST_STOP_CHECK_S, STOP_CHECK_S / float(max(speed, Decimal(1))))


def reconcile_grid(interval_s: float, speed: Decimal) -> Every:
    """When ledger and exchange are compared: between signal checks, and never twice in ten seconds of network time."""
    interval = timedelta(seconds=max(interval_s, _LEAST_RECONCILE_S * float(speed)))
    return Every(interval, interval / 8)


class Work:
    """The jobs of one daemon that has passed the gate. ``ticks`` counts the symbols checked."""

    def __init__(
        self,
        room: TradingRoom,
        configured: HomeSettings,
        link: ExchangeLink,
        *,
        worker: Worker,
        credentials: Path | None = None,
    ) -> None:
        self._room = room
        self._link = link
        self._journal = room.journal
        self._clock = room.journal.clock
        self._settings = configured.settings
        self._worker = worker
        self._notary = Notary(room.journal, credentials=credentials)
        self._book = JobBook(room.journal, redact=redactor_of(configured.settings))
        self._check = Job(jobs.SIGNAL_CHECK, self._check_signals, every_run=True)
        interval = room.plan.signal_interval
        self._grid = Every(interval, settling_moment(interval, speed=self._clock.speed))
        self._sync = Job(jobs.CLOCK_SYNC, self._sync_clock)
        self._market: MarketSchedule | None = None
        self._configured = configured
        self._streams: Streams | None = None
        self._disk = DiskWatch(room.journal, min_free_mib=configured.settings.min_free_mib)
        self.ticks = 0

    def begin(self, beats: Periodic) -> None:
        """Check at once; what follows is planned when that is done."""
        room, now = self._room, self._clock.now()
        point = self._grid.last_at(now)
        self._worker.submit(jobs.SIGNAL_CHECK, lambda: self._check_first(point))
        self._until(Job(jobs.PLAN, lambda: self._plan(point, since=now)), lambda: self._market is not None, beats)
        streams = self._streams = Streams(
            *(self._room, self._configured, self._link),
            worker=self._worker,
            book=self._book,
            stops_every_s=stop_check_every_s(self._clock.speed),
        )
        self._until(Job(jobs.STREAMS, streams.listen), lambda: streams.listening, beats)
        streams.begin(beats)
        if self._link.renew is not None:
            beats.add(RENEW_S, self._submission(Job(jobs.EXCHANGE, self._renew)))
        beats.add(RESOLVE_S, self._submission(Job(jobs.RESOLVE, self._resolve)))
        beats.add(stop_check_every_s(self._clock.speed), self._submission(Job(jobs.STOP_CHECK, self._check_stops)))
        beats.add(CLOCK_SYNC_S, self._submission(self._sync))
        beats.add(DISK_S, self._submission(Job(jobs.DISK, self._disk.look)), at_once=True)
        beats.add(KEY_S, self._submission(Job(jobs.KEY, room.key.look)))
        beats.add(DISK_S, self._submission(Job(jobs.RESOURCES, look_at_resources)))
        beats.add(TRAIL_S, self._submission(Job(jobs.TRAIL, self._keep_trail)))

    def stop(self) -> None:
        """Plan nothing more, listen no more."""
        if self._streams is not None:
            self._streams.stop()
        if self._market is not None:
            self._market.stop()

    def look_at_clock(self) -> None:
        """Notice a step of the wall clock, and read the exchange's anew; until that is done there are no entries."""
        step = self._clock.step
        if abs(step) >= _STEP and self._worker.submit(jobs.CLOCK_SYNC, lambda: self._book.run(self._sync)):
            _log.warning("wall clock stepped: seconds=%.3f", step.total_seconds())

    # -- planning ----------------------------------------------------------------------------------------------

    def _check_first(self, point: datetime) -> None:
        self._book.run(self._check, planned_at=point, next_at=lambda: self._grid.next_after(self._clock.now()))

    def _plan(self, point: datetime, *, since: datetime) -> None:
        from thunes_cli.daemon.scheduling import MarketSchedule  # noqa: PLC0415 - APScheduler, not before the first check

        market = MarketSchedule(self._clock, self._book, self._worker)
        market.add(self._check, self._grid, after=point)
        report = DailyReport(self._journal, self._settings.daily_summary_utc, began=since)
        market.add(Job(jobs.DAILY_SUMMARY, report.run, every_run=True), report.schedule, after=report.told_until())
        compare = Job(jobs.RECONCILE, self._reconcile, every_run=True)
        market.add(compare, reconcile_grid(self._settings.reconcile_interval_seconds, self._clock.speed), after=since)
        watch = KeyWatch(
            self._journal,
            self._room.exchange,
            lambda: self._room.key.key,
            withdrawals_accepted=self._settings.accept_key_that_may_withdraw,
        )
        look = Job(jobs.KEY_WATCH, watch.look)
        self._book.run(look)
        market.add(look, Every(max(_KEY_WATCH, timedelta(seconds=60 * float(self._clock.speed)))), after=since)
        market.start()
        self._market = market

    def _until(self, job: Job, done: Callable[[], bool], beats: Periodic) -> None:
        """Do it now; if that fails, whatever it was, again as a job like any other until it is done."""

        submit = self._submission(job)

        def again() -> None:
            if not done():
                submit()

        self._worker.submit(job.name, job.run)
        beats.add(AGAIN_S, again)

    def _submission(self, job: Job) -> Callable[[], None]:
        return self._book.submission(job, self._worker)

    # -- the jobs ----------------------------------------------------------------------------------------------

    def _check_signals(self) -> str:
        ticks = check_signals(self._room)
        self.ticks += len(ticks)
        require_answers(ticks)
        found = [f"{tick.symbol} {tick.signal} {tick.decision}" for tick in ticks if tick.signal is not None]
        return "; ".join([f"{len(ticks)} checked", *found])

    def _check_stops(self) -> None:
        self._room.engine.stop_check()

    def _resolve(self) -> None:
        self._room.exchange.probe()
        self._room.resolver.resolve_due()

    def _reconcile(self) -> str:
        assert self._streams is not None
        return self._room.reconciler.routine(by="job", progress=self._streams.breathe).summary

    def _keep_trail(self) -> None:
        """Write what could not be written when it was made (a held lock, a full disk), sign and rotate when due."""
        with self._journal.read() as connection:
            waiting = outbox_size(connection)
        try:
            if waiting:
                self._journal.drain()
            self._notary.rotate_if_due()
            self._notary.checkpoint_if_due()
        finally:
            tell_trail(self._journal)

    def _renew(self) -> None:
        """Whoever served the embedded exchange may have ended: then it is ours, and its market stood still."""
        speed = self._link.renew() if self._link.renew is not None else None
        if speed is not None:
            _log.info("exchange taken over: speed=%s", speed)
            self._sync_clock(speed=speed)

    def _sync_clock(self, *, speed: Decimal | None = None) -> None:
        self._room.exchange.resync_clock(speed=speed)
        if self._market is not None:
            self._market.replan()

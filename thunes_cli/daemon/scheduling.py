"""APScheduler for the jobs on the market's grid, on the one thread that trades."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor, MaxInstancesReachedError, run_job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from thunes_cli.clock import Clock, to_text
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.schedule import Schedule
from thunes_cli.daemon.trigger import MarketTrigger
from thunes_cli.daemon.worker import Worker


class _OnWorker(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Hands due jobs to the trading thread; one that still waits or runs there is skipped, never queued."""

    def __init__(self, worker: Worker, overrun: Callable[[str], None]) -> None:
        super().__init__()
        self._worker = worker
        self._overrun = overrun

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        def step() -> None:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # noqa: SLF001 - as its own executors
            self._run_job_success(job.id, events)

        if not self._worker.submit(job.id, step):
            self._overrun(job.id)
            raise MaxInstancesReachedError(job)


class MarketSchedule:
    """The jobs planned in market time."""

    def __init__(self, clock: Clock, book: JobBook, worker: Worker) -> None:
        self._clock = clock
        self._book = book
        self._triggers: dict[str, MarketTrigger] = {}
        self._served: dict[str, datetime] = {}
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": _OnWorker(worker, self._note_overrun)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def add(self, job: Job, schedule: Schedule, *, after: datetime) -> None:
        """Plan a job from its first point after a market time on; a point that is past already fires at once."""
        trigger = MarketTrigger(schedule, self._clock, after=after)
        self._triggers[job.name] = trigger
        run = self._runner(job, trigger)
        self._scheduler.add_job(run, trigger, id=job.name, next_run_time=trigger.planned_wall())

    def _runner(self, job: Job, trigger: MarketTrigger) -> Callable[[], None]:
        def run() -> None:
            point, served = trigger.fired, self._served.get(job.name)
            if point is None or point == served:
                return  # woken early: the clock was set back since
            self._note_missed(job.name, trigger, served=served, point=point)
            self._served[job.name] = point
            self._book.run(job, planned_at=point, next_at=lambda: trigger.planned)

        return run

    def _note_missed(self, name: str, trigger: MarketTrigger, *, served: datetime | None, point: datetime) -> None:
        """Points nobody looked at, while the machine slept or the step before took longer than the distance of two."""
        if served is None or not self._counts:
            return
        first = trigger.schedule.next_after(served)
        if first < point:
            number = (point - first) // trigger.schedule.span
            self._book.note(name, "missed", planned_at=first, detail=f"{number} planned before {to_text(point)}")
        else:
            self._book.on_time(name)

    def _note_overrun(self, name: str) -> None:
        trigger = self._triggers.get(name)
        if trigger is not None and trigger.fired is not None and self._counts:
            self._book.note(name, "overrun", planned_at=trigger.fired, detail="the run before it was not over")

    @property
    def _counts(self) -> bool:
        """On a sped-up exchange points go by faster than anybody can serve them: that is no trouble."""
        return self._clock.speed == 1

    def start(self) -> None:
        """Begin to fire."""
        self._scheduler.start()

    def replan(self) -> None:
        """The exchange's clock was read anew: convert every planned point again."""
        for name, trigger in self._triggers.items():
            wall = trigger.planned_wall()
            if wall is None:
                continue
            try:
                self._scheduler.modify_job(name, next_run_time=wall)
            except JobLookupError:  # a market that stood still when the job was added
                continue

    def stop(self) -> None:
        """Fire no more; the step in flight is the worker's."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

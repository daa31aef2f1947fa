"""The jobs' own rules: how often, and what a stepping wall clock means."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Anchor, Clock, utc_now
from thunes_cli.config.settings import Settings
from thunes_cli.daemon import work as work_module
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.reporting import DailyReport
from thunes_cli.daemon.work import AGAIN_S, Work, stop_check_every_s
from thunes_cli.daemon.worker import Worker
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.schema import create_ledger


@pytest.mark.parametrize(("speed", "seconds"), [("1", 10), ("0.5", 10), ("0", 10), ("4", 2.5), ("600", 0.5)])
def test_stops_are_looked_at_every_ten_seconds_of_market_time_at_least(speed, seconds):
    """On a sped-up market as often as one can without pressing; never more seldom than every ten seconds."""
    assert stop_check_every_s(Decimal(speed)) == seconds


class ExchangeClock:
    """An exchange of which only the clock matters."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.read = threading.Event()

    def resync_clock(self, *, speed: Decimal | None = None) -> None:
        """Set market time by a reading of now."""
        self._clock.set_anchor(Anchor(self._clock.wall(), utc_now(), speed or Decimal(1)))
        self.read.set()


def test_a_step_of_the_wall_clock_is_noticed_and_mended(tmp_path, caplog):
    """Market time is reckoned from the wall clock: after a step no entries until the exchange's clock was read."""
    step = timedelta(0)
    clock = Clock(wall=lambda: utc_now() + step)
    create_ledger(tmp_path / "thunes.db", environment="sim", instance="aaaaaa", epoch="bbb", wall=utc_now())
    journal = Journal(Ledger(tmp_path / "thunes.db"), tmp_path / "audit_trail.jsonl", clock)
    exchange = ExchangeClock(clock)
    room = SimpleNamespace(
        journal=journal,
        exchange=exchange,
        plan=SimpleNamespace(signal_interval=timedelta(seconds=600)),
    )
    worker = Worker(on_end=journal.close)
    held, gate = threading.Event(), threading.Event()

    def busy() -> None:
        held.set()
        gate.wait(10)

    worker.submit("busy", busy)
    assert held.wait(10)
    link = SimpleNamespace(renew=None)
    work = Work(room, SimpleNamespace(settings=Settings()), link, worker=worker)

    work.look_at_clock()
    assert abs(clock.step) < timedelta(milliseconds=500)

    step = timedelta(hours=1)
    work.look_at_clock()
    work.look_at_clock()

    assert abs(clock.step - step) < timedelta(milliseconds=500)
    assert caplog.text.count("wall clock stepped") == 1
    gate.set()
    assert exchange.read.wait(10)
    worker.close()
    assert worker.finished(10)
    assert abs(clock.step) < timedelta(milliseconds=500)
    assert abs(clock.now() - utc_now()) < timedelta(seconds=5)
    journal.close()


class ListensAtTheSecondAttempt:
    """Streams that cannot connect at first."""

    def __init__(self, *_: object, **__: object) -> None:
        self.listening = False
        self.attempts = 0

    def begin(self, beats: Periodic) -> None:
        """Nothing to look after."""

    def listen(self) -> None:
        """Fail once."""
        self.attempts += 1
        if self.attempts == 1:
            raise OSError("too many open files")
        self.listening = True

    def stop(self) -> None:
        """Nothing to end."""


def test_planning_and_listening_go_on_after_a_disturbance(tmp_path, monkeypatch, caplog):
    """A disk that fails at the start costs no daemon its signal checks or its streams: both are begun again, once."""
    told_until, asked = DailyReport.told_until, []

    def failing_once(report: DailyReport) -> object:
        asked.append(report)
        if len(asked) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return told_until(report)

    monkeypatch.setattr(DailyReport, "told_until", failing_once)
    monkeypatch.setattr(work_module, "Streams", ListensAtTheSecondAttempt)
    clock, now_s = Clock(), 0.0
    create_ledger(tmp_path / "thunes.db", environment="sim", instance="aaaaaa", epoch="bbb", wall=utc_now())
    journal = Journal(Ledger(tmp_path / "thunes.db"), tmp_path / "audit_trail.jsonl", clock)
    room = SimpleNamespace(
        journal=journal,
        exchange=SimpleNamespace(),
        engine=SimpleNamespace(signal_check=list),
        plan=SimpleNamespace(signal_interval=timedelta(seconds=600), symbols=()),
        key=SimpleNamespace(key=None, look=lambda: None),
    )
    worker = Worker(on_end=journal.close)
    work = Work(room, SimpleNamespace(settings=Settings()), SimpleNamespace(renew=None), worker=worker)
    beats = Periodic(monotonic=lambda: now_s)

    def settle() -> None:
        done = threading.Event()
        worker.submit("settle", done.set)
        assert done.wait(10)

    work.begin(beats)
    settle()
    assert (len(asked), work._streams.attempts) == (1, 1)
    for _ in range(3):
        now_s += AGAIN_S
        beats.run_due()
        settle()
    work.stop()
    worker.close()

    assert worker.finished(10)
    assert (len(asked), work._streams.attempts) == (2, 2)
    assert "disk I/O error" in caplog.text
    with journal.read() as connection:
        planned = {row["job"] for row in connection.execute("SELECT job FROM job_runs WHERE outcome = 'ok'")}
    assert {"plan", "streams"} <= planned
    journal.close()

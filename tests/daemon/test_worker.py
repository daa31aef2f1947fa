"""One thread runs the trading jobs, one after the other."""

from __future__ import annotations

import logging
import threading

import pytest

from thunes_cli.daemon.worker import Worker


def test_jobs_never_overlap_and_keep_their_order():
    """Whatever is submitted from several threads runs one at a time, in order."""
    worker = Worker()
    running, seen, overlaps = threading.Lock(), [], []
    last = threading.Event()

    def step(number: int) -> None:
        if not running.acquire(blocking=False):
            overlaps.append(number)
            return
        seen.append(number)
        running.release()

    gate = threading.Event()
    worker.submit("gate", lambda: gate.wait(10))
    for number in range(50):
        assert worker.submit(f"job {number}", lambda number=number: step(number))
    worker.submit("last", last.set)
    gate.set()

    assert last.wait(10)
    assert seen == list(range(50))
    assert overlaps == []
    worker.close()


def test_a_job_that_waits_or_runs_is_not_taken_twice():
    """A slow check is never queued behind itself; afterwards it is taken again."""
    worker = Worker()
    started, gate, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        gate.wait(10)

    assert worker.submit("check", slow)
    assert started.wait(10)
    assert not worker.submit("check", slow)
    assert worker.submit("resolve", lambda: None)
    assert not worker.submit("resolve", lambda: None)
    assert worker.running == "check"

    gate.set()
    worker.submit("done", done.set)
    assert done.wait(10)
    assert worker.submit("check", lambda: None)
    worker.close()


def test_closing_lets_the_step_in_flight_end_and_drops_the_rest():
    """An orderly end: what runs finishes, what waits does not begin, nothing new is taken."""
    worker = Worker()
    started, gate, ended, dropped = threading.Event(), threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        gate.wait(10)
        ended.set()

    worker.submit("check", slow)
    worker.submit("resolve", dropped.set)
    assert started.wait(10)
    worker.close()

    assert not worker.submit("more", dropped.set)
    assert not worker.finished(0)
    gate.set()
    assert worker.finished(10)
    assert ended.is_set()
    assert not dropped.is_set()


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_step_that_raises_is_logged_and_the_next_one_runs(caplog, error):
    """The thread outlives whatever a job does, somebody else's ``sys.exit()`` in it included."""
    worker = Worker()
    done = threading.Event()

    def broken() -> None:
        raise error

    with caplog.at_level(logging.ERROR):
        worker.submit("broken", broken)
        worker.submit("done", done.set)
        assert done.wait(10)

    assert "job=broken" in caplog.text
    worker.close()

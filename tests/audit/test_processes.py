"""Many processes, and processes that are killed: one unbroken chain, nothing lost, nothing doubled."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import Counter
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from trail_home import TrailHome
from trail_reading import read_chain

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.clock import Clock
from thunes_cli.ledger.connection import Ledger

FORK = multiprocessing.get_context("fork")
PROCESSES = 16


def _write(path: Path, count: int, worker: int, ready: Barrier) -> None:
    journal = Journal(Ledger(path / "thunes.db"), path / "audit_trail.jsonl", Clock())
    journal.ledger.connection.execute("PRAGMA busy_timeout = 120000")
    ready.wait()
    for number in range(count):
        with journal.change() as change:
            change.record(Event.TRADE_REJECTED, worker=worker, number=number)
        # What a caller was told is committed must be on the trail, whatever happens next.
        os.write(1, b"%d %d\n" % (worker, number))
    journal.close()


def _start(path: Path, count: int, told: Path) -> list[BaseProcess]:
    ready = FORK.Barrier(PROCESSES + 1)

    def run(worker: int) -> None:
        descriptor = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        _write(path, count, worker, ready)

    workers = [FORK.Process(target=run, args=(worker,)) for worker in range(PROCESSES)]
    for worker in workers:
        worker.start()
    ready.wait()
    return workers


@pytest.mark.parametrize("count", [25, pytest.param(1000, marks=pytest.mark.long)], ids=["16 x 25", "16 x 1,000"])
def test_sixteen_processes(tmp_path: Path, count: int) -> None:
    """All at once: every record is there once, in one chain."""
    home = TrailHome(tmp_path / "home")
    for worker in _start(home.path, count, tmp_path / "told"):
        worker.join()
        assert worker.exitcode == 0

    assert home.journal.drain() is DrainOutcome.CLEAN
    records = read_chain(home.trail)
    assert len(records) == PROCESSES * count
    seen = Counter((record["worker"], record["number"]) for record in records)
    assert set(seen.values()) == {1}
    for worker in range(PROCESSES):
        assert [r["number"] for r in records if r["worker"] == worker] == list(range(count))
    assert home.look(keys=(), deep=True, ledger=home.ledger_view()).valid
    home.close()


@pytest.mark.parametrize(
    ("count", "kills"),
    [(40, 8), pytest.param(1000, 15, marks=pytest.mark.long)],
    ids=["16 x 40", "16 x 1,000"],
)
def test_sixteen_processes_and_kills(tmp_path: Path, count: int, kills: int) -> None:
    """kill -9 at random instants: what was committed is there once, nothing else; the living lose nothing."""
    home = TrailHome(tmp_path / "home")
    told = tmp_path / "told"
    told.touch()
    workers = _start(home.path, count, told)
    randomness = random.Random(tmp_path.name)
    victims = randomness.sample(range(PROCESSES), kills)
    for number, victim in enumerate(victims):
        goal = randomness.randint(1, max(1, PROCESSES * count // (3 * kills))) * (number + 1)
        while told.stat().st_size < goal * 5 and workers[victim].is_alive():
            pass
        workers[victim].kill()  # one that has ended meanwhile is nobody's pid any more
    for worker in workers:
        worker.join()

    assert home.journal.drain() is DrainOutcome.CLEAN
    records = read_chain(home.trail)
    seen = Counter((record["worker"], record["number"]) for record in records)
    assert set(seen.values()) == {1}
    promised = {tuple(map(int, line.split())) for line in told.read_text().splitlines()}
    assert promised <= seen.keys()
    for worker in range(PROCESSES):
        numbers = [r["number"] for r in records if r["worker"] == worker]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) == count or worker in victims
    report = home.look(keys=(), deep=True, ledger=home.ledger_view())
    assert report.valid
    assert not [remark for remark in report.remarks if remark.attention]
    home.close()

"""What tests of several rooms share: a real home with a real ledger, and a clock that moves when told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from manual_time import ManualTime
from recorded_events import (  # hooks: pytest finds them by their names here
    name_what_is_missing,
    pytest_sessionfinish,
    pytest_testnodedown,
    remember_what_is_made_by_hand,
)

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.ledger.schema import create_ledger

__all__ = ["pytest_sessionfinish", "pytest_testnodedown"]

remember_what_is_made_by_hand()

# How long an example takes is the machine's business: on a busy one a good property would fail for it.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A help page is as wide as where nobody says how wide.
os.environ.pop("COLUMNS", None)

# A background shell hands ignored signals on, and so to the commands under test: they are what these tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Events that nothing recorded, and how to have the order of a run that failed once more."""
    name_what_is_missing(terminalreporter, config)
    seed = config.getoption("randomly_seed", None)
    if seed is not None and terminalreporter.stats.keys() & {"failed", "error"}:
        terminalreporter.line(f"the order of this run: --randomly-seed={seed}")


@pytest.fixture
def time() -> ManualTime:
    """Time under the test's control, noon of a day in March."""
    return ManualTime()


@pytest.fixture
def bare_home(tmp_path: Path, time: ManualTime) -> Path:
    """A home with an empty ledger."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    create_ledger(path / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=time.wall)
    return path


@pytest.fixture
def journal(bare_home: Path, time: ManualTime) -> Iterator[Journal]:
    """The journal of a home that has been ready for a day."""
    journal = Journal(Ledger(bare_home / "thunes.db"), bare_home / "audit_trail.jsonl", time.clock())
    with journal.change() as change:
        save_entries_from(change.connection, change.at - timedelta(days=1))
    yield journal
    journal.close()

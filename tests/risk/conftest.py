"""Fixtures of the risk room: a day that a test moves, and a ledger that is opened as every process opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from losses import Losses

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.schema import create_ledger

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def now() -> Iterator[FrozenDateTimeFactory]:
    """The time of day, as the test moves it; it begins at NOON."""
    with freeze_time(NOON) as frozen:
        yield frozen


@pytest.fixture
def open_again(tmp_path: Path, now: FrozenDateTimeFactory) -> Iterator[Callable[[], Journal]]:
    """Opens the home's journal, as every process and every restart does."""
    del now  # its work is done: time is frozen
    create_ledger(tmp_path / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=NOON)
    opened: list[Journal] = []

    def open_again() -> Journal:
        opened.append(Journal(Ledger(tmp_path / "thunes.db"), tmp_path / "audit_trail.jsonl", Clock()))
        return opened[-1]

    yield open_again
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_again: Callable[[], Journal]) -> Journal:
    """One of a home that was just made."""
    return open_again()


@pytest.fixture
def losses(journal: Journal) -> Losses:
    """Losses of that home, whose limit is 20 a day."""
    return Losses(journal)

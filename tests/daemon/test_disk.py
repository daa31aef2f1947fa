"""A disk that gets short is told once, and once more when it is over."""

from __future__ import annotations

import pytest
from queued_alerts import pending_alerts

from thunes_cli.audit.journal import Journal
from thunes_cli.daemon.disk import DiskWatch
from thunes_cli.ledger.reserve import free_reserve, has_reserve

GIB = 1 << 30


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the disk has left, set by the test."""
    left = [GIB]
    for module in ("thunes_cli.daemon.disk", "thunes_cli.ledger.reserve"):
        monkeypatch.setattr(f"{module}.free_bytes", lambda _: left[0])
    return left


def told(journal: Journal) -> list[str]:
    """Kinds of the alerts so far."""
    with journal.read() as connection:
        return [alert.kind for alert in pending_alerts(connection)]


def test_shortage_is_told_once_and_its_end_once(journal: Journal, free: list[int]) -> None:
    """Low: no entries. Full, the reserve gone: exits only as long as it lasts. Both over: the reserve is back."""
    home = journal.ledger.path.parent
    watch = DiskWatch(journal, min_free_mib=100)
    watch.look()
    assert has_reserve(home)
    assert told(journal) == []

    free[0] = 50 << 20
    watch.look()
    watch.look()
    assert told(journal) == ["disk_low"]

    free[0] = 0
    free_reserve(home)
    watch.look()
    watch.look()
    assert told(journal) == ["disk_low", "disk_full"]

    free[0] = GIB
    watch.look()
    watch.look()
    assert has_reserve(home)
    assert sorted(told(journal)[2:]) == ["disk_full", "disk_low"]


def test_reserve_goes_before_entries(journal: Journal, free: list[int]) -> None:
    """With little left but enough for it, it is taken: rather no entries than no exits."""
    free[0] = 20 << 20

    DiskWatch(journal, min_free_mib=15).look()

    assert has_reserve(journal.ledger.path.parent)
    assert told(journal) == []

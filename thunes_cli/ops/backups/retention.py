"""Which backups are kept: the newest of each of so many days, weeks and months, and never fewer than a few. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from thunes_cli.ops.backups.catalog import Backup

FLOOR = 3


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days, weeks (from Monday) and months keep their newest backup, UTC."""

    daily: int
    weekly: int
    monthly: int


def choose_kept(backups: Sequence[Backup], retention: Retention) -> set[str]:
    """Ids of those that stay; ``backups`` newest first."""
    kept = {backup.id for backup in backups[:FLOOR]}
    periods: list[tuple[int, Callable[[Backup], object]]] = [
        (retention.daily, lambda backup: backup.made_at.date()),
        (retention.weekly, lambda backup: backup.made_at.isocalendar()[:2]),
        (retention.monthly, lambda backup: (backup.made_at.year, backup.made_at.month)),
    ]
    for most, period in periods:
        seen: set[object] = set()
        for backup in backups:
            if period(backup) not in seen and len(seen) < most:
                seen.add(period(backup))
                kept.add(backup.id)
    return kept

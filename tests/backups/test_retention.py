"""Which backups stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bot_home import BotHome
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.ops.backups.catalog import Backup
from thunes_cli.ops.backups.retention import FLOOR, Retention, choose_kept

NOW = datetime(2026, 3, 31, 3, 0, tzinfo=UTC)


def backups(*days_ago: float) -> list[Backup]:
    made = [NOW - timedelta(days=days) for days in sorted(days_ago)]
    return [Backup(f"{at:%Y%m%dT%H%M%SZ}", Path("x"), "abcdef", encrypted=False, bytes=1, made_at=at) for at in made]


@pytest.mark.parametrize(
    ("retention", "kept"),
    [
        (Retention(7, 0, 0), {0, 1, 2, 3, 4, 5, 6}),
        (Retention(1, 4, 0), {0, 1, 2, 9, 16}),  # 31 March 2026 is a Tuesday: weeks end on Sundays
        (Retention(1, 0, 3), {0, 1, 2, 31, 59}),
        (Retention(1, 0, 0), {0, 1, 2}),
    ],
    ids=["days", "weeks", "months", "floor"],
)
def test_one_a_period(retention: Retention, kept: set[int]) -> None:
    """The newest of each period, and three in any case."""
    all_of_them = backups(*range(90))
    expected = {all_of_them[days].id for days in kept}

    assert choose_kept(all_of_them, retention) == expected


@given(
    days=st.lists(st.floats(0, 800), max_size=40),
    daily=st.integers(1, 9),
    weekly=st.integers(0, 9),
    monthly=st.integers(0, 9),
)
def test_of_any_backups(days: list[float], daily: int, weekly: int, monthly: int) -> None:
    """The newest three stay, no more than the rules say, and choosing twice chooses the same."""
    found = backups(*days)
    kept = choose_kept(found, Retention(daily, weekly, monthly))

    assert {each.id for each in found[:FLOOR]} <= kept
    assert len(kept) <= FLOOR + daily + weekly + monthly
    left = [each for each in found if each.id in kept]
    assert choose_kept(left, Retention(daily, weekly, monthly)) == kept


def test_nothing_goes_when_the_newest_is_damaged(bot: BotHome, backup: Path) -> None:
    """Old ones may be all there is."""
    old = [backup.with_name(f"thunes-abcdef-20200101T00000{number}Z.tar.zst") for number in range(5)]
    for path in old:
        path.write_bytes(backup.read_bytes())
    whole = backup.read_bytes()
    backup.write_bytes(whole[:-30])

    refused = bot.ask("backup", "prune", "--yes", "--json")
    backup.write_bytes(whole)
    asked = bot.ask("backup", "prune", "--json")
    done = bot.ask("backup", "prune", "--yes", "--json")

    assert (refused.code, refused.codes) == (5, ["backup_damaged"])
    assert asked.code == 7
    assert done.data["removed"] == ["20200101T000002Z", "20200101T000001Z", "20200101T000000Z"]
    assert [path.exists() for path in old] == [False, False, False, True, True]

"""What is told about prices, keys and backups: once when it begins, once when it is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from alert_room import rows
from manual_time import ManualTime

from thunes_cli.alerts import telling
from thunes_cli.audit.journal import Change, Journal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

Telling = Callable[[Change], bool]
CONDITIONS: dict[str, tuple[Telling, Telling, str]] = {
    "stream": (
        lambda change: telling.tell_stream_lost(change, why="5 connections failed", since=change.at - HOUR),
        telling.tell_stream_back,
        "since 2026-03-10 11:00:00Z: 5 connections failed. Prices are asked for over REST",
    ),
    "prices": (
        lambda change: telling.tell_prices_lost(change, why="no answer", since=change.at - HOUR),
        telling.tell_prices_back,
        "No fresh price since 2026-03-10 11:00:00Z: no answer",
    ),
    "key rule": (
        lambda change: telling.tell_key_trouble(change, "may_withdraw", what="it may withdraw", critical=True),
        lambda change: telling.tell_key_well(change, "may_withdraw"),
        "it may withdraw",
    ),
    "key due": (
        lambda change: telling.tell_key_due(change, created_at=change.at - 87 * DAY, due_at=change.at + 3 * DAY),
        lambda change: telling.tell_key_rotated(change, due_at=change.at + 90 * DAY),
        "87 d old (since 2025-12-13); its rotation is due in 3 d, on 2026-03-13",
    ),
    "backup failed": (
        lambda change: telling.tell_backup_failed(change, why="the disk is full", last_good=None),
        lambda change: telling.tell_backup_made(change, "2026-03-10T120000Z"),
        "The backup failed: the disk is full. There is no good backup at all",
    ),
    "backup old": (
        lambda change: telling.tell_backup_old(change, last_good=change.at - 27 * HOUR),
        lambda change: telling.tell_backup_made(change, "2026-03-10T120000Z"),
        "is 1 d 3 h old, of 2026-03-09 09:00:00Z",
    ),
}


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_what_lasts_is_told_once_and_once_more_when_it_is_over(journal: Journal, time: ManualTime, name: str) -> None:
    """However often it is found; the end says how long it was; each ends with what to type."""
    begins, ends, said = CONDITIONS[name]
    with journal.change() as change:
        assert not ends(change)
        assert begins(change)
    time.pass_by(2 * HOUR)
    with journal.change() as change:
        assert not begins(change)
        assert ends(change)
        assert not ends(change)

    began, over = rows(journal, "SELECT phase, text FROM alerts ORDER BY id")

    assert (began["phase"], over["phase"]) == ("began", "over")
    assert said in began["text"]
    assert "It lasted 2 h, since 2026-03-10 12:00:00Z, found 2 times" in over["text"]
    assert all("Next: thunes " in each["text"] for each in (began, over))
    assert rows(journal, "SELECT * FROM alert_conditions") == []


def test_a_key_that_is_due_is_told_again_when_it_is_overdue(journal: Journal, time: ManualTime) -> None:
    """Three days before, and on the day; a rotation ends both with one message."""
    with journal.change() as change:
        created, due = change.at - 28 * DAY, change.at + 2 * DAY
    for _ in range(4):
        with journal.change() as change:
            telling.tell_key_due(change, created_at=created, due_at=due)
        time.pass_by(DAY)
    with journal.change() as change:
        telling.tell_key_rotated(change, due_at=change.at + 30 * DAY)

    texts = [row["text"] for row in rows(journal, "SELECT text FROM alerts ORDER BY id")]

    assert len(texts) == 3
    assert "is due in 2 d" in texts[0]
    assert "was due 0 s ago" in texts[1]
    assert "rotated" in texts[2]


def test_a_good_backup_ends_both_of_its_troubles_with_one_message(journal: Journal) -> None:
    """It failed, and so the newest one became too old."""
    with journal.change() as change:
        telling.tell_backup_failed(change, why="the disk is full", last_good=change.at - 27 * HOUR)
        telling.tell_backup_old(change, last_good=change.at - 27 * HOUR)
        telling.tell_backup_made(change, "x")

    assert [row["phase"] for row in rows(journal, "SELECT phase FROM alerts")] == ["began", "began", "over"]
    assert rows(journal, "SELECT * FROM alert_conditions") == []

"""When the daily loss trips the kill switch, what a deactivation forgives, and what midnight does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from freezegun.api import FrozenDateTimeFactory
from losses import Losses

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger.controls import read_kill_switch, read_transitions
from thunes_cli.ledger.view_kill_switch import Standing, read_standing
from thunes_cli.risk import kill_switch

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def standing(journal: Journal) -> Standing:
    with journal.read() as connection:
        return read_standing(connection, journal.clock.now())


def active(journal: Journal) -> bool:
    return standing(journal).switch.active


def deactivate(journal: Journal) -> bool:
    with journal.change() as change:
        return kill_switch.deactivate(change, reason="cause found", actor="alice", facts={"uid": 1000})


@pytest.mark.parametrize(
    ("lost", "trips"),
    [
        pytest.param(["19.99999999"], False, id="one step below"),
        pytest.param(["20"], True, id="equal"),
        pytest.param(["20.00000001"], True, id="one step above"),
        pytest.param(["12", "7.99999999"], False, id="two below"),
        pytest.param(["12", "8"], True, id="two equal"),
        pytest.param(["-5", "24.99999999"], False, id="a gain counts"),
        pytest.param(["-5", "25"], True, id="a gain counts, equal"),
        pytest.param(["-1000"], False, id="nothing but gain"),
    ],
)
def test_the_limit(lost: list[str], trips: bool, losses: Losses, journal: Journal) -> None:  # noqa: FBT001 - a table
    """It trips at the fill with which the day's loss reaches MAX_DAILY_LOSS."""
    for amount in lost:
        assert not active(journal)
        losses.lose(amount)

    assert active(journal) is trips


TWELVE = "12"
AT_MIDNIGHT = [
    # two losses, each as (traded, booked) from midnight on; does the second trip it
    pytest.param(((-MS, -MS), (-MS, -MS)), True, id="both in the last millisecond"),
    pytest.param(((-MS, -MS), (0 * MS, 0 * MS)), False, id="the second at midnight"),
    pytest.param(((0 * MS, 0 * MS), (0 * MS, 0 * MS)), True, id="both at midnight"),
    pytest.param(((-MS, -MS), (-MS, 5000 * MS)), True, id="traded before, booked after: the day it was traded in"),
    pytest.param(((-MS, 5000 * MS), (0 * MS, 5000 * MS)), False, id="booked together, traded on two days"),
    pytest.param(((0 * MS, 0 * MS), (-MS, 5000 * MS)), False, id="a late one does not count for the new day"),
    pytest.param(
        ((-MS, -MS), (-MS, timedelta(days=1) + MS)), False, id="booked when its day is long over: an old story"
    ),
]


@pytest.mark.parametrize(("both", "trips"), AT_MIDNIGHT)
def test_midnight(
    both: tuple[tuple[timedelta, timedelta], ...],
    trips: bool,  # noqa: FBT001 - a table
    losses: Losses,
    journal: Journal,
    now: FrozenDateTimeFactory,
) -> None:
    """A loss belongs to the UTC day it was traded in; two of 12 reach the limit of 20 only on one day."""
    for traded, booked in both:
        now.move_to(MIDNIGHT + booked)
        losses.lose(TWELVE, traded_at=MIDNIGHT + traded)

    assert active(journal) is trips


def test_a_new_day_does_not_deactivate_it(losses: Losses, journal: Journal, now: FrozenDateTimeFactory) -> None:
    """It stays, through midnight and for as long as nobody looks."""
    losses.lose("20")
    now.move_to(MIDNIGHT + timedelta(days=3))

    found = standing(journal)

    assert found.switch.active
    assert found.counted_loss == 0
    assert found.switch.since == NOON


def test_a_restart_does_not_deactivate_it(losses: Losses, open_again: Callable[[], Journal]) -> None:
    """It is in the ledger, with its reason and the numbers that decided."""
    losses.lose("20.5")

    switch = standing(open_again()).switch

    assert switch.active
    assert switch.reason == "daily loss 20.5 reached the limit 20"
    assert switch.actor == "automatic"


def test_deactivating_re_arms(losses: Losses, journal: Journal) -> None:
    """The old loss does not trip it again; a further one of the whole limit does, equal included."""
    losses.lose("25")
    assert deactivate(journal)
    assert standing(journal).counted_loss == 0
    assert standing(journal).daily_pnl == -25
    assert standing(journal).rearms_today == 1

    losses.lose("19.99999999")
    assert not active(journal)
    losses.lose("0.00000001")

    assert active(journal)
    assert standing(journal).daily_pnl == -45


def test_a_fill_made_before_the_re_arm_and_booked_after_it_counts(
    losses: Losses, journal: Journal, now: FrozenDateTimeFactory
) -> None:
    """What counts is when it was booked: nobody knew of it when the switch was deactivated."""
    unknown = losses.sent_sell()
    made = journal.clock.now()
    with journal.change() as change:
        kill_switch.activate(change, reason="looks odd", actor="alice")
    now.tick(60)
    deactivate(journal)
    now.tick(60)

    losses.fill(unknown, price=Decimal(80), traded_at=made)

    assert active(journal)


def test_midnight_after_a_re_arm_wins(losses: Losses, journal: Journal, now: FrozenDateTimeFactory) -> None:
    """From the re-arm on, or since midnight if that is later."""
    losses.lose("20")
    deactivate(journal)
    losses.lose("15")
    now.move_to(MIDNIGHT)
    losses.lose("15")

    assert not active(journal)
    assert standing(journal).counted_loss == 15
    assert standing(journal).rearms_today == 0


def test_re_arms_are_counted_by_the_day(losses: Losses, journal: Journal, now: FrozenDateTimeFactory) -> None:
    """Each deactivation of today is one; yesterday's are not today's."""
    counts = []
    for _ in range(3):
        losses.lose("20")
        deactivate(journal)
        counts.append(standing(journal).rearms_today)
    now.move_to(MIDNIGHT)
    counts.append(standing(journal).rearms_today)

    assert counts == [1, 2, 3, 0]


def test_the_trip_commits_with_the_fill_or_not_at_all(
    losses: Losses, journal: Journal, open_again: Callable[[], Journal]
) -> None:
    """A crash between booking and tripping is impossible: one transaction, one set of records."""
    sell = losses.sent_sell()
    before = standing(journal)

    class Crash(Exception):
        """The process ends here."""

    with pytest.raises(Crash), journal.change() as change:
        change.connection.execute("UPDATE orders SET executed_qty = '1' WHERE id = ?", (sell.id,))
        assert kill_switch.activate(change, reason="daily loss", actor=kill_switch.AUTOMATIC)
        raise Crash
    assert standing(open_again()) == before

    losses.fill(sell, price=Decimal(79))

    records = journal.trail.path.read_text().splitlines()
    names = [line.split('"event":"')[1].split('"')[0] for line in records]
    assert names[-1] == "KILL_SWITCH_ACTIVATED"
    assert names[-4:-1] == ["FILL_BOOKED", "ORDER_FINISHED", "POSITION_CLOSED"]
    assert '"daily_pnl":"-21","daily_loss_limit":"-20"' in records[-1]


def test_doing_it_twice_writes_nothing(journal: Journal) -> None:
    """Neither record nor history nor alert, and the first reason stays."""
    with journal.change() as change:
        assert kill_switch.activate(change, reason="first", actor="alice")
    path = journal.trail.path
    before = path.read_bytes()

    with journal.change() as change:
        assert not kill_switch.activate(change, reason="second", actor="bob")
    deactivate(journal)
    after = path.read_bytes()
    assert not deactivate(journal)

    assert path.read_bytes() == after
    assert after.startswith(before)
    with journal.read() as connection:
        history = read_transitions(connection, "kill_switch")
        assert not read_kill_switch(connection).active
        assert connection.execute("SELECT count(*) FROM alerts").fetchone()[0] == 2
    assert [(row.from_state, row.to_state, row.reason) for row in history] == [
        ("inactive", "active", "first"),
        ("active", "inactive", "cause found"),
    ]
    assert history[1].facts["activated_because"] == "first"
    assert history[1].facts["uid"] == 1000

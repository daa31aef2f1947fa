"""Four fifths of the daily limit are told, once for what is counted, while there is still time to look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory
from losses import Losses

from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity, alerts_of
from thunes_cli.risk import kill_switch

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def warnings(losses: Losses) -> list[str]:
    with losses.journal.read() as connection:
        found = alerts_of(connection.execute("SELECT * FROM alerts ORDER BY id").fetchall())
    assert all(alert.severity is Severity.WARNING for alert in found if alert.kind == Kind.DAILY_LOSS_NEAR)
    return [alert.text for alert in found if alert.kind == Kind.DAILY_LOSS_NEAR]


def deactivate(losses: Losses) -> None:
    with losses.journal.change() as change:
        assert kill_switch.deactivate(change, reason="cause found", actor="alice")


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        pytest.param(["15.99999999"], 0, id="one step below four fifths"),
        pytest.param(["16"], 1, id="four fifths"),
        pytest.param(["8", "8"], 1, id="by two"),
        pytest.param(["16", "1", "1"], 1, id="once"),
        pytest.param(["-4", "19"], 0, id="a gain counts"),
        pytest.param(["-16"], 0, id="nothing but gain"),
        pytest.param(["20"], 0, id="the limit itself is the switch's to tell"),
    ],
)
def test_when_it_is_told(lost: list[str], told: int, losses: Losses) -> None:
    """It is told with the fill that brings the day's counted loss to 80 % of MAX_DAILY_LOSS."""
    for amount in lost:
        losses.lose(amount)

    assert len(warnings(losses)) == told


def test_what_it_says(losses: Losses) -> None:
    """The loss, its share, the limit, and what to type."""
    losses.lose("17")

    (text,) = warnings(losses)
    assert text.startswith("The counted loss of today is 17, 85 % of the limit 20.")
    assert text.endswith("Next: thunes pnl --losses")


def test_a_new_day_tells_anew(losses: Losses, now: FrozenDateTimeFactory) -> None:
    """What is counted begins anew at midnight UTC, and so does this."""
    losses.lose("16")
    now.move_to(NOON + timedelta(days=1))
    losses.lose("17")

    assert [text.split(", ")[0] for text in warnings(losses)] == [
        "The counted loss of today is 16",
        "The counted loss of today is 17",
    ]


def test_a_late_loss_of_yesterday_is_no_warning_of_today(losses: Losses, now: FrozenDateTimeFactory) -> None:
    """Yesterday's loss can still trip the switch, but nothing is left to be warned of."""
    now.move_to(NOON + timedelta(days=1))
    losses.lose("17", traded_at=NOON)

    assert warnings(losses) == []


def test_re_arming_tells_anew(losses: Losses) -> None:
    """After a deactivation the count begins anew; while the switch is on there is nothing to warn of."""
    losses.lose("20")
    losses.lose("3")
    assert warnings(losses) == []

    deactivate(losses)
    losses.lose("15")
    assert warnings(losses) == []
    losses.lose("1")

    (text,) = warnings(losses)
    assert text.startswith("The counted loss of today is 16,")


def test_nothing_is_told_while_entries_are_stopped(losses: Losses) -> None:
    """A switch that somebody activated has stopped entries already."""
    with losses.journal.change() as change:
        kill_switch.activate(change, reason="looks odd", actor="alice")
    losses.lose("17")

    assert warnings(losses) == []

"""A storm of any size and length is a handful of messages, and drowns nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thunes_cli.alerts.pacing import BURST, GATHERING, PAUSES, due, may_go
from thunes_cli.ledger.alert_delivery import Backlog
from thunes_cli.ledger.alerts import Severity

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def backlog(kind: str, severity: Severity = Severity.WARNING, *, age: timedelta = 5 * SECOND) -> Backlog:
    return Backlog(kind, severity, 1, NOON - age)


def kinds(chosen: list[Backlog]) -> list[str]:
    return [each.kind for each in chosen]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), minutes=st.integers(0, 10), severity=st.sampled_from(list(Severity)))
def test_a_thousand_alerts_of_one_storm_are_five_messages_at_most(seed: int, minutes: int, severity: Severity) -> None:
    """However they are spread over up to ten minutes: three at once, one a minute later, one after ten minutes."""
    dice = Random(seed)
    moments = sorted(NOON + dice.random() * minutes * timedelta(minutes=1) for _ in range(1000))
    sent: list[datetime] = []
    for wall in [*moments, NOON + timedelta(minutes=20)]:
        if may_go(sent, severity=severity, wall=wall):
            sent.append(wall)

    assert BURST <= len(sent) <= 5


@given(
    steps=st.lists(st.tuples(st.integers(0, 4000), st.booleans()), max_size=60),
    severity=st.sampled_from(list(Severity)),
)
def test_nothing_waits_for_ever(steps: list[tuple[int, bool]], severity: Severity) -> None:
    """Whatever was sent before: after the longest pause the kind may send again."""
    sent: list[datetime] = []
    wall = NOON
    for gap, wanted in steps:
        wall += gap * SECOND
        if wanted and may_go(sent, severity=severity, wall=wall):
            sent.append(wall)

    assert may_go(sent, severity=severity, wall=wall + PAUSES[-1])


def test_something_critical_waits_ten_minutes_at_most() -> None:
    """The longest pause of a kind is an hour, but not of what is critical."""
    sent = [NOON + minutes * timedelta(minutes=1) for minutes in (0, 0.1, 0.2, 1.2, 11.2)]
    later = sent[-1] + timedelta(minutes=10)

    assert may_go(sent, severity=Severity.CRITICAL, wall=later)
    assert not may_go(sent, severity=Severity.WARNING, wall=later)


def test_a_storm_of_one_kind_drowns_no_other() -> None:
    """While one kind pauses, another of the same severity goes out."""
    recent = {"job": [NOON - SECOND] * BURST}

    assert kinds(due([backlog("job"), backlog("ban")], recent, muted=(), wall=NOON)) == ["ban"]


def test_severities_are_not_mixed_and_the_loudest_is_first() -> None:
    """A message has one severity; what is muted is not there at all."""
    waiting = [
        backlog("summary", Severity.INFO),
        backlog("job"),
        backlog("ban"),
        backlog("kill", Severity.CRITICAL),
        backlog("noise", Severity.CRITICAL),
    ]

    assert kinds(due(waiting, {}, muted={"noise"}, wall=NOON)) == ["kill"]
    assert kinds(due(waiting[:3], {}, muted=(), wall=NOON)) == ["job", "ban"]
    assert kinds(due(waiting[:1], {}, muted=(), wall=NOON)) == ["summary"]


@pytest.mark.parametrize(
    ("age", "at_once", "goes"),
    [
        (GATHERING - SECOND / 10, False, False),
        (GATHERING, False, True),
        (timedelta(0), True, True),
        (-timedelta(hours=1), False, True),
    ],
    ids=["young", "gathered", "last chance", "the clock was set back"],
)
def test_gathering_takes_two_seconds(age: timedelta, *, at_once: bool, goes: bool) -> None:
    """What comes together goes out together, unless this is the last chance; no clock can hold it up."""
    assert bool(due([backlog("job", age=age)], {}, muted=(), wall=NOON, at_once=at_once)) is goes


def test_something_young_does_not_hold_up_what_is_less_severe() -> None:
    """A warning that is being gathered lets the summary of before pass."""
    waiting = [backlog("job", age=timedelta(0)), backlog("summary", Severity.INFO)]

    assert kinds(due(waiting, {}, muted=(), wall=NOON)) == ["summary"]

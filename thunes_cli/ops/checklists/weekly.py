"""The weekly look: does it pay, does it trip, is anything held too long, is the trail what was written? Pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from thunes_cli.counts import count
from thunes_cli.ops.check import Check, CheckStatus, judged
from thunes_cli.ops.checklists.facts import Facts
from thunes_cli.spans import span
from thunes_cli.trading.performance import sharpe_ratio

if TYPE_CHECKING:
    from thunes_cli.audit.report import Report

STALE = timedelta(hours=72)
MOST_TRIPS = 5
_GOOD, _POOR = Decimal(1), Decimal("0.5")


def weekly(facts: Facts, trail: Report | None) -> list[Check]:
    """The checks; ``trail`` is what validating it has shown, None when it could not be read."""
    return [sharpe(facts, days=7), _trips(facts), _trail(trail), *_stale(facts), _strangers(facts)]


def sharpe(facts: Facts, *, days: int) -> Check:
    """The Sharpe ratio of so many days."""
    name, expected = f"Sharpe ratio, {days} days", "above 1"
    curve = facts.curve
    if curve is None or curve.days < days:
        have = 0 if curve is None else curve.days
        return Check(name, CheckStatus.SKIP, f"{count(have, 'day')} of {days}", expected)
    ratio = sharpe_ratio(curve.last(days).returns)
    if ratio is None:
        return Check(name, CheckStatus.SKIP, "no two days differ", expected)
    status = CheckStatus.OK if ratio > _GOOD else CheckStatus.WARN if ratio >= _POOR else CheckStatus.FAIL
    return Check(
        name,
        status,
        f"{ratio:.2f}",
        expected,
        "" if status is CheckStatus.OK else f"thunes pnl --since {days}d --losses",
    )


def _trips(facts: Facts) -> Check:
    bad = facts.trips_week >= MOST_TRIPS
    status = CheckStatus.FAIL if bad else CheckStatus.OK
    expected, hint = f"fewer than {MOST_TRIPS}", "thunes breaker history"
    return judged("breaker trips, 7 days", status, str(facts.trips_week), expected=expected, hint=hint)


def _trail(report: Report | None) -> Check:
    if report is None:
        return Check("audit trail", CheckStatus.FAIL, "it cannot be read", "as it was written", "thunes audit validate")
    if report.first_bad is not None:
        bad = report.first_bad
        value = f"{bad.file.name} line {bad.fault.line}: {bad.fault.problem}"
        return Check("audit trail", CheckStatus.FAIL, value, "as it was written", "thunes audit validate --deep")
    return Check(
        "audit trail",
        CheckStatus.OK,
        f"{count(report.records, 'record')}, {count(report.checkpoints, 'checkpoint')}",
        "sound",
    )


def _stale(facts: Facts) -> list[Check]:
    stale = [each for each in facts.health.rows.positions if facts.now - each.entry_time > STALE]
    if not stale:
        return [Check("stale positions", CheckStatus.OK, "none", "none older than 72 h")]
    return [
        Check(
            f"stale position {each.symbol}",
            CheckStatus.FAIL,
            f"{span(facts.now - each.entry_time)} old",
            "at most 72 h",
            f"thunes explain position:{each.id}",
        )
        for each in stale
    ]


def _strangers(facts: Facts) -> Check:
    bad = facts.unknown_orders > 0
    status = CheckStatus.FAIL if bad else CheckStatus.OK
    hint = "thunes orders list --external"
    return judged("orders of others", status, str(facts.unknown_orders), expected="none that nobody knows", hint=hint)

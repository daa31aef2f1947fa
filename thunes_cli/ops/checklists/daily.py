"""The daily look: does it run, is anything wrong, what did it bring? Pure."""

from __future__ import annotations

import shlex
from datetime import timedelta
from decimal import Decimal

from thunes_cli.config.home import LOG
from thunes_cli.counts import count
from thunes_cli.model import PositionStatus, plain
from thunes_cli.ops.check import Check, CheckStatus, judged
from thunes_cli.ops.checklists.facts import DAY, Facts
from thunes_cli.spans import span

OK, WARN, FAIL, SKIP = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL, CheckStatus.SKIP
MOST_ERRORS = 5
FULL, NEARLY_FULL = 0.9, 0.5
BACKUP_MAX_AGE = timedelta(hours=26)
FEWEST_TRADES = 10
_HUNDRED = Decimal(100)


def daily(facts: Facts) -> list[Check]:
    """The checks, in the order in which a person looks."""
    return [
        _daemon(facts),
        *_concerns(facts),
        _alerts(facts),
        _undelivered(facts),
        _summary(facts),
        _log(facts),
        _disk(facts),
        _result(facts),
        _win_rate(facts),
        _positions(facts),
        _trips(facts),
        _trail(facts),
        _backup(facts),
        key_age(facts),
    ]


def _daemon(facts: Facts) -> Check:
    daemon = facts.health.rows.daemon
    hint = "thunes run, or: systemctl start thunes"
    if daemon is None or not facts.health.running:
        return Check("daemon", FAIL, "not running", "runs", hint)
    beat = span(facts.wall - daemon.heartbeat_wall)
    return Check("daemon", OK, f"{daemon.mode}, heartbeat {beat} ago", "runs")


_OWN_CHECK = frozenset({"daemon_died", "daemon_not_running", "audit_unavailable"})


def _concerns(facts: Facts) -> list[Check]:
    """Whatever `status` would name, one check each; one that is ok when it names nothing."""
    found = [concern for concern in facts.health.concerns if concern.code not in _OWN_CHECK]
    if not found:
        return [Check("status", OK, "nothing else needs you", "nothing")]
    return [
        Check(
            concern.code,
            FAIL,
            concern.message,
            "not so",
            f"thunes {concern.command}" if concern.command else concern.advice,
        )
        for concern in found
    ]


def _alerts(facts: Facts) -> Check:
    told = ", ".join(f"{number} {kind}" for kind, number in facts.alerts_day.items())
    status = WARN if told else OK
    return judged("alerts", status, told or "none", expected="none in 24 h", hint="thunes alerts list")


def _undelivered(facts: Facts) -> Check:
    if not facts.holds:
        return Check("alert delivery", OK, "every channel works", "works")
    why = "; ".join(f"{hold.channel}: {hold.problem}" for hold in facts.holds)
    return Check("alert delivery", FAIL, why, "every channel works", "thunes telegram test")


def _summary(facts: Facts) -> Check:
    if facts.age < DAY:
        return Check("daily summary", SKIP, "not a day old yet", "one a day")
    if facts.last_summary is None or facts.now - facts.last_summary > DAY + timedelta(hours=1):
        when = "never" if facts.last_summary is None else f"{span(facts.now - facts.last_summary)} ago"
        return Check("daily summary", WARN, when, "one a day", "thunes status")
    return Check("daily summary", OK, f"{span(facts.now - facts.last_summary)} ago", "one a day")


def _log(facts: Facts) -> Check:
    expected = f"fewer than {MOST_ERRORS} in 24 h"
    if facts.log_errors is None:
        return Check("log errors", SKIP, "there is no log file", expected)
    bad = facts.log_errors >= MOST_ERRORS
    return Check(
        "log errors",
        FAIL if bad else OK,
        str(facts.log_errors),
        expected,
        f"less {shlex.quote(str(facts.home / LOG))}" if bad else "",
    )


def _disk(facts: Facts) -> Check:
    used = facts.disk_used
    status = FAIL if used >= FULL else WARN if used >= NEARLY_FULL else OK
    hint = f"du -sh {shlex.quote(str(facts.home))}/*; thunes backup prune --dry-run"
    return judged(
        "disk", status, f"{used * 100:.0f} % used", expected=f"less than {NEARLY_FULL * 100:.0f} %", hint=hint
    )


def _result(facts: Facts) -> Check:
    curve, expected = facts.curve, "within 5 % of the capital"
    if curve is None:
        return Check("result today", SKIP, plain(facts.result_today), expected)
    part = facts.result_today / curve.equity[-2] * _HUNDRED if curve.days else Decimal(0)
    odd = abs(part) > 5  # noqa: PLR2004 - the runbook's band, in percent
    value = f"{_signed(facts.result_today, 4)}, {_signed(part, 2)} %"
    return Check(
        "result today", WARN if odd else OK, value, "within 5 % of the capital", "thunes pnl --losses" if odd else ""
    )


def _signed(value: Decimal, places: int) -> str:
    """With its sign; what is nothing when rounded has none."""
    rounded = round(value, places)
    return f"{rounded:+f}" if rounded else f"{abs(rounded):f}"


def _win_rate(facts: Facts) -> Check:
    closed, expected = facts.pnl_month.closed, "40 to 60 % of 30 days' trades"
    if len(closed) < FEWEST_TRADES:
        return Check("win rate", SKIP, count(len(closed), "trade"), expected)
    wins = sum(position.realized > 0 for position in closed)
    rate = Decimal(wins) / len(closed) * _HUNDRED
    odd = not 40 <= rate <= 60  # noqa: PLR2004 - the runbook's band, in percent
    return Check(
        "win rate",
        WARN if odd else OK,
        f"{rate:.0f} % of {len(closed)}",
        expected,
        "thunes pnl --since 30d" if odd else "",
    )


def _positions(facts: Facts) -> Check:
    held = [each for each in facts.health.rows.positions if each.status is PositionStatus.OPEN]
    most = facts.health.rows.limits.get("max_positions")
    bad = most is not None and len(held) > int(most)
    hint = "thunes positions list" if bad else ""
    return Check(
        "open positions", FAIL if bad else OK, str(len(held)), f"0 to {most if most is not None else '?'}", hint
    )


def _trips(facts: Facts) -> Check:
    many = facts.trips_day > 3  # noqa: PLR2004 - the runbook's limit a day
    return Check(
        "breaker trips",
        FAIL if many else OK,
        str(facts.trips_day),
        "at most 3 in 24 h",
        "thunes breaker history" if many else "",
    )


def _trail(facts: Facts) -> Check:
    head = facts.health.rows.audit_head
    if head.tampered is not None:
        return Check("audit trail", FAIL, head.tampered, "as it was written", "thunes audit validate --deep")
    if head.problem is not None:
        return Check("audit trail", FAIL, head.problem, "can be written", "ls -l, df -h")
    return Check("audit trail", OK, count(head.seq, "record"), "can be written")


def _backup(facts: Facts) -> Check:
    expected = "a good one within 26 h"
    if facts.good_backup is None:
        young = facts.age < BACKUP_MAX_AGE
        return Check("backup", WARN if young else FAIL, "none", expected, "thunes backup")
    age = facts.wall - facts.good_backup.made_wall
    late = age > BACKUP_MAX_AGE
    return judged("backup", FAIL if late else OK, f"{span(age)} old", expected=expected, hint="thunes backup")


def key_age(facts: Facts) -> Check:
    """Whether the API key must be replaced; the monthly look asks the same."""
    name, expected, when = "key age", "more than 3 days until its rotation", facts.key_due
    if when is None:
        return Check(name, SKIP, "no key was used yet", expected)
    status = FAIL if when.overdue else WARN if when.near else OK
    value = f"{'was' if when.overdue else 'is'} due on {when.at:%Y-%m-%d}"
    return judged(name, status, value, expected=expected, hint="thunes keys rotate")

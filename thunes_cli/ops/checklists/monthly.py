"""The monthly look: are the controls at work, did the month pay, how deep did it fall, are the backups good? Pure."""

from __future__ import annotations

from decimal import Decimal

from thunes_cli import __version__
from thunes_cli.counts import count
from thunes_cli.ops.check import Check, CheckStatus, judged
from thunes_cli.ops.checklists.daily import key_age
from thunes_cli.ops.checklists.facts import Facts
from thunes_cli.ops.checklists.weekly import sharpe
from thunes_cli.spans import span
from thunes_cli.trading.performance import max_drawdown_pct, total_return_pct

DAYS = 30
FEWEST_DECISIONS = 20
_DEEP = Decimal(20)


def monthly(facts: Facts) -> list[Check]:
    """The checks."""
    return [
        _rejections(facts),
        sharpe(facts, days=DAYS),
        _return(facts),
        _drawdown(facts),
        key_age(facts),
        _backup(facts),
        _version(),
    ]


def _rejections(facts: Facts) -> Check:
    approved, rejected = facts.decisions["approved"], facts.decisions["rejected"]
    name, expected = "rejection rate, 30 days", "10 to 30 %"
    total = approved + rejected
    value = f"{approved} approved, {rejected} rejected"
    if total < FEWEST_DECISIONS:
        return Check(name, CheckStatus.SKIP, value, expected)
    rate = Decimal(rejected) / total * 100
    odd = not 10 <= rate <= 30  # noqa: PLR2004 - the runbook's band, in percent
    status, hint = CheckStatus.WARN if odd else CheckStatus.OK, "thunes audit stats --since 30d"
    return judged(name, status, f"{rate:.1f} %: {value}", expected=expected, hint=hint)


def _return(facts: Facts) -> Check:
    curve = facts.curve
    if curve is None or curve.days < DAYS:
        return Check(
            "return, 30 days",
            CheckStatus.SKIP,
            f"{count(0 if curve is None else curve.days, 'day')} of {DAYS}",
            "above 0 %",
        )
    value = total_return_pct(curve.last(DAYS))
    status = CheckStatus.OK if value > 0 else CheckStatus.WARN
    return Check(
        "return, 30 days",
        status,
        f"{value:+.2f} %",
        "above 0 %",
        "" if value > 0 else "thunes pnl --since 30d --losses",
    )


def _drawdown(facts: Facts) -> Check:
    curve, expected = facts.curve, f"at most {_DEEP} %"
    if curve is None or not curve.days:
        return Check("maximum drawdown", CheckStatus.SKIP, "not known", expected)
    value = max_drawdown_pct(curve)
    deep = value > _DEEP
    status, hint = CheckStatus.FAIL if deep else CheckStatus.OK, "thunes pnl --since all --losses"
    return judged("maximum drawdown", status, f"{value:.2f} %", expected=expected, hint=hint)


def _backup(facts: Facts) -> Check:
    name, expected = "backup that restores", "one that was tried"
    if facts.good_backup is None:
        return Check(name, CheckStatus.FAIL, "none", expected, "thunes backup")
    age = span(facts.wall - facts.good_backup.made_wall)
    hint = "thunes backup drill; take a copy to another machine"
    return Check(name, CheckStatus.OK, f"{facts.good_backup.id}, {age} old", expected, hint)


def _version() -> Check:
    hint = "pip list --outdated, pip-audit; try an update on the testnet first"
    return Check("updates", CheckStatus.SKIP, f"THUNES {__version__}", "security patches are in", hint)

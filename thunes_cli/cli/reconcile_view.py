"""What a comparison shows: to scripts the contract's keys, to people what differs, why, and what to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.reading import typed
from thunes_cli.cli.result import Problem
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode
from thunes_cli.model import ZERO, plain

if TYPE_CHECKING:
    from thunes_cli.trading.findings import Finding
    from thunes_cli.trading.reconcile_apply import Applied
    from thunes_cli.trading.reconcile_look import Look

_SHOWN = 12


def look_data(look: Look, applied: Sequence[Applied]) -> dict[str, Any]:
    """The contract's keys; ``holdings`` are coins of SYMBOLS that are not ours."""
    from thunes_cli.trading.reconcile_record import finding_data

    return {
        "clean": look.comparison.clean,
        "checked": look.comparison.checked,
        "findings": [finding_data(finding) for finding in look.comparison.findings],
        "applied": [applied_data(item) for item in applied],
        "holdings": _holdings(look),
    }


def applied_data(item: Applied) -> dict[str, Any]:
    """One thing that was settled."""
    return {
        "kind": str(item.kind),
        "asset": item.asset,
        "symbol": item.symbol,
        "client_order_id": item.client_order_id,
        "what": item.what,
    }


def problems_of(call: Call, look: Look) -> tuple[Problem, ...]:
    """What counts, each with the command that settles it."""
    return tuple(
        Problem(str(finding.kind), finding.message, typed(call, finding.action) if finding.action else "")
        for finding in look.comparison.findings
        if finding.counts
    )


def exit_of(look: Look) -> ExitCode:
    """4 when the sides differ in what counts."""
    return ExitCode.OK if look.comparison.clean else ExitCode.MISMATCH


def look_text(call: Call, look: Look, applied: Sequence[Applied], *, environment: str) -> tuple[str, ...]:
    """The verdict, the findings, what was settled, and what is pointed out."""
    checked = ", ".join(count(number, name.removesuffix("s")) for name, number in look.comparison.checked.items())
    findings = [finding for finding in look.comparison.findings if finding.counts]
    lines = [f"settled: {item.what}" for item in applied]
    if not findings:
        lines.append(f"clean: ledger and exchange agree; {checked} compared")
    else:
        lines.append(f"{count(len(findings), 'difference')} that count{'s' * (len(findings) == 1)}; {checked} compared")
        for number, finding in enumerate(findings[:_SHOWN], 1):
            lines += _finding_lines(call, number, finding)
        if len(findings) > _SHOWN:
            lines.append(f"  and {len(findings) - _SHOWN} more: {typed(call, 'reconcile --json')}")
        lines += _next(call, findings, environment)
    return (*lines, *_information(look), *_pointed_out(call, look))


def _finding_lines(call: Call, number: int, finding: Finding) -> list[str]:
    where = finding.asset or finding.symbol or ""
    lines = [f"  {number}. {finding.severity} {finding.kind} {where}".rstrip() + f": {finding.message}"]
    return [*lines, f"     -> {typed(call, finding.action)}"] if finding.action else lines


def _next(call: Call, findings: Sequence[Finding], environment: str) -> list[str]:
    lines = []
    if any(finding.safe for finding in findings):
        lines.append(f"our own orders prove some of it: {typed(call, 'reconcile --apply')}")
    if any(not finding.safe for finding in findings):
        words = f'reconcile --apply --confirm "apply {environment}"'
        lines.append(f"if the rest is as it should be, accept it: {typed(call, words)}")
    return lines


def _information(look: Look) -> list[str]:
    quiet = [finding for finding in look.comparison.findings if not finding.counts]
    if not quiet:
        return []
    shown = ", ".join(
        f"{finding.asset} {finding.difference:+f}" for finding in quiet[:_SHOWN] if finding.difference is not None
    )
    more = f" and {len(quiet) - _SHOWN} more" if len(quiet) > _SHOWN else ""
    return [f"also differ, and do not count: {shown}{more}"]


def _holdings(look: Look) -> list[dict[str, Any]]:
    """What the account holds of the bases we trade and is not ours: a person may want the bot to look after it."""
    held = []
    for symbol, rules in look.rules.items():
        asset = look.comparison.assets.get(rules.base)
        if asset is not None and asset.main and asset.not_ours > max(rules.min_quantity, ZERO):
            command = f'reconcile adopt {symbol} --quantity {plain(asset.not_ours)} --price ... --reason "..."'
            held.append({"asset": asset.name, "symbol": symbol, "quantity": plain(asset.not_ours), "action": command})
    return held


def _pointed_out(call: Call, look: Look) -> list[str]:
    return [
        f"{item['quantity']} {item['asset']} in the account are not the bot's; it watches them after:"
        f" {typed(call, item['action'])}"
        for item in _holdings(look)
    ]

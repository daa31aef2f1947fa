"""``thunes audit rotate``: close the trail's open segment and begin the next."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from thunes_cli.audit.segments import closed_segments
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.result import Result
from thunes_cli.cli.writing import home_journal, reason_given
from thunes_cli.config.home import TRAIL
from thunes_cli.counts import count
from thunes_cli.errors import UsageFault

_SIZE = re.compile(r"(\d+)\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@command(
    examples=(
        "thunes audit rotate",
        "thunes audit rotate --size 64MiB",
        "thunes -q audit rotate --day",
        'thunes audit rotate --despite-damage --reason "disk failure of 1 May, file kept" --yes',
    ),
    exits=(
        (0, "closed, or nothing was to close"),
        (5, "the trail is not what was written; nothing was closed"),
        6,
        7,
        10,
        13,
        78,
    ),
)
def audit_rotate(
    call: Call,
    *,
    size: Annotated[
        str | None, typer.Option("--size", metavar="SIZE", help="Only when it has so many bytes: 500k, 64MiB.")
    ] = None,
    day: Annotated[bool, typer.Option("--day", help="Only when it began on an earlier UTC day.")] = False,
    despite_damage: Annotated[
        bool, typer.Option("--despite-damage", help="Close a segment that was tampered with, as it is.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, with --despite-damage; it goes to the trail.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Close the trail's open segment and begin the next, chained to it.

    The closed segment stays beside it as audit_trail-000001.jsonl and so on; all of them are one trail. The daemon
    does so at 64 MiB by itself. A trail that was tampered with is not closed, and takes no entries, until its files
    are put back, or until --despite-damage goes on behind the damage, which every validation still shows.
    """
    from thunes_cli.audit.notary import Notary
    from thunes_cli.audit.rotation import open_segment, rotation_due
    from thunes_cli.cli.actor import read_actor

    limit = None if size is None else parse_size(size)
    if despite_damage:
        return _despite_damage(call, reason, yes=yes, dry_run=dry_run)
    with home_journal(call) as journal:
        segment = open_segment(journal)
        why = None if segment.empty else "operator"
        if limit is not None or day:
            why = rotation_due(segment, now=journal.clock.now(), size=limit, daily=day)
        if dry_run:
            plan = [] if why is None else [f"close segment {segment.number}, {segment.length} bytes ({why})"]
            return Result(data={"plan": plan}, text=tuple(plan) or ("nothing to do",))
        if why is not None:
            Notary(journal, credentials=call.credentials).rotate(why=why, **read_actor(call).facts)
        return _result(call, changed=why is not None)


def _despite_damage(call: Call, reason: str | None, *, yes: bool, dry_run: bool) -> Result:
    from thunes_cli.audit.rotation import rotate_despite_damage
    from thunes_cli.cli.actor import read_actor

    why = reason_given(reason or "")
    plan = "close the segment as it is, damage included, and begin the next"
    if dry_run:
        return Result(data={"plan": [plan]}, text=(plan,))
    call.confirm(f"This will {plan}. Go on?", yes=yes)
    with home_journal(call) as journal:
        rotate_despite_damage(journal, reason=why, **read_actor(call).facts)
        return _result(call, changed=True)


def parse_size(text: str) -> int:
    """Bytes, as an operator types them: ``500k``, ``64MiB``, ``1g``; the units are powers of 1024.

    Raises:
        UsageFault: not a size (2).
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise UsageFault(f"--size {text!r}: not a size", hint="for example: --size 500k, --size 64MiB, --size 1g")
    return int(match[1]) * _UNITS[match[2].lower()]


def _result(call: Call, *, changed: bool) -> Result:
    segments = _segments(call.home / TRAIL)
    lines = [f"segment {row['number']}: {row['file']}, {count(row['bytes'], 'byte')}" for row in segments]
    first = "closed; the next segment is begun" if changed else "nothing to close"
    return Result(data={"segments": segments}, text=(first, *lines), changed=changed)


def _segments(trail: Path) -> list[dict[str, Any]]:
    closed = closed_segments(trail)
    rows = [
        {"number": number, "file": path.name, "bytes": path.stat().st_size, "open": False} for number, path in closed
    ]
    number = closed[-1][0] + 1 if closed else 1
    length = trail.stat().st_size if trail.exists() else 0
    return [*rows, {"number": number, "file": trail.name, "bytes": length, "open": True}]

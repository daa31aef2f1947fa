"""``thunes audit stats``: what the trail adds up to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from thunes_cli.audit.counting import Counts, count_records
from thunes_cli.audit.events import Event
from thunes_cli.cli.audit_source import trail_source
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.durations import parse_since
from thunes_cli.cli.figures import fact_lines, moment
from thunes_cli.cli.result import Result, Table
from thunes_cli.clock import to_text
from thunes_cli.counts import count
from thunes_cli.errors import Unavailable

if TYPE_CHECKING:
    import typer  # without options of its own this command is called without it: thunes_cli.cli.quick


@command(
    examples=(
        "thunes audit stats --since 30d",
        "thunes audit stats --json",
        "thunes audit stats old/audit_trail.jsonl",
    ),
    exits=((0, "counted, nothing included"), 5, 10, 13, 78),
)
def audit_stats(
    call: Call,
    *,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A trail or one closed segment; else the home's.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="today (since midnight UTC), 24h, 30d, all, or a time.")
    ] = "all",
) -> Result:
    """How often each thing happened, and how many entries were refused and why.

    A rejection rate of 10 to 30 % is what working safety rules give; none at all, or nearly all, deserves a look.
    """
    begin = parse_since(since, option="--since")
    source = trail_source(call, file)
    try:
        counts = count_records(source.files, source.waiting, since=None if since == "all" else begin.begins(source.now))
    except OSError as error:
        raise Unavailable(f"{error.filename or source.trail}: {error.strerror or error}") from error
    approved, rejected = counts.events[Event.TRADE_APPROVED], counts.events[Event.TRADE_REJECTED]
    rate = round(100 * rejected / (approved + rejected), 2) if approved + rejected else None
    return Result(
        data={
            "records": counts.records,
            "first": None if counts.first is None else to_text(counts.first),
            "last": None if counts.last is None else to_text(counts.last),
            "events": dict(counts.events.most_common()),
            "approved": approved,
            "rejected": rejected,
            "rejection_rate_pct": rate,
            "reasons": dict(counts.reasons.most_common()),
            "unreadable": counts.unreadable,
        },
        text=_text(counts, rate),
        problems=source.problems,
    )


def _text(counts: Counts, rate: float | None) -> tuple[str | Table, ...]:
    if not counts.records:
        return ("no records",)
    decided = "no entry was decided on" if rate is None else f"{rate:g} %"
    facts = [("records", str(counts.records)), ("rejection rate", decided)]
    if counts.first is not None and counts.last is not None:
        facts.insert(1, ("from", f"{moment(counts.first)} to {moment(counts.last)}"))
    if counts.unreadable:
        facts.append(("unreadable", f"{count(counts.unreadable, 'line')}; see thunes audit validate"))
    blocks: list[str | Table] = [fact_lines(facts), "", _table("event", counts.events.most_common())]
    if counts.reasons:
        blocks += ["", _table("refused because of", counts.reasons.most_common())]
    return tuple(blocks)


def _table(name: str, rows: list[tuple[str, int]]) -> Table:
    return Table((name, "times"), tuple((what, str(times)) for what, times in rows))

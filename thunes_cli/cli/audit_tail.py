"""``thunes audit tail``: the newest records, and those that come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from thunes_cli.audit.reading import Filter, Record, follow, last_records
from thunes_cli.cli.audit_source import TrailSource, trail_source
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.durations import parse_since
from thunes_cli.cli.plain_text import visible
from thunes_cli.cli.result import Result
from thunes_cli.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    import typer  # without options of its own this command is called without it: thunes_cli.cli.quick

_HIDDEN = frozenset({"v", "seq", "prev", "timestamp", "event"})


@command(
    examples=(
        "thunes audit tail",
        "thunes audit tail -n 50 --event TRADE_REJECTED --reason cool_down_active",
        "thunes audit tail --event KILL_SWITCH_ACTIVATED --event KILL_SWITCH_DEACTIVATED --since 30d",
        "thunes audit tail --follow --json",
    ),
    exits=((0, "shown, nothing included"), 5, 10, 13, 78, 130),
)
def audit_tail(
    call: Call,
    *,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A trail or one closed segment; else the home's.")
    ] = None,
    number: Annotated[int, typer.Option("-n", "--lines", min=0, metavar="N", help="How many.")] = 20,
    event: Annotated[
        list[str] | None, typer.Option("--event", metavar="EVENT", help="Only this event; may be repeated.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="REASON", help="Only with this reason.")] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="today (since midnight UTC), 24h, 7d, all, or a time.")
    ] = "all",
    following: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
) -> Result:
    """The newest records of the trail, oldest first, those included that wait to be written.

    Filters come before the number. With --follow and --json each record is one line.
    """
    begin = parse_since(since, option="--since")
    source = trail_source(call, file)
    wanted = Filter(frozenset(event or ()), reason, None if since == "all" else begin.begins(source.now))
    try:
        if following:
            _follow(call, source, wanted, number=number)
            return Result(streamed=True)
        records = last_records(source.files, source.waiting, wanted, count=number)
    except OSError as error:
        raise Unavailable(f"{error.filename or source.trail}: {error.strerror or error}") from error
    return Result(
        data={"records": records},
        text=tuple(_line(record) for record in records) or ("no record fits",),
        problems=source.problems,
    )


def _follow(call: Call, source: TrailSource, wanted: Filter, *, number: int) -> None:
    """What waits is left to come when it is written, so that nothing is shown twice."""
    trail, limit = source.files[-1]
    start = limit if limit is not None else _size(trail)
    files = [*source.files[:-1], (trail, start)]
    _write(call, last_records(files, (), wanted, count=number))
    for record in follow(trail, start=start):
        if wanted.fits(record):
            _write(call, (record,))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(call: Call, records: Iterable[Record]) -> None:
    for record in records:
        call.streams.stdout.write((json.dumps(record) if call.json else visible(_line(record))) + "\n")
    call.streams.stdout.flush()


def _line(record: Record) -> str:
    facts = "  ".join(
        f"{name} {_shown(value)}" for name, value in record.items() if name not in _HIDDEN and value is not None
    )
    when = str(record.get("timestamp"))[:19].replace("T", " ")
    return f"{when}Z  {record.get('event')}  {facts}".rstrip()


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""Commands of the frame's own tests, in the form in which real ones are written."""

from __future__ import annotations

import enum
import signal
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.cli.table import GROUPS, Entry, Section
from thunes_cli.errors import ExitCode, NotFound


class Colour(enum.StrEnum):
    """An enumerated option."""

    RED = "red"
    GREEN = "green"


@command(examples=("thunes look --colour red",), exits=((3, "the look was bad"), 10))
def look(
    call: Call,
    *,
    colour: Annotated[Colour, typer.Option(help="What to look for.")] = Colour.GREEN,
    everything: Annotated[bool, typer.Option("--all", help="Look at everything.")] = False,
    bad: Annotated[bool, typer.Option("--bad", help="Find something bad.")] = False,
) -> Result:
    """Look around."""
    rows = (("BTCUSDT", "1.5", "[red]x"), ("ÉTH\x1b[2J", "10.25", ""))
    return Result(
        data={"colour": colour, "all": everything, "json": call.json, "quiet": call.quiet, "amount": Decimal("1E+2")},
        text=(f"colour {colour}", Table(columns=("symbol", "quantity", "note"), rows=rows)),
        exit_code=ExitCode.ATTENTION if bad else ExitCode.OK,
        problems=(Problem("bad_look", "it looks bad", "thunes look"),) if bad else (),
    )


@command(examples=("thunes things break --why x",), exits=(7,))
def things_break(
    call: Call,
    names: Annotated[list[str] | None, typer.Argument(help="Which.", metavar="NAME")] = None,
    *,
    why: Annotated[str, typer.Option("--why", help="Why.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="A file.")] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = 1,
) -> Result:
    """Break something in the way that is asked for."""
    if why == "interrupt":
        raise KeyboardInterrupt
    if why == "refuse":
        raise NotFound("nothing here", hint="thunes init")
    if why == "bug":
        secret = call.environ["BINANCE_API_SECRET"]
        message = f"could not sign with {secret}"
        raise ZeroDivisionError(message)
    if why.startswith("full"):
        _write_too_much(why)
    if why == "unwritable":
        return Result(data={"what": object()}, text=(Table(columns=("a", "b"), rows=(("only one",),)),))
    if why == "socket":
        raise BrokenPipeError(32, "a socket, not stdout")
    if why == "wait":
        call.streams.stdout.write("waiting\n")
        call.streams.stdout.flush()
        signal.pause()
    if why == "stream":
        for number in range(100_000):
            call.streams.stdout.write(f"{number}\n")
        return Result(streamed=True)
    return Result(data={"names": names or [], "why": why, "file": file, "count": count})


def _write_too_much(why: str) -> None:
    if why == "full disk":
        Path("/dev/full").write_text("x")
    with sqlite3.connect(":memory:") as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


@command(examples=("thunes things change",), exits=(6, 7))
def things_change(
    call: Call,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    phrase: Annotated[str | None, typer.Option("--confirm", help="The phrase.")] = None,
    severe: Annotated[bool, typer.Option("--severe", help="Ask for the phrase.")] = False,
) -> Result:
    """Change something after asking."""
    if severe:
        call.confirm_phrase("This is severe.", phrase="trade live", given=phrase)
    else:
        call.confirm("Change it?", yes=yes)
    return Result(data={"done": True}, text=("done",), changed=True)


ENTRIES = (
    Entry("look", "sample_commands:look", "Look around.", Section.LOOKING),
    Entry("things break", "sample_commands:things_break", "Break something.", Section.UPKEEP),
    Entry("things change", "sample_commands:things_change", "Change something.", Section.UPKEEP),
)

GROUPS.setdefault("things", "Things to try.")

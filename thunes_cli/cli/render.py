"""Writing a result once: the ``thunes.result/1`` document, or text for people."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from thunes_cli import __version__
from thunes_cli.cli.plain_text import plain_table, visible
from thunes_cli.cli.result import Problem, Result, Status, Table
from thunes_cli.cli.stamp import Stamp
from thunes_cli.cli.streams import Streams
from thunes_cli.clock import to_text

SCHEMA = "thunes.result/1"


def envelope(result: Result, *, command: str, stamp: Stamp) -> dict[str, Any]:
    """The JSON document; keys may be added, never renamed or removed."""
    return {
        "schema": SCHEMA,
        "command": command,
        "status": str(result.status),
        "exit_code": int(result.exit_code),
        "changed": result.changed,
        "data": result.data,
        "problems": [{"code": p.code, "message": p.message, "hint": p.hint} for p in result.problems],
        "ts": stamp.ts,
        "wall_ts": stamp.wall_ts,
        "version": __version__,
    }


def _plain_value(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Path):
        return str(value)
    message = f"{type(value).__name__} in a result's data"
    raise TypeError(message)


def write_json(document: dict[str, Any], stdout: TextIO) -> None:
    """One document and a newline; ASCII, so that no locale can spoil it."""
    stdout.write(json.dumps(document, default=_plain_value, allow_nan=False) + "\n")


def banner(stamp: Stamp, home: Path) -> str:
    """The first line of every text answer."""
    return f"environment: {stamp.environment or 'none yet'}   home: {visible(str(home))}"


def write_text(result: Result, streams: Streams, *, first_line: str, quiet: bool) -> None:
    """The answer on stdout; what failed on stderr. ``quiet`` leaves out an answer that says all is well."""
    if quiet and result.status is Status.OK:
        return
    answered = result.status is not Status.ERROR
    if answered or result.text:
        if first_line:
            streams.stdout.write(first_line + "\n")
        for block in result.text:
            _write_block(block, streams)
    if answered:
        if not result.problems_in_text:
            streams.stdout.writelines(_lines(problem, prefix="attention") for problem in result.problems)
        return
    streams.stdout.flush()
    write_errors(result, streams.stderr)


def write_errors(result: Result, stderr: TextIO) -> None:
    """``thunes: what; why`` and the next command, one pair of lines for each problem."""
    stderr.writelines(_lines(problem, prefix="thunes") for problem in result.problems)
    stderr.flush()


def _lines(problem: Problem, *, prefix: str) -> str:
    line = f"{prefix}: {visible(problem.message)}\n"
    return f"{line}  hint: {visible(problem.hint)}\n" if problem.hint else line


def _write_block(block: str | Table, streams: Streams) -> None:
    if isinstance(block, str):
        streams.stdout.write(visible(block, keep="\n\t") + "\n")
    elif streams.stdout_is_tty:
        from thunes_cli.cli.rich_table import write_rich_table

        write_rich_table(block, streams)
    else:
        streams.stdout.write(plain_table(block))

"""The short way to a command given without options of its own: no parser, hence no typer, half the start-up time.

Scripts ask ``thunes status --json`` every minute. Such a line is the words of a command whose table entry says
``quick``, and options every command has; anything else, mistakes included, goes the long way through typer. That both
ways give the same answer is tested for every quick command.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple

from thunes_cli.cli.invocation import ROOT_VALUED, Invocation
from thunes_cli.cli.result import Result
from thunes_cli.cli.table import Entry

_FLAGS = {"--json": "json", "-q": "quiet", "--quiet": "quiet"}


class QuickLine(NamedTuple):
    """A line that needs no parser; ``values`` are those of the root's options."""

    entry: Entry
    flags: frozenset[str]
    values: dict[str, str]


def read_line(arguments: Sequence[str], entries: Sequence[Entry]) -> QuickLine | None:
    """Root options, the words of a quick command, flags every command has; None for any other line."""
    rest = list(arguments)
    values: dict[str, str] = {}
    flags: set[str] = set()
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)
        if name in ROOT_VALUED and rest:
            values[name] = rest.pop(0)
        elif name in _FLAGS:
            flags.add(_FLAGS[name])
        else:
            return None
    end = next((place for place, argument in enumerate(rest) if argument.startswith("-")), len(rest))
    words, after = tuple(rest[:end]), rest[end:]
    entry = next((each for each in entries if each.quick and each.words == words), None)
    if entry is None or not all(argument in _FLAGS for argument in after):
        return None
    return QuickLine(entry, frozenset(flags.union(_FLAGS[argument] for argument in after)), values)


def perform_quickly(invocation: Invocation) -> Result | None:
    """Call the command of a simple line; None when the line needs the parser."""
    line = read_line(invocation.arguments, invocation.entries)
    if line is None:
        return None
    module, _, name = line.entry.target.partition(":")
    return invocation.perform(
        getattr(importlib.import_module(module), name),
        {},
        path=line.entry.path,
        home=line.values.get("--home"),
        env_file=line.values.get("--env-file"),
        as_json="json" in line.flags,
        quiet="quiet" in line.flags,
    )

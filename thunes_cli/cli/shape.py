"""The command tree as plain facts: what completions and the command reference are generated from (development only)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from typer._click.core import Context, Parameter
from typer._types import TyperChoice
from typer.core import TyperArgument, TyperOption
from typer.models import TyperPath

from thunes_cli.cli.command import Command
from thunes_cli.cli.table import GROUPS, Entry
from thunes_cli.cli.tree import CONTEXT_SETTINGS, FrameCommand, LeadingGroup, build_root

WIDTH = 100


class Kind(enum.StrEnum):
    """What a shell can offer for a value."""

    NOTHING = "nothing"
    CHOICE = "choice"
    FILE = "file"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an option or an argument."""

    kind: Kind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """An option; ``value`` is None for a flag. ``repeats`` says whether it may be given more than once."""

    names: tuple[str, ...]
    help: str
    value: Value | None
    repeats: bool


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument; ``many`` takes all that follow."""

    name: str
    value: Value
    many: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """A command or a group: its words, its parameters, its help page, and the words that may follow it."""

    words: tuple[str, ...]
    summary: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    children: tuple[tuple[str, str], ...]
    page: str
    command: Command[object] | None = None

    @property
    def path(self) -> str:
        """The words as one text; empty for the root."""
        return " ".join(self.words)

    @property
    def valued(self) -> tuple[str, ...]:
        """Names of the options that take a value."""
        return tuple(name for option in self.options if option.value is not None for name in option.names)


def _value(parameter: Parameter) -> Value:
    kind = parameter.type
    if isinstance(kind, TyperChoice):
        return Value(Kind.CHOICE, tuple(kind.normalize_choice(choice, None) for choice in kind.choices))
    if parameter.metavar == "DIR" or (isinstance(kind, TyperPath) and not kind.file_okay):
        return Value(Kind.DIRECTORY)
    if parameter.metavar == "FILE" or isinstance(kind, TyperPath):
        return Value(Kind.FILE)
    return Value(Kind.NOTHING)


def _options(parameters: Sequence[Parameter]) -> tuple[Option, ...]:
    return tuple(
        Option(
            names=(*parameter.opts, *parameter.secondary_opts),
            help=" ".join((parameter.help or "").split()),
            value=None if parameter.is_flag or parameter.count else _value(parameter),
            repeats=parameter.multiple,
        )
        for parameter in parameters
        if isinstance(parameter, TyperOption) and not parameter.hidden
    )


def _arguments(parameters: Sequence[Parameter]) -> tuple[Argument, ...]:
    return tuple(
        Argument(name=parameter.human_readable_name, value=_value(parameter), many=parameter.nargs < 0)
        for parameter in parameters
        if isinstance(parameter, TyperArgument) and not parameter.hidden
    )


def _context(command: object, name: str, parent: Context | None) -> Context:
    settings = CONTEXT_SETTINGS | {"terminal_width": WIDTH}
    return Context(command, info_name=name, parent=parent, **settings)  # type: ignore[arg-type]  # any click command


def read_tree(entries: Sequence[Entry]) -> tuple[Shape, ...]:
    """The root, the groups and the commands, in the table's order; imports every command module."""
    root = build_root(entries)
    context = _context(root, "thunes", None)
    shapes = [_group((), entries, context)]
    contexts: dict[tuple[str, ...], Context] = {(): context}
    for entry in entries:
        for depth in range(1, len(entry.words)):
            words = entry.words[:depth]
            if words not in contexts:
                above = contexts[words[:-1]]
                group = root if depth == 1 else above.command
                found = group.get_command(above, words[-1])  # type: ignore[attr-defined]  # a group, by the table
                contexts[words] = _context(found, words[-1], above)
                below = [each for each in entries if each.words[:depth] == words]
                shapes.append(_group(words, below, contexts[words]))
        above = contexts[entry.words[:-1]]
        command = above.command.get_command(above, entry.words[-1])  # type: ignore[attr-defined]  # as above
        contexts[entry.words] = _context(command, entry.words[-1], above)
        below = [each for each in entries if each.words[: len(entry.words)] == entry.words and each is not entry]
        shapes.append(_leaf(entry, command, contexts[entry.words], below=below))
    return tuple(shapes)


def _children(entries: Sequence[Entry], *, depth: int) -> tuple[tuple[str, str], ...]:
    children: dict[str, str] = {}
    for entry in entries:
        leaf = len(entry.words) == depth + 1
        if entry.words[depth] not in children:
            children[entry.words[depth]] = entry.summary if leaf else GROUPS[entry.words[depth]]
    return tuple(children.items())


def _group(words: tuple[str, ...], entries: Sequence[Entry], context: Context) -> Shape:
    return Shape(
        words=words,
        summary=GROUPS[words[-1]] if words else "",
        options=_options(context.command.get_params(context)),
        arguments=(),
        children=_children(entries, depth=len(words)),
        page=context.get_help(),
    )


def _leaf(entry: Entry, command: FrameCommand | LeadingGroup, context: Context, *, below: Sequence[Entry]) -> Shape:
    parameters = command.get_params(context)
    return Shape(
        words=entry.words,
        summary=entry.summary,
        options=_options(parameters),
        arguments=_arguments(parameters),
        children=_children(below, depth=len(entry.words)),
        page=context.get_help(),
        command=command.spec,
    )

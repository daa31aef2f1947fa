"""The command tree click walks, made lazily of the static table: only the invoked command's module is imported.

typer vendors click as ``typer._click`` and pyproject pins typer below 0.29; its names are imported in ``cli`` alone.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from typer._click.core import Context, Parameter
from typer._click.exceptions import UsageError
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command as build_command

from thunes_cli.cli.command import Command
from thunes_cli.cli.epilog import write_epilog, write_group_epilog, write_root_epilog
from thunes_cli.cli.invocation import Invocation
from thunes_cli.cli.result import Result
from thunes_cli.cli.table import Entry, Section

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_JSON_HELP = "Answer with one JSON document."
_QUIET_HELP = "Print nothing when all is well."


class HelpAsked(Exception):
    """``--help``: the page to show."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.page = context.get_help()


class VersionAsked(Exception):
    """``--version``."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context


def path_of(context: Context | None) -> str:
    """The words of the command a context stands for, without the program's name."""
    return context.command_path.partition(" ")[2] if context is not None else ""


def _show_help(context: Context, parameter: Parameter, value: object) -> None:
    del parameter
    if value and not context.resilient_parsing:
        raise HelpAsked(context)


def _raising(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.callback = _show_help
        option.opts.sort()  # click keeps the names in a set: their order would change from run to run
    return option


@contextmanager
def _known(context: Context) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        error.ctx = error.ctx or context
        raise


def _show_version(context: Context, parameter: Parameter, value: object) -> None:
    del parameter
    if value and not context.resilient_parsing:
        raise VersionAsked(context)


class FrameCommand(TyperCommand):
    """A leaf: its help page ends with examples and an exit-status section."""

    spec: Command[Any]

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """click's option, raising the page instead of printing it: under ``--json`` it goes into the document."""
        return _raising(super().get_help_option(ctx))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """click's own; an error always knows for which command it was made."""
        with _known(ctx):
            return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Examples and exit status, where click would put an epilog."""
        del ctx
        write_epilog(self.spec.examples, self.spec.exits, formatter)


class LazyGroup(TyperGroup):
    """A group that knows its commands from the table alone until one of them is invoked."""

    def __init__(self, *, name: str, entries: Sequence[Entry], depth: int = 0, **attributes: Any) -> None:
        super().__init__(name=name, rich_markup_mode=None, context_settings=CONTEXT_SETTINGS, **attributes)
        self.entries = tuple(entries)
        self.depth = depth

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """click's option, raising the page instead of printing it: under ``--json`` it goes into the document."""
        return _raising(super().get_help_option(ctx))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """As for a leaf."""
        with _known(ctx):
            return super().parse_args(ctx, args)

    def list_commands(self, ctx: Context) -> list[str]:
        """Names at this level, in the table's order."""
        del ctx
        return list(dict.fromkeys(entry.words[self.depth] for entry in self.entries))

    def get_command(self, ctx: Context, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """The leaf or group of that name; importing a leaf's module happens here and nowhere else."""
        del ctx
        below = [entry for entry in self.entries if entry.words[self.depth] == cmd_name]
        if not below:
            return None
        leader = next((entry for entry in below if len(entry.words) == self.depth + 1), None)
        if leader is None:
            from thunes_cli.cli.table import GROUPS

            return LazyGroup(name=cmd_name, entries=below, depth=self.depth + 1, help=GROUPS.get(cmd_name, ""))
        followers = [entry for entry in below if entry is not leader]
        if not followers:
            return load_command(leader)
        return LeadingGroup(load_command(leader), entries=followers, depth=self.depth + 1)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """click's own, without typer's suggestions: ours look at the whole table, not at one level of it."""
        return self._click_resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Commands and summaries from the table: in sections at the root."""
        del ctx
        if self.depth:
            with formatter.section("Commands"):
                formatter.write_dl([(" ".join(e.words[self.depth :]), e.summary) for e in self.entries])
            return
        width = max(len(entry.path) for entry in self.entries)
        for section in Section:
            rows = [(entry.path.ljust(width), entry.summary) for entry in self.entries if entry.section == section]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """At the root what every exit code means; a group's are those of its commands."""
        del ctx
        if self.depth:
            write_group_epilog(self.entries[0].path, formatter)
        else:
            write_root_epilog(formatter)


class LeadingGroup(LazyGroup):
    """A command under which others stand: ``reconcile`` compares, ``reconcile accept`` is another command."""

    def __init__(self, leader: FrameCommand, *, entries: Sequence[Entry], depth: int) -> None:
        super().__init__(
            name=leader.name or "",
            entries=entries,
            depth=depth,
            params=leader.params,
            callback=leader.callback,
            help=leader.help,
            invoke_without_command=True,
            subcommand_metavar="[COMMAND ...]",
        )
        self.spec = leader.spec

    def invoke(self, ctx: Context) -> Any:
        """The command itself, unless one under it is named; options before that one's name would be lost."""
        if ctx._protected_args:  # noqa: SLF001 - where click keeps the name of the command to come
            lost = [name for name in ctx.params if name not in _FRAME and _was_typed(ctx, name)]
            if lost:
                ctx.fail(f"--{lost[0].replace('_', '-')} does not go with {ctx._protected_args[0]}")  # noqa: SLF001 - as above
            self.callback = None
        return super().invoke(ctx)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """As for a leaf."""
        del ctx
        write_epilog(self.spec.examples, self.spec.exits, formatter)


_FRAME = frozenset({"frame_json", "frame_quiet"})


def _was_typed(context: Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _flag(*names: str, help_text: str, callback: Callable[..., None] | None = None) -> TyperOption:
    """A root flag; one with a callback answers by itself, before anything else is looked at."""
    alone = callback is not None
    return TyperOption(
        param_decls=list(names),
        is_flag=True,
        default=False,
        help=help_text,
        callback=callback,
        is_eager=alone,
        expose_value=not alone,
    )


def build_root(entries: Sequence[Entry]) -> LazyGroup:
    """The ``thunes`` command itself."""
    params = [
        TyperOption(param_decls=["--home"], metavar="DIR", help="Home to work on (THUNES_HOME)."),
        TyperOption(param_decls=["--env-file"], metavar="FILE", help="Settings file (THUNES_ENV_FILE)."),
        _flag("--json", help_text=f"{_JSON_HELP} (THUNES_FORMAT=json)"),
        _flag("-q", "--quiet", help_text=_QUIET_HELP),
        _flag("--version", help_text="Show the version and exit.", callback=_show_version),
    ]
    summary = "Run, watch and rescue an autonomous Binance spot trading bot."
    return LazyGroup(name="thunes", entries=entries, params=params, help=summary)


def load_command(entry: Entry) -> FrameCommand:
    """Import a command's module and make click's object of its function."""
    module, _, name = entry.target.partition(":")
    spec = getattr(importlib.import_module(module), name)
    if not isinstance(spec, Command):
        _refuse(entry)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name=entry.words[-1], cls=FrameCommand, context_settings=CONTEXT_SETTINGS)(_adapt(spec))
    built = build_command(app)
    assert isinstance(built, FrameCommand)
    built.spec = spec
    return built


def _refuse(entry: Entry) -> NoReturn:
    message = f"{entry.target} is not made with @command"
    raise TypeError(message)


def _adapt(spec: Command[Any]) -> Callable[..., Result]:
    """The function as typer wants to see it: without the call, with the options every command has."""
    # Quick commands import typer for type checkers alone, so that it is lent to them here.
    names = {"typer": typer, **spec.function.__globals__}
    signature = inspect.signature(spec.function, globals=names, eval_str=True)
    own = list(signature.parameters.values())[1:]
    kind = inspect.Parameter.KEYWORD_ONLY
    frame = [
        inspect.Parameter(
            "frame_json", kind, default=False, annotation=Annotated[bool, typer.Option("--json", help=_JSON_HELP)]
        ),
        inspect.Parameter(
            "frame_quiet",
            kind,
            default=False,
            annotation=Annotated[bool, typer.Option("-q", "--quiet", help=_QUIET_HELP)],
        ),
    ]

    def run(context: Context, *, frame_json: bool, frame_quiet: bool, **values: Any) -> Result:
        root = context.find_root()
        leading = context.parent.params if context.parent is not None else {}
        frame_json = frame_json or bool(leading.get("frame_json"))
        frame_quiet = frame_quiet or bool(leading.get("frame_quiet"))
        invocation: Invocation = root.obj
        return invocation.perform(
            spec,
            values,
            path=path_of(context),
            home=root.params["home"],
            env_file=root.params["env_file"],
            as_json=frame_json or root.params["json"],
            quiet=frame_quiet or root.params["quiet"],
        )

    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Context)
    parameters = [first, *(parameter.replace(kind=kind) for parameter in own), *frame]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # inspect reads it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = spec.function.__doc__
    return run

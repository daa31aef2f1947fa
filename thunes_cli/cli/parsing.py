"""The long way to a command: typer parses the line; help, version and usage errors end here."""

from __future__ import annotations

from typer._click.core import Context
from typer._click.exceptions import UsageError

from thunes_cli import __version__
from thunes_cli.cli.invocation import Answer, Invocation, answer_of, wants_json
from thunes_cli.cli.result import Result
from thunes_cli.cli.tree import HelpAsked, VersionAsked, build_root, path_of
from thunes_cli.cli.usage import usage_result, valued_options


def parse_and_perform(invocation: Invocation) -> Answer:
    """Parse, call the command, and give its answer; what the command raises goes through."""
    root = build_root(invocation.entries)
    # A bare `thunes` is a person looking for the commands: help, and 0.
    arguments = list(invocation.arguments) or ["--help"]
    try:
        with root.make_context("thunes", arguments, obj=invocation) as context:
            return answer_of(invocation, root.invoke(context))
    except HelpAsked as asked:
        return _early(invocation, Result(data={"help": asked.page}, text=(asked.page,)), asked.context)
    except VersionAsked as asked:
        version = Result(data={"version": __version__}, text=(f"thunes {__version__}",))
        return _early(invocation, version, asked.context)
    except UsageError as error:
        return _early(invocation, usage_result(error, invocation.entries), error.ctx, raised=True)


def _early(invocation: Invocation, result: Result, context: Context | None, *, raised: bool = False) -> Answer:
    """An answer of parsing alone: the format is read from the raw arguments, with the options known by then."""
    option = context.find_root().params.get("home") if context is not None else None
    as_json = wants_json(invocation.arguments, invocation.environ, valued=valued_options(context))
    home = invocation.home(option) if as_json else None
    return Answer(result, path_of(context), json=as_json, home=home, raised=raised, page=not raised)

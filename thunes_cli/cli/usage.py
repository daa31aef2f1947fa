"""What was typed, when it cannot be parsed: what is wrong, and a hint that names what was meant."""

from __future__ import annotations

from collections.abc import Sequence

from typer._click.core import Context
from typer._click.exceptions import MissingParameter, NoSuchOption, UsageError
from typer.core import TyperOption

from thunes_cli.cli.invocation import ROOT_VALUED
from thunes_cli.cli.result import Problem, Result
from thunes_cli.cli.synonyms import SYNONYMS
from thunes_cli.cli.table import Entry
from thunes_cli.cli.tree import LazyGroup, path_of
from thunes_cli.errors import ExitCode

_WHY = 'say why, it goes to the trail: --reason "..."'
_EXTRA = "Got unexpected extra argument(s) ("
_LIKE_LINE = 0.7
_LIKE_WORD = 0.65  # two letters of three: "pln" means pnl


def _options(context: Context | None) -> list[TyperOption]:
    found = []
    while context is not None:
        found += [param for param in context.command.get_params(context) if isinstance(param, TyperOption)]
        context = context.parent
    return found


def valued_options(context: Context | None) -> frozenset[str]:
    """Options that take a value, as far as parsing came: of the root, the groups and the command on the way."""
    options = [option for option in _options(context) if not option.is_flag]
    return ROOT_VALUED.union(name for option in options for name in option.opts)


def usage_result(error: UsageError, entries: Sequence[Entry]) -> Result:
    """The answer to a command line that cannot be parsed: exit 2, what is wrong, what was probably meant."""
    message = " ".join(error.message.split()) if isinstance(error, NoSuchOption) else error.format_message()
    path = path_of(error.ctx)
    hint = f"thunes {path} --help" if path else "thunes --help"
    context = error.ctx
    if isinstance(error, NoSuchOption):
        hint = _option_hint(error, path) or hint
    elif isinstance(error, MissingParameter) and error.param is not None:
        name = error.param.opts[0] if isinstance(error.param, TyperOption) else error.param.human_readable_name
        message, hint = f"{name} is missing", _WHY if name == "--reason" else hint
    elif message.startswith(_EXTRA):
        message = f"too much: {message.removeprefix(_EXTRA).removesuffix('.').removesuffix(')')}"
        if any("--reason" in option.opts for option in _options(context)):
            hint = 'quote a text of several words: --reason "..."'
    elif context is not None and isinstance(context.command, LazyGroup):
        if message.startswith("Missing command"):
            message = f"{path or 'thunes'} needs a command: " + ", ".join(context.command.list_commands(context))
        elif message.startswith("No such command"):
            typed = message.split("'")[1] if "'" in message else ""
            meant = suggest(f"{path} {typed}".strip(), entries)
            hint = "did you mean " + " or ".join(f"thunes {entry}" for entry in meant) + "?" if meant else hint
            hint = "thunes --version" if typed == "version" else hint
            message = f"no such command: {f'{path} {typed}'.strip()}"
    first = message[:1] if message[1:2].isupper() else message[:1].lower()  # an argument's name stays as it is
    message = first + message[1:].rstrip(".")
    return Result(exit_code=ExitCode.USAGE, problems=(Problem("usage", message, hint),))


def _option_hint(error: NoSuchOption, path: str) -> str:
    phrase = next((option for option in _options(error.ctx) if "--confirm" in option.opts), None)
    if error.option_name == "--yes" and phrase is not None:
        return f"--yes is not enough here; --confirm takes {phrase.help}"
    root = error.ctx.find_root() if error.ctx is not None else None
    of_root = {name for option in _options(root) for name in option.opts}
    if error.option_name in of_root:
        return f"{error.option_name} goes before the command: thunes {error.option_name} … {path}"
    if error.possibilities:
        return "did you mean " + " or ".join(sorted(error.possibilities)) + "?"
    return ""


def suggest(typed: str, entries: Sequence[Entry]) -> list[str]:
    """Up to three commands that are meant by what was typed, or look like it: as a whole, or in one of their words."""
    from difflib import get_close_matches

    known = {entry.path for entry in entries}
    meant = [path for path in SYNONYMS.get(typed.lower().partition(" ")[0], ()) if path in known]
    if meant:
        return meant
    exact = [entry.path for entry in entries if typed.lower() in entry.words]
    paths = {entry.path: entry.path for entry in entries}
    paths |= {"".join(ch for ch in entry.path if ch.isalnum()): entry.path for entry in entries}
    found = [paths[match] for match in get_close_matches(typed.lower(), paths, n=3, cutoff=_LIKE_LINE)]
    squeezed = "".join(ch for ch in typed.lower() if ch.isalnum())
    found += [paths[match] for match in get_close_matches(squeezed, paths, n=3, cutoff=_LIKE_LINE)]
    words = {word for entry in entries for word in entry.words}
    for word in typed.lower().split():
        close = set(get_close_matches(word, words, n=2, cutoff=_LIKE_WORD))
        found += [entry.path for entry in entries if close & set(entry.words)]
    return list(dict.fromkeys(exact + found))[:3]

"""One run of the command as far as it has come: what was typed, where it goes, and the call once it is known."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import Command
from thunes_cli.cli.result import Result
from thunes_cli.cli.streams import Streams
from thunes_cli.cli.table import Entry
from thunes_cli.errors import ThunesError


@dataclass(slots=True)
class Invocation:
    """Once ``call`` is set, whatever happens is reported in its format and for its home."""

    entries: Sequence[Entry]
    environ: Mapping[str, str]
    streams: Streams
    arguments: Sequence[str]
    call: Call | None = None

    def perform(
        self,
        spec: Command[Any],
        values: Mapping[str, Any],
        *,
        path: str,
        home: str | None,
        env_file: str | None,
        as_json: bool,
        quiet: bool,
    ) -> Result:
        """Call a command's function."""
        self.call = Call(
            command=path,
            streams=self.streams,
            environ=self.environ,
            home_option=home,
            env_file_option=Path(env_file) if env_file else None,
            json=as_json or self.environ.get("THUNES_FORMAT") == "json",
            quiet=quiet,
        )
        if not gc.isenabled():  # main() switched it off
            gc.freeze()  # what importing made stays: no later search has to look at it
            gc.enable()
        return spec.function(self.call, **{name: _as_text(value) for name, value in values.items()})

    def home(self, option: str | None) -> Path | None:
        """Where the home is, for reporting: None when even that cannot be found out."""
        from thunes_cli.config.home import find_home

        try:
            return find_home(option, self.environ)
        except ThunesError:
            return None


def _as_text(value: Any) -> Any:
    """Typed text without bytes that are no UTF-8 (another terminal's ``é``): ledger and JSON could not hold them."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if type(value) is str else value


class Answer(NamedTuple):
    """A result and how to write it. ``raised``: there is only an error; ``page``: text without a banner."""

    result: Result
    command: str = ""
    json: bool = False
    quiet: bool = False
    home: Path | None = None
    raised: bool = False
    page: bool = False
    trace: str = ""


def answer_of(invocation: Invocation, result: Result, *, raised: bool = False) -> Answer:
    """The answer of a command that was called, or of a failure before that."""
    call = invocation.call
    if call is None:
        as_json = wants_json(invocation.arguments, invocation.environ)
        return Answer(result, json=as_json, home=invocation.home(None) if as_json else None, raised=raised)
    if result.problems and call.home_option is not None:
        result = _for_home(result, call.home_option, invocation.entries)
    home = result.home or invocation.home(call.home_option)
    return Answer(result, call.command, json=call.json, quiet=call.quiet, home=home, raised=raised)


def _for_home(result: Result, home: str, entries: Sequence[Entry]) -> Result:
    from dataclasses import replace

    problems = tuple(each._replace(hint=addressed(each.hint, home, entries)) for each in result.problems)
    return replace(result, problems=problems)


def addressed(text: str, home: str | None, entries: Sequence[Entry]) -> str:
    """What a text tells to type, for the home that was named; typed as it stands it must not reach another one."""
    import re
    import shlex

    if home is None:
        return text
    known = "|".join(sorted({entry.path.split()[0] for entry in entries}))
    named = f"thunes --home {shlex.quote(home)} "
    return re.sub(rf"\bthunes (?=(?:{known})\b)", lambda _: named, text)


ROOT_VALUED = frozenset({"--home", "--env-file"})


def wants_json(arguments: Sequence[str], environ: Mapping[str, str], *, valued: frozenset[str] = ROOT_VALUED) -> bool:
    """Whether the raw arguments ask for JSON: ``--json`` not as an option's value and not after ``--``.

    ``valued`` are the options known to take a value.
    """
    if environ.get("THUNES_FORMAT") == "json":
        return True
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return False
        if argument == "--json":
            return True
        if argument in valued:
            next(rest, None)
    return False

"""How a command is written: a function of a :class:`Call` and its own options, returning a :class:`Result`.

::

    @command(examples=("thunes positions list --all",), exits=(10, 13))
    def positions_list(call: Call, *, everything: Annotated[bool, typer.Option("--all", help="…")] = False) -> Result:
        \"\"\"What is held, and what it is worth.\"\"\"

The frame adds ``--json`` and ``-q`` and takes them away again: the function sees them as ``call.json``, ``call.quiet``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, Generic, ParamSpec

from thunes_cli.cli.call import Call
from thunes_cli.cli.exits import ALWAYS, MEANINGS
from thunes_cli.cli.result import Result
from thunes_cli.errors import ExitCode

P = ParamSpec("P")
Exit = int | tuple[int, str]


@dataclass(frozen=True, slots=True)
class Command(Generic[P]):
    """A command function with what its help page needs besides the docstring."""

    function: Callable[Concatenate[Call, P], Result]
    examples: tuple[str, ...]
    exits: tuple[tuple[ExitCode, str], ...]

    def __call__(self, call: Call, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Call the function, as the frame or a test does."""
        return self.function(call, *args, **kwargs)


def command(
    *, examples: tuple[str, ...], exits: tuple[Exit, ...] = ()
) -> Callable[[Callable[Concatenate[Call, P], Result]], Command[P]]:
    """Make a command of a function.

    Args:
        examples: whole command lines, most useful first; at least one.
        exits: exit codes besides 0, 1 and 2; a pair replaces the general meaning by one of this command (0 included).
    """
    if not examples:
        raise ValueError("a command without an example")
    meanings = {code: MEANINGS[code] for code in ALWAYS}
    for item in exits:
        code, meaning = item if isinstance(item, tuple) else (item, MEANINGS[ExitCode(item)])
        meanings[ExitCode(code)] = meaning

    def make(function: Callable[Concatenate[Call, P], Result]) -> Command[P]:
        return Command(function=function, examples=examples, exits=tuple(sorted(meanings.items())))

    return make

"""What a command answers: one frozen value, rendered once as text or as the ``thunes.result/1`` document."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from thunes_cli.errors import ExitCode, ThunesError


class Status(enum.StrEnum):
    """The envelope's ``status``."""

    OK = "ok"
    ATTENTION = "attention"
    PARTIAL = "partial"
    ERROR = "error"


class Problem(NamedTuple):
    """One thing that is wrong: a stable code, a line for people, what to type next."""

    code: str
    message: str
    hint: str = ""


class Table(NamedTuple):
    """Rows for people: rich on a terminal, aligned text in a pipe."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A command's answer. ``data`` is JSON-ready (money as strings, times as text); ``text`` is for people.

    ``home`` names another home than the call's (``demo``). ``streamed``: the command wrote its answer itself.
    ``problems_in_text``: the text tells the problems, where a reader wants them; they are not written again.
    """

    data: dict[str, Any] = field(default_factory=dict)
    text: tuple[str | Table, ...] = ()
    exit_code: ExitCode = ExitCode.OK
    changed: bool = False
    problems: tuple[Problem, ...] = ()
    home: Path | None = None
    streamed: bool = False
    problems_in_text: bool = False

    @property
    def status(self) -> Status:
        """ok for 0, attention for the answers 3 to 5, partial for 15, else error."""
        if self.exit_code == ExitCode.OK:
            return Status.OK
        if self.exit_code in {ExitCode.ATTENTION, ExitCode.MISMATCH, ExitCode.INTEGRITY}:
            return Status.ATTENTION
        return Status.PARTIAL if self.exit_code == ExitCode.PARTIAL else Status.ERROR


def failure(error: ThunesError) -> Result:
    """The result of a command that raised; an error that carries several ``problems`` becomes one for each."""
    messages = [str(part) for part in getattr(error, "problems", ())] or [error.message]
    return Result(
        exit_code=ExitCode(error.exit_code),
        problems=tuple(Problem(code=error.code, message=message, hint=error.hint) for message in messages),
    )

"""What is wrong with the settings, in one line each, and the error that carries all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thunes_cli.errors import ConfigError

ENVIRONMENT = "environment"  # the origin of what the process's environment says


def place(origin: str) -> str:
    """An origin as a sentence ends with it."""
    return "from the environment" if origin == ENVIRONMENT else origin


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the settings it is about, the one to change first; what; where it was said.

    ``where`` is ``<path>:<line>``, ``environment`` or empty. The value of a secret is never in it.
    """

    settings: tuple[str, ...]
    what: str
    where: str = ""

    def __str__(self) -> str:
        subject = f"{self.settings[0]}: " if self.settings else ""
        return f"{subject}{self.what}" + (f", {place(self.where)}" if self.where else "")


class SettingsInvalid(ConfigError):
    """{0}"""

    code = "settings_invalid"
    hint = "correct it, then: thunes config check"

    def __init__(self, problems: Sequence[Fault]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

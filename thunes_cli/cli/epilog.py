"""The end of every help page: examples, and what the exit codes mean."""

from __future__ import annotations

from collections.abc import Iterable

from typer._click.formatting import HelpFormatter

from thunes_cli.cli.exits import MEANINGS
from thunes_cli.errors import ExitCode

_AT_THE_ROOT = (
    "thunes demo",
    "thunes status",
    "thunes --home ~/thunes-testnet status --json",
    "thunes -q status || thunes status",
)


def write_epilog(examples: Iterable[str], exits: Iterable[tuple[ExitCode, str]], formatter: HelpFormatter) -> None:
    """Both sections."""
    with formatter.section("Examples"):
        for example in examples:
            formatter.write(f"  {example}\n")
    with formatter.section("Exit status"):
        formatter.write_dl([(str(int(code)), meaning) for code, meaning in exits])


def write_root_epilog(formatter: HelpFormatter) -> None:
    """Every exit code there is."""
    write_epilog(_AT_THE_ROOT, MEANINGS.items(), formatter)


def write_group_epilog(path: str, formatter: HelpFormatter) -> None:
    """A group does nothing by itself: ``path`` is the first of its commands."""
    shown = (ExitCode.OK, "shown; its commands have more: --help")
    write_epilog(
        (f"thunes {path}", f"thunes {path} --help"), (shown, (ExitCode.USAGE, MEANINGS[ExitCode.USAGE])), formatter
    )

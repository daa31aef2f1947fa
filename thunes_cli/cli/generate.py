"""Write what is generated from code; with ``--check`` only say what is out of date (development only)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from thunes_cli.cli.completion_bash import bash_script
from thunes_cli.cli.completion_fish import fish_script
from thunes_cli.cli.completion_zsh import zsh_script
from thunes_cli.cli.man_page import man_page
from thunes_cli.cli.reference import commands_page, error_classes, exit_codes_page, readme_with_table
from thunes_cli.cli.shape import read_tree
from thunes_cli.cli.table import COMMANDS, Entry
from thunes_cli.config.reference import env_example, settings_markdown

ROOT = Path(__file__).parents[2]


def generated(entries: Sequence[Entry] = COMMANDS) -> dict[str, str]:
    """Every generated file: path from the root of the project, and its text."""
    shapes = read_tree(entries)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {
        "README.md": readme_with_table(readme, entries),
        "completions/thunes.bash": bash_script(shapes),
        "completions/_thunes": zsh_script(shapes),
        "completions/thunes.fish": fish_script(shapes),
        "docs/commands.md": commands_page(shapes),
        "docs/thunes.1": man_page(shapes),
        "docs/exit-codes.md": exit_codes_page(error_classes()),
        "docs/settings.md": settings_markdown(),
        ".env.example": env_example(),
    }


def drifted(files: Mapping[str, str], root: Path = ROOT) -> list[str]:
    """Paths whose file is not what would be generated."""
    return [
        path
        for path, text in files.items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str]) -> int:
    """``--check`` writes nothing and returns 1 when something is out of date."""
    files = generated()
    stale = drifted(files)
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path} is out of date: make generate\n")
        return 1 if stale else 0
    for path in stale:
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(files[path], encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""docs/runbook.md: every command on it is run, in the state it is meant for, and prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import difference_from
from scenes import SETTINGS

from thunes_cli.cli.table import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "runbook.md"


def test_the_page_shows_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom, command, what it prints."""
    monkeypatch.chdir(tmp_path)

    assert difference_from(PAGE, SETTINGS, tmp_path) == ""


def test_every_command_it_names_exists() -> None:
    """In the text as in the blocks."""
    paths = {entry.path for entry in COMMANDS}
    firsts = {path.split()[0] for path in paths}
    named = re.findall(r"(?<![\w/])thunes (?:-q |--home \S+ )?([a-z]+(?: [a-z]+)?)", PAGE.read_text(encoding="utf-8"))

    assert named
    assert [each for each in named if each not in paths and each.split()[0] not in paths | firsts] == []

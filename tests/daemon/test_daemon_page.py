"""docs/daemon.md and docs/checks.md name commands, events and checks that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from thunes_cli.audit.events import Event
from thunes_cli.cli.table import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["daemon.md", "checks.md", "backup-restore.md"])
def test_commands_exist(page: str) -> None:
    """Every ``thunes ...`` of the page begins with a command of the table."""
    text = re.sub(r"-u thunes\b", "", (DOCS / page).read_text(encoding="utf-8"))
    paths = {entry.path for entry in COMMANDS}
    named = re.findall(r"(?<![\w./-])thunes (?:-q )?(?:--home \S+ )?([a-z]+(?: [a-z]+)?)", text)

    known = {path.split()[0] for path in paths if " " not in path}
    assert named
    assert [each for each in named if each not in paths and each.split()[0] not in known] == []


def test_events_exist() -> None:
    """What is looked for on the trail is an event."""
    named = re.findall(r"--event ([A-Z_]+)", (DOCS / "daemon.md").read_text(encoding="utf-8"))

    assert named
    assert set(named) <= set(Event)

"""docs/key-compromise.md and docs/keys.md: the commands are run, or at least exist; the hook refuses a secret."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import difference_from
from scenes import SETTINGS

from thunes_cli.cli.shape import read_tree
from thunes_cli.cli.table import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
FIVE_MINUTES = (
    "killswitch activate",
    "stop",
    "keys rotate",
    "reconcile",
    "orders list --external",
    "audit tail",
    "keys scan",
)


def test_the_page_shows_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a home whose account somebody else used."""
    monkeypatch.chdir(tmp_path)

    assert difference_from(DOCS / "key-compromise.md", SETTINGS, tmp_path) == ""


@pytest.mark.parametrize("page", ["key-compromise.md", "keys.md"])
def test_every_command_and_option_exists(page: str) -> None:
    """Whoever types what stands there in these five minutes must not meet a usage error."""
    shapes = {shape.path: shape for shape in read_tree(COMMANDS) if shape.command is not None}
    lines = re.findall(r"\bthunes (?:-q )?([^`;#\n]+)", (DOCS / page).read_text(encoding="utf-8"))

    for line in lines:
        words = line.split()
        path = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in shapes), None)
        if path is None:
            assert " ".join(words[:2]) == "not a", line
            continue
        known = {name for option in shapes[path].options for name in option.names}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", line)) <= known | {"--json"}, line


def test_the_five_minutes_are_there() -> None:
    """Every step of them."""
    text = (DOCS / "key-compromise.md").read_text(encoding="utf-8")

    assert [step for step in FIVE_MINUTES if f"thunes {step}" not in text] == []


def test_the_hook_refuses_a_secret(tmp_path: Path) -> None:
    """As it stands on the page: the commit fails, one without a secret goes through."""
    hook = re.search(r"```sh\n(#!/bin/sh\n.*?)```", (DOCS / "keys.md").read_text(encoding="utf-8"), re.DOTALL)
    assert hook is not None
    place = tmp_path / "repository"
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        **{f"GIT_{who}_{what}": "t@e.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(place), *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)

    place.mkdir()
    git("init", "-q")
    (place / ".git/hooks/pre-commit").write_text(hook[1])
    (place / ".git/hooks/pre-commit").chmod(0o755)
    (place / "a").write_text("nothing\n")
    git("add", "a")
    good = git("commit", "-qm", "good")
    (place / "a").write_text("AKIA" + "Q3XZ7WPLM2VNTR5K\n")

    bad = git("commit", "-qam", "bad")

    (place / "b").write_text("nothing\n")
    git("add", "b")
    part = git("commit", "-qm", "a part of what is changed", "b")

    assert (good.returncode, part.returncode) == (0, 0), good.stderr + part.stderr
    assert bad.returncode != 0
    assert re.search(r"^a:1 +aws_access_key", bad.stderr, re.MULTILINE)
    assert "Q3XZ7" not in bad.stdout + bad.stderr

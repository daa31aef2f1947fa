"""Completions, command reference and exit-code table: checked in, and equal to what would be generated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from frame import ROOT, clean_environ

from thunes_cli.cli.generate import drifted, generated
from thunes_cli.cli.table import COMMANDS
from thunes_cli.errors import ExitCode


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """What would be generated now."""
    return generated()


def test_nothing_has_drifted(files: dict[str, str]) -> None:
    """`make generate` would change nothing."""
    assert drifted(files) == []


def test_drift_is_noticed(files: dict[str, str], tmp_path: Path) -> None:
    """A file that is missing or differs by one byte is named."""
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "docs/commands.md").write_text(files["docs/commands.md"] + "x", encoding="utf-8")
    (tmp_path / "completions/_thunes").unlink()

    assert drifted(files, tmp_path) == ["completions/_thunes", "docs/commands.md"]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_generating_is_repeatable(seed: str) -> None:
    """The order of a set or the width of a terminal does not show in what is generated."""
    done = subprocess.run(
        [sys.executable, "-m", "thunes_cli.cli.generate", "--check"],
        cwd=ROOT,
        env=clean_environ(PYTHONHASHSEED=seed, COLUMNS="40" if seed == "1" else "200"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_is_documented(files: dict[str, str]) -> None:
    """Each command has a section with its examples and exit status."""
    sections = files["docs/commands.md"].split("\n## ")

    for entry in COMMANDS:
        section = next(text for text in sections if text.startswith(f"thunes {entry.path}\n"))
        assert "Examples:" in section
        assert "<str>" not in section
        assert "<int " not in section
        assert "Exit status:" in section


def test_every_exit_code_is_documented(files: dict[str, str]) -> None:
    """The table has a row for each code of the contract."""
    for code in ExitCode:
        assert f"| {int(code)} | " in files["docs/exit-codes.md"]


def test_nothing_of_this_machine_is_written(files: dict[str, str]) -> None:
    """Generated text names no path of the machine it was made on."""
    for text in files.values():
        assert str(ROOT) not in text
        assert f"{Path.home()}/" not in text

"""The project's own frame: pinned versions, and a Makefile that works from any path and says what it lacks."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = ("demo", "test", "test-long", "check", "generate", "bench")


def canonical(requirement: str) -> str:
    """The name of a requirement as package indexes compare names."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pins() -> dict[str, str]:
    """Name and version of each line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonical(name): version for name, version in pairs}


def test_every_dependency_is_pinned() -> None:
    """What pyproject asks for, all extras included, has one version in constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]

    assert {canonical(requirement) for requirement in asked} <= pins().keys()


def test_pins_name_no_place() -> None:
    """Versions only: where packages come from is the business of the machine."""
    text = (ROOT / "constraints.txt").read_text()

    assert "://" not in text
    assert " @ " not in text
    assert all(re.fullmatch(r"[0-9][0-9A-Za-z.+]*", version) for version in pins().values())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the Makefile reads, under a path with a space."""
    place = tmp_path / "a checkout"
    place.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, place)
    return place


def make(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make there."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    return subprocess.run(["make", "-C", str(place), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", TARGETS)
def test_targets_run_what_is_installed(checkout: Path, target: str) -> None:
    """With .venv in place a target starts at once, with .venv's python, and names no absolute path."""
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").write_text("#!/bin/sh\n")
    (checkout / ".venv/bin/python").chmod(0o755)
    (checkout / ".venv/.installed").write_text(f"{checkout.resolve()}\n")

    done = make(checkout, "-n", target)

    commands = [line for line in done.stdout.splitlines() if not line.startswith("make")]
    assert done.returncode == 0
    assert commands
    assert all(line.startswith(".venv/bin/python -") for line in commands)


def test_moved_checkout_is_installed_again(checkout: Path) -> None:
    """The paths in .venv are absolute: a checkout that was moved or copied does not run the old one's code."""
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").write_text("#!/bin/sh\n")
    (checkout / ".venv/bin/python").chmod(0o755)
    (checkout / ".venv/.installed").write_text("/somewhere/else\n")

    assert "pip install" in make(checkout, "-n", "test").stdout


@pytest.mark.parametrize("program", ["exit 1", "exit 127"], ids=["too-old", "broken-shim"])
def test_old_python_is_refused(checkout: Path, program: str) -> None:
    """An interpreter that is too old, or a name that cannot run, is said in one line; nothing is made of it."""
    python = checkout / "python3 old"
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)

    done = make(checkout, "demo", f"PYTHON={python}")

    assert done.returncode != 0
    assert f"PYTHON={python} is not Python 3.11 or newer" in done.stderr
    assert not (checkout / ".venv").exists()


def test_changelog_has_a_place_for_the_next_change() -> None:
    """Keep a Changelog's form: an Unreleased section comes first."""
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]

    assert headings[0] == "## [Unreleased]"


def test_no_two_test_files_have_one_name() -> None:
    """They are imported by their bare names: the second of a pair would not be collected."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in {"conftest.py", "__init__.py"}]

    assert sorted(names) == sorted(set(names))

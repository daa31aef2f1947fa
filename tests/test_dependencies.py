"""Every dependency is justified in docs/dependencies.md, and every one that is needed to run is used."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions

import pytest
from test_project import ROOT, canonical

_PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_EXTRAS = {extra: [canonical(each) for each in asked] for extra, asked in _PROJECT["optional-dependencies"].items()}
TO_RUN = [canonical(each) for each in _PROJECT["dependencies"]]
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "thunes_cli").rglob("*.py")))


def rows() -> dict[str, list[str]]:
    """Package and its other cells."""
    lines = [line.strip("|").split("|") for line in _PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return {canonical(first): rest for first, *rest in cells if first != "package"}


def test_each_is_justified() -> None:
    """A row for each of pyproject's, what for, why this one, which licence; and no row for anything else."""
    asked = {*TO_RUN, *(name for extra in _EXTRAS.values() for name in extra)}

    assert set(rows()) == asked
    assert all(len(cells) == 3 and all(cells) for cells in rows().values())


@pytest.mark.parametrize("name", TO_RUN)
def test_each_is_used(name: str) -> None:
    """Something of ours imports it."""
    modules = [
        module for module, names in packages_distributions().items() if name in {canonical(each) for each in names}
    ]

    assert any(re.search(rf"^\s*(import|from) {re.escape(module)}\b", SOURCES, re.MULTILINE) for module in modules) or (
        any(f'"{module}' in SOURCES for module in modules)  # by name, where the import has to be late
    )


def test_upper_bounds_have_reasons() -> None:
    """A line with ``<`` says why."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()

    assert all("#" in line for line in lines if re.match(r'\s*"[A-Za-z0-9_.-]+\S*<', line))

"""CONTRIBUTING.md and the architecture page name files that exist."""

from __future__ import annotations

import re

import pytest
from test_project import ROOT

_PAGES = ["CONTRIBUTING.md", "docs/architecture.md"]


@pytest.mark.parametrize("page", _PAGES)
def test_files_it_names_exist(page: str) -> None:
    """Every ``room/file.py`` and every link."""
    text = (ROOT / page).read_text(encoding="utf-8")
    files = set(re.findall(r"`(?:thunes_cli/)?([a-z_]+/[a-z_/]+\.py)`", text))
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}

    assert files
    assert [name for name in files if not ((ROOT / "thunes_cli" / name).is_file() or (ROOT / name).is_file())] == []
    assert [link for link in links if not ((ROOT / page).parent / link).is_file()] == []


def test_targets_it_names_exist() -> None:
    """Every ``make`` target of the table, and no target is left out of it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None

    assert {*re.findall(r"^\| `make ([a-z-]+)`", text, re.MULTILINE)} == {*phony[1].split()} - {"help", "clean"}

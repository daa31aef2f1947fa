"""docs/thunes.1: every command is in it, and the formatter has nothing to complain about."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from frame import ROOT

from thunes_cli.cli.table import COMMANDS

PAGE = ROOT / "docs" / "thunes.1"


def test_every_command_has_a_section() -> None:
    """By its words, arguments after them."""
    text = PAGE.read_text(encoding="utf-8").replace("\\-", "-")

    for entry in COMMANDS:
        assert f"\n.SS thunes {entry.path}" in text


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff formats manual pages and is not on this machine")
def test_it_is_well_formed() -> None:
    """groff warns of nothing."""
    done = subprocess.run(["groff", "-man", "-ww", "-z", str(PAGE)], capture_output=True, text=True, check=True)

    assert done.stderr == ""

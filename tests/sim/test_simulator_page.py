"""docs/simulator.md: the commands and paths it names exist."""

from __future__ import annotations

import re
from pathlib import Path

from thunes_cli.cli.shape import read_tree
from thunes_cli.cli.table import COMMANDS
from thunes_cli.sim.admin import ROUTES
from thunes_cli.sim.fault_kinds import FaultKind
from thunes_cli.sim.server import _OWN

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_paths() -> None:
    """Every path of ours is named, and no other."""
    named = set(re.findall(r"/sim/[a-z/]+[a-z]", PAGE))

    assert ROUTES.keys() <= _OWN.keys()
    assert {path for _, path in _OWN} - named <= {"/sim/key/revoke", "/sim/key/restrict"}  # named by their ends
    assert named <= {path for _, path in _OWN}


def test_options_and_kinds() -> None:
    """Of `sim serve` every option; kinds that are ordered exist."""
    serve = next(shape for shape in read_tree(COMMANDS) if shape.path == "sim serve")
    options = {name for option in serve.options for name in option.names if name.startswith("--")}
    kinds = set(re.findall(r"thunes sim fault ([a-z0-9_]+)", PAGE))

    assert {name for name in options if name not in PAGE} == {"--json", "--quiet", "--help"}
    assert kinds
    assert kinds <= set(FaultKind)

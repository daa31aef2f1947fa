"""The generated reference cannot drift from the settings."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest

from thunes_cli.config.env_file import parse
from thunes_cli.config.load import load_settings
from thunes_cli.config.reference import env_example, settings_markdown
from thunes_cli.config.settings import NAMES, Settings
from thunes_cli.sim.options import SimOptions

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("file", "render"),
    [("docs/settings.md", settings_markdown), (".env.example", env_example)],
    ids=["docs", "example"],
)
def test_files_are_what_the_code_renders(file: str, render: object) -> None:
    """Generated files are checked in."""
    assert (ROOT / file).read_text(encoding="utf-8") == render()  # type: ignore[operator]  # a function of nothing


def test_every_setting_is_in_both() -> None:
    """Nothing is left out of the reference."""
    assert [name for name in NAMES if f"\n{name}=" not in env_example()] == []
    assert [name for name in NAMES if f"\n| `{name}` |" not in settings_markdown()] == []


def test_the_example_is_the_defaults(tmp_path: Path) -> None:
    """Used as it stands, it changes nothing: it trades on the simulator."""
    file = tmp_path / ".env"
    file.write_text(env_example())
    file.chmod(0o600)

    loaded = load_settings(tmp_path, {})

    assert loaded.problems == ()
    assert loaded.settings.model_dump() == Settings().model_dump()
    assert parse(env_example(), path=file, known=NAMES).faults == ()


def test_the_simulators_defaults_are_its_own() -> None:
    """Said in two rooms that may not know each other; they must say the same."""
    theirs = {field.name: field.default for field in dataclasses.fields(SimOptions)}
    ours = Settings()

    for name in ("seed", "spread_bps", "depth_quote", "maker_fee", "taker_fee", "candles"):
        assert getattr(ours, f"sim_{name}") == theirs[name]
    assert isinstance(ours.sim_taker_fee, Decimal)

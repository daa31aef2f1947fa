"""A trail worth forging."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from trail_home import TrailHome


@pytest.fixture
def home(tmp_path: Path) -> Iterator[TrailHome]:
    """A home with a furnished trail."""
    home = TrailHome(tmp_path / "a home")
    home.furnish()
    yield home
    home.close()

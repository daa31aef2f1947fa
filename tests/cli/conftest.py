"""Homes for tests of commands that look around."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_home import BotHome


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home of a simulated bot, still without a past; its path has a space in it."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()

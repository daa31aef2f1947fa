"""Homes as the tests of other rooms make them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("cli", "daemon", "sim")]

from bot_home import BotHome  # noqa: E402 - found only after the line above


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home with a past: a loss, a position, a trail with a closed segment and checkpoints."""
    home = BotHome(tmp_path / "a bot")
    home.lose()
    home.ask("audit", "rotate")
    home.buy("ETHUSDT", price="2000")
    home.ask("audit", "checkpoint")
    yield home
    home.close()


@pytest.fixture
def backup(bot: BotHome) -> Path:
    """The file of a backup of it."""
    answer = bot.ask("backup", "--json")
    assert answer.code == 0, answer
    return Path(answer.data["path"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with hardly any room."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("a file system of its own can be mounted by root only")
    yield place
    subprocess.run(["umount", str(place)], check=True)

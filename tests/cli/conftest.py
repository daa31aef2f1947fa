"""Homes for tests of commands that look around."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bot_home import NOON, BotHome, signal

from thunes_cli.model import Rejection


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home of a simulated bot, still without a past; its path has a space in it."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()


@pytest.fixture
def trading(bot: BotHome) -> BotHome:
    """A home with decisions of two days."""
    bot.at(NOON - timedelta(days=2))
    bot.refuse(signal(), Rejection.KILL_SWITCH)
    bot.at(NOON)
    bot.refuse(signal("ETHUSDT"), Rejection.COOL_DOWN)
    bot.approve(signal("SOLUSDT"))
    bot.approve(signal("BNBUSDT"))
    bot.approve(signal("ADAUSDT"))
    return bot

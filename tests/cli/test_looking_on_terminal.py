"""The commands that look around on a real terminal of 80 columns, at three in the morning."""

from __future__ import annotations

import re
import sys
from datetime import timedelta

import pytest
from bot_home import DEAD, NOON, BotHome
from frame import Terminal

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def lines_on_terminal(bot: BotHome, *arguments: str, columns: int = 80) -> list[str]:
    """What a person sees, without colours."""
    terminal = Terminal(
        [sys.executable, "-m", "thunes_cli", *arguments],
        THUNES_HOME=str(bot.path),
        COLUMNS=str(columns),
        TERM="xterm",
    )
    terminal.wait()
    return [line.rstrip() for line in _STYLE.sub("", terminal.text).splitlines()]


@pytest.fixture
def busy(bot: BotHome) -> BotHome:
    """A bitcoin home as it looks after some days, with figures of full length and several things wrong."""
    for number in range(3):
        bot.at(NOON - timedelta(days=3 - number))
        bot.lose(bought="61407.69", sold=str(58000 + number * 3000 + 0.62))
    bot.at(NOON - timedelta(hours=5))
    position = bot.buy(price="60808.62")
    bot.at(NOON)
    bot.price("BTCUSDT", "60902.74", age=timedelta(seconds=8))
    bot.want_exit(position, problem="Account has insufficient balance for requested action. (-2010)")
    bot.doubt(bot.send(bot.intend(symbol="ETHUSDT")), why="no answer within 10 s; the connection was reset by peer")
    bot.daemon_runs(DEAD, silent_for=timedelta(minutes=47))
    return bot


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("positions", "list"),
        ("positions", "list", "--all"),
        ("orders", "list", "--since", "all"),
        ("pnl", "--since", "7d", "--losses"),
        ("explain", "position:4"),
    ],
    ids=" ".join,
)
def test_it_fits(busy: BotHome, command: tuple[str, ...]) -> None:
    """No line is longer than the terminal but the one that names the home; no cell of a table is folded."""
    lines = lines_on_terminal(busy, *command)

    long = [line for line in lines[1:] if len(line) > 80 and str(busy.path) not in line]
    assert not long
    for line in lines:
        assert not re.search(r"^\s+\d{1,3}$", line), f"a folded cell: {line!r} in {lines}"


@pytest.mark.parametrize("command", ["positions", "orders"])
def test_a_narrow_terminal_breaks_no_number(busy: BotHome, command: str) -> None:
    """On a phone a row becomes lines of column and value."""
    lines = lines_on_terminal(busy, command, "list", columns=40)

    assert "symbol    BTCUSDT" in lines or "what      BUY BTCUSDT" in lines
    assert any(re.fullmatch(r"(entry|price) +60808\.62", line) for line in lines)


def test_every_position_has_one_row(busy: BotHome) -> None:
    """Four positions, four rows."""
    lines = lines_on_terminal(busy, "positions", "list", "--all")

    assert len([line for line in lines if "BTCUSDT  " in line]) == 4


def test_a_folded_reason_keeps_its_number(busy: BotHome) -> None:
    """Reasons are numbered; what does not fit is set under its beginning, the next command on its own line."""
    lines = lines_on_terminal(busy, "status")

    assert lines[1] == "2 things need you:"
    assert lines[2].startswith("  1. the daemon (pid ")
    assert lines[3].startswith("     ")
    assert any(line.lstrip().startswith("-> thunes explain thabcdefabc-") for line in lines)

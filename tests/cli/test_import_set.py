"""What scripts wait for: on their path nothing heavier than typer and sqlite3 is imported."""

from __future__ import annotations

import pytest
from bot_home import BotHome, signal
from test_frame_lazy import modules_after

from thunes_cli.model import Rejection

HEAVY = {
    "aiohttp",
    "apscheduler",
    "asyncio",
    "binance",
    "cryptography",
    "hashlib",
    "http",
    "httpx",
    "logging",
    "numpy",
    "pybreaker",
    "pydantic",
    "pydantic_settings",
    "requests",
    "rich",
    "sqlite_utils",
    "ssl",
    "websockets",
}

ANSWERED_AT_ONCE = [("--help",), ("--version",), ("no-such-command",), ("status", "--help")]
LOOKING = [
    ("status", "--json"),
    ("status",),
    ("positions", "list", "--json"),
    ("positions", "list"),
    ("orders", "list", "--json"),
    ("pnl", "--json"),
    ("killswitch", "status", "--json"),
    ("killswitch", "status"),
    ("killswitch", "history", "--json"),
    ("breaker", "status", "--json"),
    ("breaker", "status"),
    ("breaker", "history", "--json"),
    ("explain", "1", "--json"),
]


@pytest.mark.parametrize("arguments", ANSWERED_AT_ONCE + LOOKING, ids=" ".join)
def test_nothing_heavy_without_a_home(arguments: tuple[str, ...]) -> None:
    """Help, usage errors and a missing home are answered without a heavy library."""
    _, modules = modules_after(*arguments)

    assert not modules & HEAVY


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_nothing_heavy_with_a_past(bot: BotHome, arguments: tuple[str, ...]) -> None:
    """So is what a ledger holds: positions, orders, a doubt, a refusal, and all that is wrong."""
    bot.lose()
    position = bot.buy("ETHUSDT", price="2000", signal_id=str(signal().id))
    bot.want_exit(position, problem="NOTIONAL")
    bot.refuse(signal(), Rejection.COOL_DOWN, minutes_left="12")
    bot.doubt(bot.send(bot.intend()))
    bot.daemon_runs()

    code, modules = modules_after(*arguments, home=str(bot.path))

    assert code in {0, 3}
    assert not modules & HEAVY


def test_stopping_entries_is_quick(bot: BotHome) -> None:
    """Its record is hashed; nothing else that is heavy stands between the operator and the kill switch."""
    code, modules = modules_after("killswitch", "activate", "--reason", "flash crash", home=str(bot.path))

    assert code == 0
    assert modules & HEAVY <= {"hashlib"}

"""The commands that scripts call all day: status, lists, help."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from benchmarks.measure import Case

ROOT = Path(__file__).parents[1]
THUNES = str(Path(sys.executable).with_name("thunes"))
PAST_TRADES = 150
_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def make_past(home: Path) -> None:
    """A home with a past of a few hundred orders and two open positions, made as the tests make theirs."""
    sys.path.insert(0, str(ROOT / "tests" / "cli"))
    from bot_home import NOON, BotHome  # noqa: PLC0415 - found only after the line above

    bot = BotHome(home)
    for number in range(PAST_TRADES):
        bot.at(NOON - timedelta(hours=PAST_TRADES - number))
        bot.lose(_SYMBOLS[number % 3], bought="100", sold=str(97 + number % 7))
    for symbol in _SYMBOLS[:2]:
        bot.buy(symbol, price="100")
        bot.price(symbol, "101")
    bot.daemon_runs()
    bot.close()


def cases(home: Path) -> list[Case]:
    """Everything measured, the bare interpreter first."""
    here = ("--home", str(home))
    looking = {
        "thunes --help": ("--help",),
        "thunes status": (*here, "status"),
        "thunes status --json": (*here, "status", "--json"),
        "thunes positions list --json": (*here, "positions", "list", "--json"),
        "thunes orders list --since all --json": (*here, "orders", "list", "--since", "all", "--json"),
        "thunes pnl --json": (*here, "pnl", "--json"),
        "thunes pnl --since all --json": (*here, "pnl", "--since", "all", "--json"),
        "thunes killswitch status": (*here, "killswitch", "status"),
        "thunes killswitch status --json": (*here, "killswitch", "status", "--json"),
        "thunes breaker status": (*here, "breaker", "status"),
        "thunes breaker status --json": (*here, "breaker", "status", "--json"),
        "thunes explain position:7 --json": (*here, "explain", "position:7", "--json"),
        "thunes alerts list": (*here, "alerts", "list"),
        "thunes audit tail": (*here, "audit", "tail"),
        "thunes audit validate": (*here, "audit", "validate"),
        "thunes check daily": (*here, "check", "daily"),
        "thunes check monthly": (*here, "check", "monthly"),
        "thunes keys status": (*here, "keys", "status"),
        "thunes config show": (*here, "config", "show"),
        "thunes backup list": (*here, "backup", "list"),
    }
    bare = Case("python -c pass", (sys.executable, "-c", "pass"))
    return [bare, *(Case(name, (THUNES, *words), frozenset({0, 3})) for name, words in looking.items())]

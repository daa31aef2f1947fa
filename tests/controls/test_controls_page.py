"""docs/controls.md shows what the commands really print: each of its blocks is run.

``THUNES_UPDATE_DOCS=1 python -m pytest tests/controls/test_controls_page.py`` writes the outputs anew.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bot_home import NOON, BotHome, thunes
from daemon_processes import Exchange, make_home

from thunes_cli.exchange.breaker import Breaker
from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.ledger import bans
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.process import ProcessIdentity, boot_id
from thunes_cli.risk import kill_switch

PAGE = Path(__file__).parents[2] / "docs" / "controls.md"
BLOCK = re.compile(
    r"(?:<!-- scene: (?P<scene>[^;>]+?)(?P<vary>; numbers vary)? -->\n)?```console\n(?P<body>.*?)```", re.DOTALL
)
SHOWN_HOME = "/var/lib/thunes"
OPERATOR = {"SUDO_USER": "alice"}


def bad_day(path: Path, _: Exchange) -> None:
    """Four losses that together reach the limit."""
    bot = BotHome(path, market=NOON - timedelta(hours=4))
    bot.daemon_runs()
    for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT", "BTCUSDT"):
        bot.lose(symbol, amount="100")
        bot.at(bot.market + timedelta(hours=1))
        with bot.journal.change() as change:
            kill_switch.trip_if_due(change, max_daily_loss=Decimal(20))
    bot.close()


def stormy(path: Path, _: Exchange) -> None:
    """Five failures within a minute, the last one told."""
    bot = BotHome(path)
    bot.daemon_runs()
    breaker = Breaker(bot.journal, limits=BreakerLimits(), identify=_daemon)
    for _ in range(5):
        breaker.failed(breaker.admit(), ExchangeDown("HTTP 503, the body is not the exchange's"))
    bot.close()


def _daemon() -> ProcessIdentity:
    return ProcessIdentity(4711, boot_id(), 1)


def banned(path: Path, _: Exchange) -> None:
    """Two minutes of silence, just ordered."""
    bot = BotHome(path)
    bot.daemon_runs()
    wall = datetime.now(UTC)
    with bot.journal.change() as change:
        ban = bans.Ban(wall + timedelta(seconds=120), time.monotonic() + 120, boot_id(), 418, 1, wall)
        bans.save_ban(change.connection, ban)
        weight = bans.RateUsage(wall - timedelta(minutes=5), used_weight_1m=5990, limit_1m=6000)
        bans.save_usage(change.connection, weight)
    bot.close()


def healthy_exchange(path: Path, market: Exchange) -> None:
    """A home on a served simulator."""
    make_home(path, market.address)


SCENES: dict[str, Callable[[Path, Exchange], None]] = {
    "a bad day": bad_day,
    "a storm": stormy,
    "a ban": banned,
    "a healthy exchange": healthy_exchange,
}


def output_of(line: str, home: Path) -> str:
    """What a terminal would show for a command line of the page."""
    command, _, echo = line.partition("; ")
    words = shlex.split(command)
    assert words[0] == "thunes"
    answer = thunes(*words[1:], environ=OPERATOR | {"THUNES_HOME": str(home)})
    shown = (answer.out + answer.err).replace(str(home), SHOWN_HOME)
    return f"{shown}{answer.code}\n" if echo == "echo $?" else shown


def rendered(page: str, homes: Path, market: Exchange) -> str:
    """The page with every output made anew; a scene goes on from block to block."""
    made: dict[str, Path] = {}
    scene = ""

    def render(match: re.Match[str]) -> str:
        nonlocal scene
        scene = match["scene"] or scene
        if scene not in made:
            made[scene] = homes / scene.replace(" ", "-")
            SCENES[scene](made[scene], market)
        commands = [line for line in match["body"].splitlines() if line.startswith("$ ")]
        outputs = "".join(f"{line}\n{output_of(line[2:], made[scene])}" for line in commands)
        if match["vary"]:
            outputs = re.sub(r" {3,}", "  ", outputs)  # columns as wide as a temporary path are no use to a reader
        return match[0].replace(match["body"], outputs)

    return BLOCK.sub(render, page)


def settled(page: str) -> str:
    """Without what no two runs have in common: seconds that pass, and all numbers of blocks that say so."""

    def even(match: re.Match[str]) -> str:
        text = re.sub(r"[0-9a-f]{12}", "#", match[0])
        return re.sub(r" +", " ", re.sub(r"\d+([.,]\d+)*", "#", text)) if match["vary"] else match[0]

    return re.sub(
        r"another (\d+ min )?\d+ s", "another while", BLOCK.sub(even, page).replace("another 2 min", "another while")
    )


def test_the_page_shows_what_the_commands_print(tmp_path: Path, market: Exchange) -> None:
    """Every command of the runbook's two chapters, as one line, with its real output."""
    page = PAGE.read_text(encoding="utf-8")

    fresh = rendered(page, tmp_path, market)

    if os.environ.get("THUNES_UPDATE_DOCS"):
        PAGE.write_text(fresh, encoding="utf-8")
    assert settled(fresh) == settled(page)


def test_every_command_of_the_two_groups_is_shown() -> None:
    """No command of ours is missing from its page."""
    page = PAGE.read_text(encoding="utf-8")

    for command in ("killswitch status", "killswitch activate", "killswitch deactivate", "killswitch history"):
        assert f"$ thunes {command}" in page
    for command in ("breaker status", "breaker reset", "breaker history"):
        assert f"$ thunes {command}" in page

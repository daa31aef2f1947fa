"""Every way in which Telegram can be bad: nothing is lost, at most the cut one doubled, the token is nowhere."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from alert_room import queue, rows
from bot_home import BotHome
from daemon_processes import Exchange, make_home, serve, wait_for
from fake_telegram import CHAT, TOKEN, FakeTelegram
from manual_time import ManualTime

from thunes_cli.alerts.outbox import Courier
from thunes_cli.alerts.telegram import Telegram
from thunes_cli.audit.journal import Journal
from thunes_cli.config.secrets import Secret
from thunes_cli.ledger.alerts import Severity

BAD = [
    *("slow", "hang", "cut", "cut_before", "drip", "flood 7", "flood_untold", "token", "chat", "blocked", "refuse"),
    *("nonsense", "garbage", "list", "html", "broken", "empty", "not_ok"),
]
UNANSWERED = {"hang", "drip"}
TEXTS = [f"alert number {number}" for number in range(4)]
SECRET = TOKEN.partition(":")[2]
PULSE = "CANARY-pulse-address_klmnopqrst"


@pytest.mark.parametrize("often", [1, 2])
@pytest.mark.parametrize("behaviour", BAD)
def test_nothing_is_lost_and_only_what_was_cut_comes_twice(
    journal: Journal, time: ManualTime, telegram: FakeTelegram, behaviour: str, often: int
) -> None:
    """Four alerts, each in its time; the first one or two meet a bad Telegram. All arrive, in their order."""
    telegram.script.extend([behaviour] * often)
    timeout_s = 0.2 if behaviour in UNANSWERED else 30  # who answers at all may be as slow as the machine is
    courier = Courier(journal, Telegram(Secret(TOKEN), CHAT, api_url=telegram.url, timeout_s=timeout_s))
    for text in TEXTS:
        queue(journal, text, kind=text.replace(" ", "_"), severity=Severity.CRITICAL)
        courier.deliver()
    for _ in range(10):
        time.pass_by(timedelta(minutes=10))
        courier.deliver(most=5)

    arrived = Counter({text: sum(text in message for message in telegram.texts) for text in TEXTS})
    assert all(arrived[text] >= 1 for text in TEXTS)
    assert arrived.total() - len(TEXTS) <= (often if behaviour == "cut" else 0)
    first_seen = [next(n for n, message in enumerate(telegram.texts) if text in message) for text in TEXTS]
    assert first_seen == sorted(first_seen)
    assert rows(journal, "SELECT 1 FROM alert_channels") == []
    assert rows(journal, "SELECT 1 FROM alert_messages WHERE state <> 'sent'") == []


def test_a_telegram_that_is_not_there_for_an_hour(journal: Journal, time: ManualTime, telegram: FakeTelegram) -> None:
    """Nobody listens; what came meanwhile arrives when somebody does, and with it for how long it was dumb."""
    dead = Courier(journal, Telegram(Secret(TOKEN), CHAT, api_url="http://127.0.0.1:9", timeout_s=1))
    for minute in range(60):
        queue(journal, f"alert of minute {minute}", severity=Severity.CRITICAL)
        dead.deliver()
        time.pass_by(timedelta(minutes=1))
    courier = Courier(journal, Telegram(Secret(TOKEN), CHAT, api_url=telegram.url, timeout_s=5))
    for _ in range(3):
        courier.deliver(most=5)
        time.pass_by(timedelta(minutes=1))

    everything = "\n".join(telegram.texts)
    assert "alert of minute 0" in everything
    assert "alert of minute 59" in everything
    assert "56 more of test" in everything
    assert "telegram takes alerts again; what waited follows. It lasted" in everything


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home without a daemon."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()


def test_kill_9_between_delivery_and_acknowledgement(bot: BotHome, telegram: FakeTelegram) -> None:
    """Telegram has the message, its sender dies before it hears so: it comes once more, and not a third time."""
    telegram.script.append("swallow")
    assert bot.ask("killswitch", "activate", "--reason", "x").code == 0
    process = sending(bot, telegram)
    wait_for(lambda: telegram.texts, "message")
    process.kill()
    process.wait()
    for _ in range(2):
        assert bot.ask("alerts", "retry", environ=telegram.settings()).code == 0

    assert len(telegram.texts) == 2
    assert telegram.texts[0] == telegram.texts[1]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A market that runs sixty times as fast."""
    served = serve(tmp_path_factory.mktemp("sim"), "--speed", "60")
    yield served
    served.stop()


@pytest.mark.parametrize("log_format", ["text", pytest.param("json", marks=pytest.mark.long)])
def test_the_token_is_nowhere(exchange: Exchange, tmp_path: Path, telegram: FakeTelegram, log_format: str) -> None:
    """A daemon at debug level, every failure, every answer, tracebacks: neither token nor heartbeat address shows."""
    settings = telegram.settings(HEARTBEAT_URL=f"{telegram.url}/{PULSE}")
    home = make_home(tmp_path / "home", exchange.address, **settings, LOG_LEVEL="DEBUG", LOG_FORMAT=log_format)
    telegram.script.extend(["cut_before", "garbage", "html"])
    telegram.beat_status = 500
    seen: dict[str, str] = {}
    for words in (("telegram", "test"), ("telegram", "test", "--json"), ("killswitch", "activate", "--reason", "x")):
        done = home.thunes(*words)
        seen[" ".join(words)] = done.stdout + done.stderr
    daemon = home.start("run")
    wait_for(lambda: len(telegram.calls) >= 5 and home.checks() and telegram.beats, "messages, beats and checks")
    wait_for(lambda: home.rows("SELECT 1 FROM alerts WHERE key = 'heartbeat'"), "heartbeat that failed")
    for words in (("alerts", "list"), ("alerts", "list", "--json"), ("status", "--json"), ("config", "show", "--json")):
        done = home.thunes(*words)
        seen[" ".join(words)] = done.stdout + done.stderr
    assert home.end(daemon) == 0
    seen["run"] = home.stderr + daemon.stdout.read()
    crashed = subprocess.run(
        [sys.executable, "-c", _BUG, *home.command("telegram", "test", "--json")[3:]],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "THUNES_DEBUG": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    seen["crash"] = crashed.stdout + crashed.stderr
    home.close()
    for path in home.path.rglob("*"):
        if path.is_file() and path.name != ".env":
            seen[str(path.relative_to(home.path))] = path.read_bytes().decode("utf-8", "replace")

    assert "Traceback" in seen["crash"]
    assert {"thunes.log", "thunes.db", "audit_trail.jsonl"} <= set(seen)
    assert [name for name, text in seen.items() if SECRET in text or PULSE in text] == []
    assert json.loads(crashed.stdout)["problems"][0]["code"] == "bug"


_BUG = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from thunes_cli.alerts.telegram import Telegram
from thunes_cli.cli.app import run

def leak(self, method, payload):
    raise RuntimeError(f"a bug at {self._api_url}/bot{self._token.reveal()}/{method}")

Telegram._call = leak
sys.exit(run(sys.argv[1:]))
"""


def test_five_processes_at_once_send_each_alert_once(bot: BotHome, telegram: FakeTelegram) -> None:
    """Whoever comes second leaves it to the first, however slow the chat is."""
    kinds = ("ban", "breaker")
    for kind in kinds:
        queue(bot.journal, f"alert of {kind}", kind=kind, severity=Severity.CRITICAL)
        bot.ask("alerts", "mute", kind, "--for", "1h", "--reason", "test")  # so that each is a message of its own
    telegram.usual = "slow"
    for kind in kinds:
        bot.ask("alerts", "unmute", kind, "--reason", "test", environ=telegram.settings())
        started = [sending(bot, telegram) for _ in range(5)]
        assert {process.wait(60) for process in started} == {0}

    everything = "\n".join(telegram.texts)
    assert [everything.count(f"alert of {kind}") for kind in kinds] == [1] * len(kinds)


@pytest.mark.long
def test_senders_that_are_killed_at_any_instant_lose_nothing(bot: BotHome, telegram: FakeTelegram) -> None:
    """Forty of them, at forty instants: every alert arrives, and there are no more copies than there were kills."""
    dice = Random(8)
    telegram.usual = "slow"
    for number in range(40):
        queue(bot.journal, f"alert {number} of forty", kind=f"kind_{number}", severity=Severity.CRITICAL)
        process = sending(bot, telegram)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2 + dice.random() * 0.6)
        process.kill()
        process.wait()
    telegram.usual = "ok"
    assert sending(bot, telegram).wait(60) == 0

    everything = "\n".join(telegram.texts)
    assert all(f"alert {number} of forty" in everything for number in range(40))
    assert len(telegram.texts) - len(set(telegram.texts)) <= 40


def sending(bot: BotHome, telegram: FakeTelegram) -> subprocess.Popen[bytes]:
    """``alerts retry`` as a process."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(bot.path.parent), **telegram.settings()}
    command = [sys.executable, "-m", "thunes_cli", "--home", str(bot.path), "alerts", "retry"]
    return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

"""Secrets get nowhere: not into logs at debug level, tracebacks, trail, ledger, answers or process arguments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bot_home import thunes
from canaries import Canaries
from daemon_processes import Exchange, Home, wait_for
from misbehaving_proxy import MisbehavingProxy, healthy, storm, unauthorized

TOKEN = "7654321098:CANARY-telegram-token_abcdefghij"
PULSE = "canary-pulse-0123456789"
# Fails where a bug of ours would, with everything secret in the text, the cause and the local variables.
LEAKING = """
import sys
from thunes_cli.cli.app import run
from thunes_cli.trading.engine import Engine
import thunes_cli.cli.balance as balance

key, secret, token, pulse = SECRETS

def leak(*_args, **_options):
    headers = {"X-MBX-APIKEY": key}
    url = f"https://user:{secret}@host/api/v3/order?apiKey={key}&secret={secret}&signature=" + "ab" * 32
    try:
        raise ConnectionError(f"{url} {headers} bot{token} {pulse}")
    except ConnectionError as error:
        raise RuntimeError(f"failed for {key} {secret} bot{token} {pulse}") from error

Engine.stop_check = leak
balance.read_book = leak
sys.exit(run(sys.argv[1:]))
"""
ANSWERS = [
    ("status",),
    ("positions", "list", "--all"),
    ("orders", "list", "--since", "all"),
    ("pnl",),
    ("explain", "1"),
    ("balance",),
    ("config", "show"),
    ("config", "check"),
    ("config", "check", "--online"),
    ("killswitch", "status"),
    ("killswitch", "history"),
    ("breaker", "status"),
    ("breaker", "history"),
    ("keys", "check"),
    ("keys", "status"),
]


@pytest.fixture
def secrets(market: Exchange) -> dict[str, str]:
    return {
        "key": market.address["api_key"],
        "secret": market.address["api_secret"],
        "token": TOKEN,
        "pulse": PULSE,
    }


@pytest.fixture
def home(home_behind: Callable[..., Home]) -> Iterator[Home]:
    """A home with every secret there is, logging all it can."""
    home = home_behind(
        LOG_LEVEL="DEBUG",
        TELEGRAM_BOT_TOKEN=TOKEN,
        TELEGRAM_CHAT_ID="42",
        HEARTBEAT_URL=f"http://127.0.0.1:9/{PULSE}",
        SMA_FAST="2",
        SMA_SLOW="3",
        BREAKER_RESET_SECONDS="1",
    )
    yield home
    home.close()


def leaking(home: Home, secrets: dict[str, str], *words: str, **environ: str) -> subprocess.Popen[bytes]:
    """The command with a bug in it. Its own program text, secrets included, comes through stdin, not as an argument."""
    program = LEAKING.replace("SECRETS", repr(tuple(secrets.values())), 1)
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; exec(sys.stdin.read())", *home.command(*words)[3:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ},
        cwd=Path(__file__).parents[2],
    )
    process.stdin.write(program.encode())
    process.stdin.close()
    process.stdin = None
    return process


@pytest.mark.parametrize("log_format", ["text", pytest.param("json", marks=pytest.mark.long)])
def test_a_full_run_shows_no_secret(
    home: Home, proxy: MisbehavingProxy, secrets: dict[str, str], log_format: str
) -> None:
    """Trading, an outage, a rejected key, bugs with tracebacks, every answer: no canary anywhere."""
    canaries = Canaries(secrets)
    daemon = leaking(home, secrets, "run", LOG_FORMAT=log_format)
    wait_for(home.checks, "signal check")
    wait_for(lambda: home.rows("SELECT 1 FROM alerts WHERE key = 'stop_check'"), "job that failed")
    canaries.look_at_processes()
    for behaviour in (storm, healthy, unauthorized):
        proxy.behaviour = behaviour
        before = len(proxy.api_calls())
        wait_for(lambda count=before: len(proxy.api_calls()) > count + 3, "calls")
    for words in (*ANSWERS, *((*words, "--json") for words in ANSWERS)):
        answer = thunes("--home", str(home.path), *words)
        canaries.look(" ".join(words), answer.out + answer.err)
    crashed = leaking(home, secrets, "balance", "--json", THUNES_DEBUG="1")
    out, err = crashed.communicate(timeout=30)
    assert crashed.returncode == 1
    assert json.loads(out)["problems"][0]["code"] == "bug"
    assert b"Traceback" in err
    canaries.look("crash", out + err)
    daemon.send_signal(signal.SIGTERM)
    out, err = daemon.communicate(timeout=30)
    canaries.look("daemon", out + err)
    scanned = thunes("--home", str(home.path), "keys", "scan", str(home.path), "--json")
    canaries.look("keys scan", scanned.out + scanned.err)
    assert scanned.code == 0, scanned.out  # it looks for the same
    rejected = home.thunes("run", "--once", "--json")
    assert rejected.returncode == 12, rejected.stderr
    canaries.look("run --once", rejected.stdout + rejected.stderr)
    canaries.look_at_files(home.path)

    assert b"Traceback" in err
    assert "Traceback" in home.log
    assert canaries.found() == [], "\n".join(canaries.found())
    places = {where for where, _ in canaries.seen}
    assert {"thunes.log", "audit_trail.jsonl", "thunes.db", "ps"} <= places


@pytest.mark.long
def test_the_embedded_exchange_is_told_no_secret_on_its_command_line(tmp_path: Path) -> None:
    """Its keys are in its own private files; neither the daemon's nor its own arguments, logs and trail hold them."""
    home = Home(tmp_path / "embedded")
    assert home.thunes("init").returncode == 0
    process = home.start_daemon("--speed", "60", LOG_LEVEL="DEBUG")
    address = next(path for path in (home.path / "sim").iterdir() if path.name == "address")
    told = json.loads(address.read_text().splitlines()[0])
    canaries = Canaries({"key": told["api_key"], "secret": told["api_secret"]})

    canaries.look_at_processes()
    home.end(process)
    canaries.look("stderr", home.stderr)
    canaries.look_at_files(home.path)

    assert canaries.found() == [], "\n".join(canaries.found())
    home.close()

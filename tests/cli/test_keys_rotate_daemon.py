"""``thunes keys rotate`` beside a running daemon: it takes the new key, refuses it, or does not say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from exchange_home import ExchangeHome, wait_for
from rotating_home import (
    CONFIRMED,
    OLD_DELETED,
    WORD,
    await_trading,
    env_file,
    key_file,
    new_key,
    rotate,
    rotating_home,
    sim_key,
    states,
    told,
)

sys.path.append(str(Path(__file__).parents[1] / "controls"))

from misbehaving_proxy import MisbehavingProxy, healthy, only, storm

from thunes_cli.cli import keys_rotate
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.failures import AuthFailed
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.known import KEY, read_known


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with rotating_home(tmp_path) as home:
        yield home


@contextmanager
def trading(home: ExchangeHome, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that trades, with an environment of its own."""
    before = dict(home.environ)
    home.environ |= environ
    daemon = home.start("run", "--speed", "1")
    home.environ = before
    try:
        await_trading(home, daemon)
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


def signs_with(home: ExchangeHome) -> object:
    """The fingerprint that whoever traded last says to sign with."""
    ledger = Ledger(home.path / "thunes.db")
    with closing(ledger), ledger.read() as connection:
        known = read_known(connection, KEY)
    return None if known is None else known[0]["fingerprint"]


def daemon_problem(home: ExchangeHome) -> object:
    """Why the daemon does not take the newest key."""
    rotations = home.ask("keys", "history", "--json").data["rotations"]
    return rotations and rotations[-1]["daemon_problem"]


def end(home: ExchangeHome, daemon: subprocess.Popen[bytes]) -> None:
    """In order: nothing of it is stuck."""
    assert home.ask("stop", "--json").code == 0
    assert daemon.wait(30) == 0


def test_it_takes_the_key(home: ExchangeHome) -> None:
    """Between two steps; it says so, and goes on when the old one is dead."""
    with trading(home) as daemon:
        answer = rotate(home, *new_key(home))
        assert (answer.code, answer.data["daemon"]) == (0, "took it"), answer
        sim_key(home, "revoke", key=home.served.key[:8])
        assert home.ask(*OLD_DELETED, *WORD).code == 0

        asked = home.ask("reconcile", "--json")
        assert asked.code == 0, asked
        assert "KEY_IN_USE" in told(home)
        end(home, daemon)


@pytest.mark.parametrize(
    ("hidden", "code", "why"),
    [
        (("BINANCE_API_KEY", "BINANCE_API_SECRET"), 78, "it still finds the one before it, from environment"),
        (("BINANCE_API_SECRET",), 12, "the secret does not belong to the key"),
    ],
    ids=["another-source", "half-of-it"],
)
def test_a_daemon_that_refuses_the_key_gets_the_old_one_back(
    home: ExchangeHome, hidden: tuple[str, ...], code: int, why: str
) -> None:
    """What it was started with hides the new key from it alone: all is as before, and it goes on trading."""
    before = env_file(home).read_bytes()
    values = {"BINANCE_API_KEY": home.served.key, "BINANCE_API_SECRET": home.served.secret}

    with trading(home, **{name: values[name] for name in hidden}) as daemon:
        answer = rotate(home, *new_key(home))

        assert (answer.code, answer.codes) == (code, ["daemon_refuses_key"]), answer
        said = answer.document["problems"][0]["message"]
        assert why in said
        assert said.endswith("stays in use")
        assert env_file(home).read_bytes() == before
        assert states(home) == ["rolled_back"]
        assert told(home)[-2:] == ["KEY_ROTATED", "KEY_ROTATION_ROLLED_BACK"]
        assert home.ask("keys", "status", "--json").data["fingerprint"] == Secret(home.served.key).fingerprint()
        assert home.ask("reconcile", "--json").code == 0
        assert home.ask("status", "--json").data["daemon"]["mode"] == "trading"
        end(home, daemon)


def test_a_dead_key_is_not_put_back(home: ExchangeHome) -> None:
    """The daemon refuses the new one, but the old one was deleted first: the new one stays written (15)."""
    values = {"BINANCE_API_KEY": home.served.key, "BINANCE_API_SECRET": home.served.secret}

    with trading(home, **values):
        key, secret = new_key(home)
        sim_key(home, "revoke", key=home.served.key[:8])
        answer = rotate(home, key, secret)

    assert (answer.code, answer.codes) == (15, ["daemon_keeps_key"]), answer
    assert "refuses the new one" in answer.document["problems"][0]["message"]
    assert f"BINANCE_API_KEY={key}" in env_file(home).read_text(encoding="utf-8")
    assert states(home) == ["done"]
    home.meet()  # a restart takes it


def test_a_daemon_whose_key_died_takes_the_new_one_at_once(home: ExchangeHome) -> None:
    """As after a theft: the old key is deleted first, and the daemon has looked for another in vain a moment ago."""
    with home.desk() as desk:
        sim_key(home, "revoke", key=home.served.key[:8])
        with pytest.raises(AuthFailed):
            desk.room.exchange.account()
        assert desk.room.key.look() is None
        answer = rotate(home, *new_key(home))
        assert answer.code == 0, answer

        line = desk.room.key.look()

        assert line is not None
        assert answer.data["new_fingerprint"] in line
        assert desk.room.exchange.account().can_trade


def test_ctrl_c_ends_the_waiting_alone(home: ExchangeHome) -> None:
    """The key is written by then: 15, and which key is where."""
    proxy = MisbehavingProxy(home.served.url)
    try:
        with trading(home, BINANCE_REST_URL=proxy.url):
            proxy.behaviour = only(("/api/v3/account",), storm)
            key, secret = new_key(home)
            path = key_file(home, key, secret)
            rotation = subprocess.Popen(
                [
                    *(sys.executable, "-m", "thunes_cli", "--home", str(home.path)),
                    *("keys", "rotate", "--from-file", str(path), *CONFIRMED),
                ],
                env={"PATH": os.environ["PATH"], "HOME": str(home.path.parent), **home.environ},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            wait_for(lambda: daemon_problem(home), "daemon that cannot use it")
            rotation.send_signal(signal.SIGINT)
            out, err = rotation.communicate(timeout=30)

            assert rotation.returncode == 15, out + err
            assert f"the new key {Secret(key).fingerprint()} is written and good" in out + err
            assert states(home) == ["done"]
    finally:
        proxy.close()


@pytest.mark.parametrize("restarted", [True, pytest.param(False, marks=pytest.mark.long)], ids=["restart", "wait"])
def test_a_daemon_that_cannot_ask_is_not_taken_for_one_that_refuses(
    home: ExchangeHome, monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    """15: which key is where, and who goes on with which; it takes the new one with a restart, or once it can."""
    monkeypatch.setattr(keys_rotate, "_WAIT_S", 2.0)
    proxy = MisbehavingProxy(home.served.url)
    old = Secret(home.served.key).fingerprint()
    try:
        with trading(home, BINANCE_REST_URL=proxy.url) as daemon:
            proxy.behaviour = only(("/api/v3/account",), storm)
            key, secret = new_key(home)
            answer = rotate(home, key, secret)

            assert (answer.code, answer.codes) == (15, ["daemon_keeps_key"]), answer
            said = answer.document["problems"][0]["message"]
            new = Secret(key).fingerprint()
            assert f"the new key {new} is written and good" in said
            assert f"the daemon (pid {daemon.pid}) goes on with {old}" in said
            assert states(home) == ["done"]
            proxy.behaviour = healthy
            if restarted:
                end(home, daemon)
                home.meet()
            wait_for(lambda: signs_with(home) == new, "one that takes it")
    finally:
        proxy.close()

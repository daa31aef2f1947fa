"""``thunes keys rotate`` and ``history``: the old key works or the new one does, whatever happens in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from exchange_home import ExchangeHome
from rotating_home import (
    CONFIRMED,
    OLD_DELETED,
    WORD,
    env_file,
    key_file,
    new_key,
    rotate,
    rotating_home,
    sim_key,
    states,
    told,
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with rotating_home(tmp_path) as home:
        yield home


def test_the_whole_of_it(home: ExchangeHome) -> None:
    """Written where the old one was, comments kept; on the trail and in the history; then the old one is forgotten."""
    old = home.served.key
    key, secret = new_key(home)

    answer = rotate(home, key, secret)

    assert (answer.code, answer.data["daemon"]) == (0, "not running"), answer
    text = env_file(home).read_text(encoding="utf-8")
    assert "# the key of the little bot" in text
    assert f"BINANCE_API_KEY={key}" in text
    assert secret in text
    assert env_file(home).stat().st_mode & 0o777 == 0o600
    assert home.ask("keys", "check", "--json").data["fingerprint"] == answer.data["new_fingerprint"]
    assert told(home)[-2:] == ["KEY_ROTATION_STARTED", "KEY_ROTATED"]

    alive = home.ask(*OLD_DELETED, *WORD, "--json")
    assert (alive.code, alive.codes) == (3, ["old_key_alive"])
    sim_key(home, "revoke", key=old[:8])
    dead = home.ask(*OLD_DELETED, *WORD, "--json")

    assert (dead.code, dead.data["old_dead"]) == (0, True)
    assert old not in env_file(home).read_text(encoding="utf-8")
    assert told(home)[-1] == "KEY_OLD_DEAD"
    assert states(home) == ["done"]
    for shown in (answer, alive, dead, home.ask("keys", "history"), home.ask("keys", "status")):
        assert not any(part in shown.out + shown.err for part in (key, secret, old, home.served.secret))


def _wrong_secret(home: ExchangeHome) -> tuple[str, str]:
    return new_key(home)[0], "nonsense"


def _unknown(_: ExchangeHome) -> tuple[str, str]:
    return "k" * 64, "s" * 64


def _may_withdraw(home: ExchangeHome) -> tuple[str, str]:
    return new_key(home, allow=["enableWithdrawals"])


def _may_not_trade(home: ExchangeHome) -> tuple[str, str]:
    return new_key(home, deny=["enableSpotAndMarginTrading"])


def _other_account(home: ExchangeHome) -> tuple[str, str]:
    home.execute("UPDATE identity SET uid = '424242'")
    return new_key(home)


@pytest.mark.parametrize(
    ("make", "code", "why"),
    [
        (_wrong_secret, 12, "auth"),
        (_unknown, 12, "auth"),
        (_may_withdraw, 12, "key_may_withdraw"),
        (_may_not_trade, 12, "key_unfit"),
        (_other_account, 78, "other_account"),
    ],
)
def test_a_key_that_is_no_good(
    home: ExchangeHome, make: Callable[[ExchangeHome], tuple[str, str]], code: int, why: str
) -> None:
    """It is found out before anything changes."""
    given, before = make(home), env_file(home).read_bytes()

    answer = rotate(home, *given)

    assert (answer.code, answer.codes) == (code, [why]), answer
    assert env_file(home).read_bytes() == before
    assert states(home) == []
    assert given[0] not in answer.out + answer.err


@pytest.mark.parametrize(
    ("lines", "code"), [((), 2), (("only-a-key",), 2), (("a key", "with blanks"), 2), (("kéy", "secret"), 2)]
)
def test_what_is_no_key_is_not_sent(home: ExchangeHome, lines: tuple[str, ...], code: int) -> None:
    """One line says so."""
    assert rotate(home, *lines).code == code


def test_the_key_in_use_is_no_new_one(home: ExchangeHome) -> None:
    """Nothing would change."""
    assert rotate(home, home.served.key, home.served.secret).code == 2


def test_a_file_that_others_can_read_is_refused(home: ExchangeHome) -> None:
    """It was no secret."""
    path = key_file(home, *new_key(home))
    path.chmod(0o644)

    answer = home.ask("keys", "rotate", "--from-file", str(path), *CONFIRMED)

    assert answer.code == 78
    assert "can be read by others" in answer.err


def test_without_a_phrase_nothing_happens(home: ExchangeHome) -> None:
    """7; and --dry-run says what would."""
    path = key_file(home, *new_key(home))

    assert home.ask("keys", "rotate", "--from-file", str(path), "--reason", "x").code == 7
    plan = home.ask("keys", "rotate", "--dry-run", "--reason", "x", "--json")
    assert (plan.code, len(plan.data["plan"])) == (0, 3)
    assert states(home) == []


def test_a_key_from_the_environment_is_changed_elsewhere(home: ExchangeHome) -> None:
    """78, with where."""
    key, secret = new_key(home)
    home.environ |= {"BINANCE_API_KEY": home.served.key, "BINANCE_API_SECRET": home.served.secret}

    answer = rotate(home, key, secret)

    assert (answer.code, answer.codes) == (78, ["source_fixed"])


def test_a_secret_that_hides_the_new_one(home: ExchangeHome) -> None:
    """The environment's secret comes before the file's: the pair read back is not the one written, so it is undone."""
    before = env_file(home).read_bytes()
    key, secret = new_key(home)
    home.environ["BINANCE_API_SECRET"] = home.served.secret

    answer = rotate(home, key, secret)

    assert answer.code == 13
    assert env_file(home).read_bytes() == before
    assert states(home) == ["rolled_back"]


def test_from_stdin_into_a_key_pair(home: ExchangeHome) -> None:
    """A generated private key signs, the API key comes by a pipe; the HMAC secret is gone."""
    public = home.ask("keys", "generate", "--json").data["public_key"]
    key = sim_key(home, "add", public_key=public)["api_key"]

    done = subprocess.run(
        [sys.executable, "-m", "thunes_cli", "--home", str(home.path), "keys", "rotate", "--generated", *CONFIRMED],
        env={"PATH": os.environ["PATH"], "HOME": str(home.path.parent), **home.environ},
        input=key,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert home.served.secret not in env_file(home).read_text(encoding="utf-8")
    assert home.ask("keys", "check", "--json").data["kind"] == "Ed25519"


def test_a_key_changed_by_hand_is_noticed_at_the_next_start(home: ExchangeHome) -> None:
    """Nobody rotated here: the history and the trail say that it happened outside."""
    key, secret = new_key(home)
    env_file(home).write_text(f"BINANCE_API_KEY={key}\nBINANCE_API_SECRET={secret}\n", encoding="utf-8")

    home.meet()

    assert states(home) == ["outside"]
    assert told(home)[-1] == "KEY_CHANGED_OUTSIDE"
    assert home.ask("keys", "check").code == 0

"""``thunes keys rotate`` and ``history``: the old key works or the new one does, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bot_home import Answer
from exchange_home import ExchangeHome, exchange_home, wait_for

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.env_sources import EnvFile
from thunes_cli.config.secrets import Secret
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ops.rotating import Place, Rotation

_CONFIRMED = ("--reason", "90 days", "--confirm", "rotate sim")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    """Its key lives in its own ``.env``, among what an operator wrote there."""
    with exchange_home(tmp_path) as home:
        key, secret = home.environ.pop("BINANCE_API_KEY"), home.environ.pop("BINANCE_API_SECRET")
        text = f"# the key of the little bot\nBINANCE_API_KEY={key}\nBINANCE_API_SECRET={secret}\nLOG_LEVEL=INFO\n"
        env_file(home).write_text(text, encoding="utf-8")
        env_file(home).chmod(0o600)
        yield home


def env_file(home: ExchangeHome) -> Path:
    return home.path / ".env"


def sim_key(home: ExchangeHome, what: str, **asked: Any) -> Any:
    reply = home.served.send("POST", f"/sim/key/{what}", body=json.dumps(asked))
    assert reply.status == 200, reply
    return reply.body


def new_key(home: ExchangeHome, **asked: Any) -> tuple[str, str]:
    made = sim_key(home, "add", **asked)
    return made["api_key"], made["api_secret"]


def key_file(home: ExchangeHome, *lines: str) -> Path:
    path = home.path.parent / "new key"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.chmod(0o600)
    return path


def rotate(home: ExchangeHome, *lines: str) -> Answer:
    return home.ask("keys", "rotate", "--from-file", str(key_file(home, *lines)), *_CONFIRMED, "--json")


def told(home: ExchangeHome) -> list[str]:
    """Events of the key on the trail."""
    records = [json.loads(line) for line in (home.path / "audit_trail.jsonl").read_text(encoding="utf-8").splitlines()]
    return [each["event"] for each in records if each["event"].startswith("KEY_")]


def states(home: ExchangeHome) -> list[str]:
    return [each["state"] for each in home.ask("keys", "history", "--json").data["rotations"]]


def test_the_whole_of_it(home: ExchangeHome) -> None:
    """Written where the old one was, comments kept; on the trail and in the history; the old one is proven dead."""
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

    alive = home.ask("keys", "rotate", "--confirm-old-deleted", "--json")
    assert (alive.code, alive.codes) == (3, ["old_key_alive"])
    sim_key(home, "revoke", key=old[:8])
    dead = home.ask("keys", "rotate", "--confirm-old-deleted", "--json")

    assert (dead.code, dead.data["old_dead"]) == (0, True)
    assert old not in env_file(home).read_text(encoding="utf-8")
    assert told(home)[-1] == "KEY_OLD_DEAD"
    assert states(home) == ["done"]
    assert home.ask("keys", "rotate", "--confirm-old-deleted").code == 10
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

    answer = home.ask("keys", "rotate", "--from-file", str(path), *_CONFIRMED)

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
        [sys.executable, "-m", "thunes_cli", "--home", str(home.path), "keys", "rotate", "--generated", *_CONFIRMED],
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


# -- what breaks in the middle -------------------------------------------------------------------------------------


class _Broken(EnvFile):
    """A disk that is full."""

    def rewrite(self, changes: Any) -> Any:
        assert changes
        raise OSError(errno.ENOSPC, "No space left on device")


def _rotation(home: ExchangeHome, source: type[EnvFile], key: str, secret: str) -> tuple[Rotation, Journal]:
    journal = Journal(Ledger(home.path / "thunes.db"), home.path / "audit_trail.jsonl", Clock())
    place = Place(source(env_file(home), ("BINANCE_API_KEY", "BINANCE_API_SECRET"), named=False), "BINANCE_")
    old = Credentials(Secret(home.served.key), Secret(home.served.secret), None, str(env_file(home)))
    new = Credentials(Secret(key), Secret(secret), None, "new")
    return Rotation(journal, place, old=old, new=new), journal


def test_a_full_disk_leaves_the_old_key(home: ExchangeHome) -> None:
    """Nothing half written; the history says why."""
    before = env_file(home).read_bytes()
    rotation, journal = _rotation(home, _Broken, *new_key(home))
    rotation.begin(reason="test", actor="test", facts={})

    with pytest.raises(Exception, match="No space left"):
        rotation.write(lambda: pytest.fail("not read"), lambda _: None)
    journal.close()

    assert env_file(home).read_bytes() == before
    assert states(home) == ["rolled_back"]


@pytest.mark.parametrize(("killed", "ends"), [("begun", "rolled_back"), ("written", "done")])
def test_killed_between_two_steps(home: ExchangeHome, killed: str, ends: str) -> None:
    """The next start compares: the old key is where it was, or the new one is; never neither."""
    key, secret = new_key(home)
    pid = os.fork()
    if pid == 0:
        rotation, _ = _rotation(home, EnvFile, key, secret)
        rotation.begin(reason="test", actor="test", facts={})
        if killed == "written":
            place = rotation._place
            place.source.rewrite(place.changes(rotation._new, rotation._old))
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert states(home) == ["started"]

    home.meet()

    assert states(home) == [ends]
    assert home.ask("keys", "check").code == 0
    assert (key in env_file(home).read_text(encoding="utf-8")) is (killed == "written")


def test_under_a_daemon(home: ExchangeHome) -> None:
    """It takes the key between two steps, says so, and goes on when the old one is dead."""
    daemon = home.start("run", "--speed", "1")
    try:
        wait_for(lambda: home.ask("status", "--json").data["daemon"]["mode"] == "trading", "daemon that trades")
        key, secret = new_key(home)
        answer = rotate(home, key, secret)
        assert (answer.code, answer.data["daemon"]) == (0, "took it"), answer
        sim_key(home, "revoke", key=home.served.key[:8])
        assert home.ask("keys", "rotate", "--confirm-old-deleted").code == 0

        asked = home.ask("reconcile", "--json")
        assert asked.code == 0, asked
        assert "KEY_IN_USE" in told(home)
        assert home.ask("stop", "--json").code == 0
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_a_key_changed_by_hand_is_noticed_at_the_next_start(home: ExchangeHome) -> None:
    """Nobody rotated here: the history and the trail say that it happened outside."""
    key, secret = new_key(home)
    env_file(home).write_text(f"BINANCE_API_KEY={key}\nBINANCE_API_SECRET={secret}\n", encoding="utf-8")

    home.meet()

    assert states(home) == ["outside"]
    assert told(home)[-1] == "KEY_CHANGED_OUTSIDE"
    assert home.ask("keys", "check").code == 0

"""``thunes init``: a home, once."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from thunes_cli.cli.app import run
from thunes_cli.clock import Clock
from thunes_cli.config.load import load_settings
from thunes_cli.model import Environment
from thunes_cli.ops.homes import make_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home"


@pytest.fixture
def init(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def init(*arguments: str, expect: int = 0, **environ: str) -> dict[str, Any]:
        code = run(["--home", str(home), "--json", "init", *arguments], environ=environ)
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert (code, document["exit_code"]) == (expect, expect), document
        return document

    return init


def snapshot(home: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in home.iterdir()}


def test_a_new_home_is_private_and_complete(home: Path, init: Any) -> None:
    """Directory, settings, ledger, and the trail's first record."""
    document = init()

    assert document["changed"] is True
    assert document["data"]["created"] is True
    assert (document["data"]["home"], document["data"]["environment"]) == (str(home), "sim")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir() if stat.S_IMODE(path.stat().st_mode) != 0o600] == []
    record, key = (home / "audit_trail.jsonl").read_text().splitlines()
    assert f'"public_key":"{(home / "audit_key.pub").read_text().strip()}"' in key
    assert json.loads(record)["event"] == "HOME_CREATED"
    assert json.loads(record)["instance"] == document["data"]["instance"]


def test_doing_it_twice_changes_nothing(home: Path, init: Any) -> None:
    """Not a byte, not a time stamp."""
    first = init()
    before = snapshot(home)

    second = init()

    assert second["changed"] is False
    assert second["data"] == {**first["data"], "created": False}
    assert snapshot(home) == before


@pytest.mark.parametrize("environment", ["sim", "testnet"])
def test_the_settings_file_says_the_environment(environment: str, home: Path, init: Any) -> None:
    """And nothing else that is not a comment; every later command finds it there."""
    init("--environment", environment)

    lines = (home / ".env").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [f"ENVIRONMENT={environment}"]
    assert load_settings(home, {}).settings.environment == environment


def test_another_environments_home_is_refused(home: Path, init: Any) -> None:
    """One home, one environment, for ever."""
    init("--environment", "testnet")
    before = snapshot(home)

    document = init("--environment", "sim", expect=78)

    assert "testnet" in document["problems"][0]["message"]
    assert snapshot(home) == before


def test_an_environment_of_the_shell_that_contradicts_the_home_is_refused(init: Any) -> None:
    """Every later command would fail the same way."""
    init()

    document = init(expect=78, ENVIRONMENT="testnet")

    assert document["problems"][0]["code"] == "other_environment"


def test_option_and_settings_must_not_contradict(home: Path, init: Any) -> None:
    """Nothing is created that no later command could use."""
    document = init("--environment", "sim", expect=78, ENVIRONMENT="testnet")

    assert (
        "--environment says sim, but ENVIRONMENT is testnet, from the environment" in document["problems"][0]["message"]
    )
    assert not home.exists()


def test_the_environment_may_come_from_a_prepared_settings_file(home: Path, init: Any) -> None:
    """Which stays as it is."""
    home.mkdir(mode=0o700)
    (home / ".env").write_text("ENVIRONMENT=testnet\n")
    (home / ".env").chmod(0o600)

    assert init()["data"]["environment"] == "testnet"
    assert (home / ".env").read_text() == "ENVIRONMENT=testnet\n"


@pytest.mark.parametrize("phrase", [(), ("--confirm", "yes")])
def test_a_live_home_needs_the_phrase(phrase: tuple[str, ...], home: Path, init: Any) -> None:
    """Without it nothing is touched."""
    init("--environment", "live", *phrase, expect=7)

    assert not home.exists()


def test_a_live_home_is_made_with_the_phrase_and_needs_it_once(init: Any) -> None:
    """Asking again about what exists confirms nothing new."""
    assert init("--environment", "live", "--confirm", "trade live")["data"]["environment"] == "live"
    assert init()["changed"] is False


def test_a_dry_run_plans_the_same_and_touches_nothing(home: Path, init: Any) -> None:
    """And there is nothing to plan for a home that is complete."""
    plan = init("--dry-run", "--environment", "live")["data"]["plan"]
    assert plan == [f"create the directory {home}", "write .env", "create the ledger thunes.db",
                    "begin the trail audit_trail.jsonl"]  # fmt: skip
    assert not home.exists()

    init()
    assert init("--dry-run")["data"]["plan"] == []


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["for real", "dry"])
def test_a_directory_in_use_is_refused(dry: tuple[str, ...], home: Path, init: Any) -> None:
    """The dry run says so too."""
    home.mkdir(mode=0o700)
    (home / "letters.txt").touch()

    document = init(*dry, expect=78)

    assert document["problems"][0]["code"] == "home_in_use"
    assert [path.name for path in home.iterdir()] == ["letters.txt"]


def test_a_broken_settings_file_is_refused_before_anything_is_made(home: Path, init: Any) -> None:
    """One clear line with its place."""
    home.mkdir(mode=0o700)
    (home / ".env").write_text("ENVIRONMENT=testnett\n")
    (home / ".env").chmod(0o600)

    document = init(expect=78)

    assert (
        f"ENVIRONMENT: must be sim, testnet or live (is testnett), {home}/.env:1" in document["problems"][0]["message"]
    )
    assert [path.name for path in home.iterdir()] == [".env"]


@pytest.mark.parametrize("lost", ["after the directory", "after the settings", "before the trail"])
def test_a_second_run_completes_what_a_crash_interrupted(lost: str, home: Path, init: Any) -> None:
    """The ledger appears last and whole; the trail is begun when its first record is missing."""
    if lost == "before the trail":
        first = init()
        with sqlite3.connect(home / "thunes.db") as ledger:
            ledger.execute("UPDATE audit_head SET seq = 0, hash = ?, durable_seq = 0, durable_hash = ?,"
                           " durable_length = 0, durable_last_bytes = 0", ("0" * 64, "0" * 64))  # fmt: skip
        (home / "audit_trail.jsonl").unlink()
    else:
        first = None
        home.mkdir(mode=0o700)
        if lost == "after the settings":
            (home / ".env").write_text("ENVIRONMENT=sim\n")
            (home / ".env").chmod(0o600)
            (home / "thunes.db.new").write_bytes(b"half of it")

    document = init()

    assert document["changed"] is True
    assert document["data"]["created"] is (first is None)
    assert '"event":"HOME_CREATED"' in (home / "audit_trail.jsonl").read_text()
    assert init()["changed"] is False


def test_two_at_once_make_one_home(home: Path) -> None:
    """The second finds the first one's home."""
    instances: list[str] = []
    barrier = threading.Barrier(4)

    def make() -> None:
        barrier.wait()
        instances.append(make_home(home, environment=Environment.SIM, clock=Clock()).identity.instance)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(instances) == 4
    assert len(set(instances)) == 1
    assert (home / "audit_trail.jsonl").read_text().count("HOME_CREATED") == 1


def test_a_damaged_ledger_is_left_alone(home: Path, init: Any) -> None:
    """5, and the evidence stays."""
    init()
    (home / "thunes.db").write_bytes(b"not a database at all" * 100)
    before = snapshot(home)

    init(expect=5)

    assert snapshot(home) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_another_users_home_is_refused_with_the_sudo_line(home: Path, init: Any) -> None:
    """Found by /etc/thunes/home, it is the daemon's."""
    init()
    os.chown(home, 65534, -1)

    document = init(expect=10)

    assert document["problems"][0]["hint"].startswith("sudo -u nobody thunes --home")


def test_with_a_settings_file_of_its_own_none_is_put_into_the_home(home: Path, tmp_path: Path, init: Any) -> None:
    """It would not be read."""
    file = tmp_path / "thunes.env"
    file.write_text("ENVIRONMENT=testnet\n")
    file.chmod(0o600)

    assert init(THUNES_ENV_FILE=str(file))["data"]["environment"] == "testnet"
    assert not (home / ".env").exists()


def test_people_are_told_what_to_type_next(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With this home's path, quoted."""
    assert run(["--home", str(home), "init", "--environment", "testnet"], environ={}) == 0

    assert f"thunes --home '{home}' config check --online" in capsys.readouterr().out

"""``thunes config check`` on this machine alone; asking the exchange is tested in test_config_check_online."""

from __future__ import annotations

import json
import shlex
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from thunes_cli.cli.app import run


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    home = tmp_path / "home"
    assert run(["--home", str(home), "init"], environ={}) == 0
    capsys.readouterr()
    return home


@pytest.fixture
def check(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def check(*, expect: int, **environ: str) -> dict[str, dict[str, str]]:
        code = run(["--home", str(home), "--json", "config", "check"], environ=environ)
        document = json.loads(capsys.readouterr().out)
        assert (code, document["exit_code"], document["changed"]) == (expect, expect, False), document
        return {entry["name"]: entry for entry in document["data"].get("checks", ())}

    return check


def test_a_new_simulator_home_is_well(check: Any) -> None:
    """Nothing needs to be set."""
    checks = check(expect=0)

    assert {name: entry["status"] for name, entry in checks.items()} == {
        "home": "ok",
        "files": "ok",
        "disk": "ok",
        "settings": "ok",
        "strategy": "ok",
        "key": "ok",
    }
    assert set(checks["home"]) == {"name", "status", "value", "expected", "hint"}


def test_nothing_is_written(home: Path, check: Any) -> None:
    """It only looks."""
    before = {path.name: path.stat().st_mtime_ns for path in home.iterdir()}

    check(expect=0)

    assert {path.name: path.stat().st_mtime_ns for path in home.iterdir()} == before


@pytest.mark.parametrize("name", ["thunes.db", "audit_trail.jsonl"])
def test_files_that_others_can_read_fail(name: str, home: Path, check: Any) -> None:
    """With the command that mends it."""
    (home / name).chmod(0o644)

    checks = check(expect=3)

    assert checks["files"]["status"] == "fail"
    assert checks["files"]["hint"] == f"chmod 600 {shlex.quote(str(home / name))}"


@pytest.mark.parametrize(("mode", "status", "code"), [(0o750, "warn", 0), (0o770, "fail", 3)])
def test_a_home_that_others_can_enter(mode: int, status: str, code: int, home: Path, check: Any) -> None:
    """To look is a warning, to change a failure; one that everybody can read is no place for a `.env`."""
    home.chmod(mode)

    assert check(expect=code)["home"]["status"] == status


def test_a_full_disk_fails(check: Any) -> None:
    """Entries would stop."""
    assert check(expect=3, MIN_FREE_MIB="99999999999")["disk"]["status"] == "fail"


def test_invalid_settings_are_78_each_named(check: Any, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """As a failed check and as a problem; for people only the lines."""
    checks = check(expect=78, MAX_DAILY_LOSS="-5")

    assert checks["settings"]["value"] == "MAX_DAILY_LOSS: must be at least 0 (is -5), from the environment"

    assert run(["--home", str(home), "config", "check"], environ={"MAX_DAILY_LOSS": "-5"}) == 78
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[0] == "thunes: MAX_DAILY_LOSS: must be at least 0 (is -5), from the environment"


def test_settings_of_another_environment_are_78(check: Any) -> None:
    """A simulator's home does not trade live."""
    assert "belongs to environment sim" in check(expect=78, ENVIRONMENT="live")["settings"]["value"]


def test_an_unknown_strategy_is_78(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The known ones are named."""
    assert run(["--home", str(home), "config", "check"], environ={"STRATEGY": "astrology"}) == 78

    assert "known are rsi, sma" in capsys.readouterr().err


def test_a_missing_key_fails_where_one_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what needs it is skipped, not guessed; the simulator needs none."""
    home = tmp_path / "testnet"
    run(["--home", str(home), "init", "--environment", "testnet"], environ={})
    capsys.readouterr()

    assert run(["--home", str(home), "--json", "config", "check", "--online"], environ={}) == 3

    checks = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["data"]["checks"]}
    assert "BINANCE_TESTNET_API_KEY is not set" in checks["key"]["value"]
    assert checks["exchange"]["status"] == "skip"


def test_a_key_is_named_by_fingerprint_and_source(check: Any) -> None:
    """Never by itself."""
    environ = {
        "BINANCE_REST_URL": "http://127.0.0.1:9",
        "BINANCE_API_KEY": "canary-key",
        "BINANCE_API_SECRET": "canary-secret",
    }

    checks = check(expect=0, **environ)

    assert "from environment" in checks["key"]["value"]
    assert "canary" not in str(checks)


def test_a_damaged_ledger_is_5(home: Path, check: Any) -> None:
    """Before anything else is judged, and it stays as evidence."""
    (home / "thunes.db").write_bytes(b"no database" * 1000)

    check(expect=5)

    assert (home / "thunes.db").read_bytes() == b"no database" * 1000


def test_a_newer_ledger_is_78_and_untouched(home: Path, check: Any) -> None:
    """The version that wrote it must be used."""
    with sqlite3.connect(home / "thunes.db") as ledger:
        ledger.execute("PRAGMA user_version = 99")
    ledger.close()
    before = (home / "thunes.db").read_bytes()

    check(expect=78)

    assert (home / "thunes.db").read_bytes() == before

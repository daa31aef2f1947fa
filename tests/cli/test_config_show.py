"""``thunes config show``: what is in force, and where it came from."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from thunes_cli.cli.app import run
from thunes_cli.config.secrets import Secret
from thunes_cli.config.settings import NAMES, PRIVATE_KEYS, SECRETS

CANARY = "https://canary.example/7f3a"  # good for every secret, addresses included


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    home = tmp_path / "home"
    assert run(["--home", str(home), "init"], environ={}) == 0
    capsys.readouterr()
    return home


def show(home: Path, capsys: pytest.CaptureFixture[str], **environ: str) -> dict[str, Any]:
    assert run(["--home", str(home), "--json", "config", "show"], environ=environ) == 0
    settings: dict[str, Any] = json.loads(capsys.readouterr().out)["data"]["settings"]
    return settings


def test_every_setting_is_shown_with_its_origin(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Environment, file and line, or default."""
    with (home / ".env").open("a") as file:
        file.write("SYMBOLS=btcusdt,ETHUSDT\n")

    settings = show(home, capsys, MAX_DAILY_LOSS="7.50")

    assert tuple(settings) == NAMES
    assert settings["ENVIRONMENT"] == {"value": "sim", "origin": f"{home}/.env:3"}
    assert settings["SYMBOLS"] == {"value": ["BTCUSDT", "ETHUSDT"], "origin": f"{home}/.env:4"}
    assert settings["MAX_DAILY_LOSS"] == {"value": "7.5", "origin": "environment"}
    assert settings["MAX_POSITIONS"] == {"value": 3, "origin": "default"}
    assert settings["BINANCE_API_KEY"] == {"value": None, "origin": "default"}


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_masked_and_fingerprinted(
    as_json: bool,  # noqa: FBT001 - a parameter of the test
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither document nor table shows one."""
    pem = f"-----BEGIN PRIVATE KEY-----\n{'canary'}\n-----END PRIVATE KEY-----\n"
    environ = dict.fromkeys(SECRETS, CANARY) | dict.fromkeys(PRIVATE_KEYS, pem) | {"TELEGRAM_CHAT_ID": "1"}

    code = run(["--home", str(home), *(["--json"] if as_json else []), "config", "show"], environ=environ)

    shown = capsys.readouterr()
    assert code == 0
    assert "canary" not in shown.out + shown.err
    assert shown.out.count(Secret(CANARY).fingerprint()) == len(SECRETS - PRIVATE_KEYS)
    assert shown.out.count(Secret(pem).fingerprint()) == len(PRIVATE_KEYS)


def test_the_table_has_one_line_a_setting(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For eyes and grep."""
    assert run(["--home", str(home), "config", "show"], environ={}) == 0

    out = capsys.readouterr().out
    assert re.search(r"^STOP_LOSS_PCT +3 +default$", out, re.MULTILINE)
    assert re.search(r"^SIGNAL_INTERVAL_SECONDS +600 +default$", out, re.MULTILINE)


def test_without_a_home_there_is_nothing_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10, with the command that makes one."""
    assert run(["--home", str(tmp_path / "none"), "config", "show"], environ={}) == 10

    assert f"thunes --home {shlex.quote(str(tmp_path / 'none'))} init" in capsys.readouterr().err


def test_everything_that_is_wrong_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One problem each, in the document and on stderr."""
    environ = {"MAX_DAILY_LOSS": "-1", "SMA_FAST": "99"}
    lines = [
        "MAX_DAILY_LOSS: must be at least 0 (is -1), from the environment",
        "SMA_FAST: must be less than SMA_SLOW, 50 (is 99), from the environment",
    ]

    assert run(["--home", str(home), "--json", "config", "show"], environ=environ) == 78
    assert [problem["message"] for problem in json.loads(capsys.readouterr().out)["problems"]] == lines

    assert run(["--home", str(home), "config", "show"], environ=environ) == 78
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("thunes: ")] == [
        f"thunes: {line}" for line in lines
    ]

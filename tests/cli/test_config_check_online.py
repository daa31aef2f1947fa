"""``thunes config check --online`` against a simulator in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from thunes_cli.cli.app import run
from thunes_cli.config.home import LEDGER
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import save_uid
from thunes_cli.sim.options import SimOptions

Environ = dict[str, str]


def serve(directory: Path, **options: Any) -> Iterator[Environ]:
    """A simulator for as long as the test runs: the settings that lead to it."""
    directory.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "thunes_cli.sim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(SimOptions(directory=directory, **options).to_json() + "\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        yield {
            "BINANCE_REST_URL": told["rest_url"],
            "BINANCE_API_KEY": told["api_key"],
            "BINANCE_API_SECRET": told["api_secret"],
        }
    finally:
        process.terminate()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environ]:
    yield from serve(tmp_path_factory.mktemp("sim") / "exchange", speed=Decimal(60))


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    home = tmp_path / "home"
    assert run(["--home", str(home), "init"], environ={}) == 0
    capsys.readouterr()
    return home


@pytest.fixture
def check(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def check(environ: Environ, *, expect: int, home: Path = home) -> dict[str, dict[str, str]]:
        code = run(["--home", str(home), "--json", "config", "check", "--online"], environ=environ)
        document = json.loads(capsys.readouterr().out)
        assert (code, document["exit_code"]) == (expect, expect), document
        return {entry["name"]: entry for entry in document["data"]["checks"]}

    return check


def statuses(checks: dict[str, dict[str, str]], *names: str) -> list[str]:
    return [checks[name]["status"] for name in names]


def test_everything_about_a_good_exchange_is_ok(exchange: Environ, check: Any) -> None:
    """Ping, clock, symbol, amount, account, funds, weight."""
    checks = check(exchange, expect=0)

    assert (
        statuses(checks, "exchange", "clock", "symbol BTCUSDT", "amount BTCUSDT", "account", "funds USDT") == ["ok"] * 6
    )
    assert checks["weight"]["status"] == "ok"
    assert "speed 60" in checks["clock"]["value"]
    assert checks["amount BTCUSDT"]["expected"].startswith("at least ")


def test_an_unknown_symbol_and_an_unsellable_amount_fail(exchange: Environ, check: Any) -> None:
    """All symbols are judged, each by its own name."""
    environ = exchange | {"SYMBOLS": "BTCUSDT,NOSUCH", "DEFAULT_QUOTE_AMOUNT": "0.5"}

    checks = check(environ, expect=3)

    assert statuses(checks, "symbol BTCUSDT", "symbol NOSUCH", "amount BTCUSDT") == ["ok", "fail", "fail"]
    assert checks["amount NOSUCH"]["status"] == "skip"
    assert "set DEFAULT_QUOTE_AMOUNT=" in checks["amount BTCUSDT"]["hint"]


@pytest.mark.parametrize("wrong", ["BINANCE_API_KEY", "BINANCE_API_SECRET"])
def test_a_rejected_key_is_12_and_the_rest_is_still_checked(wrong: str, exchange: Environ, check: Any) -> None:
    """The public checks need no key; the key itself is not shown."""
    checks = check(exchange | {wrong: "canary" * 10}, expect=12)

    assert statuses(checks, "exchange", "symbol BTCUSDT", "account") == ["ok", "ok", "fail"]
    assert "canary" not in str(checks)


def test_an_exchange_that_cannot_be_reached_is_13(exchange: Environ, check: Any) -> None:
    """Could not find out is not the same as bad."""
    checks = check(exchange | {"BINANCE_REST_URL": "http://127.0.0.1:9"}, expect=13)

    assert statuses(checks, "home", "exchange", "clock", "account") == ["ok", "fail", "skip", "skip"]


def test_a_testnet_home_is_checked_with_its_own_key(
    exchange: Environ, tmp_path: Path, check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """And this machine's clock is compared, because there market time is real time."""
    home = tmp_path / "testnet"
    assert run(["--home", str(home), "init", "--environment", "testnet"], environ={}) == 0
    capsys.readouterr()
    environ = {
        "BINANCE_REST_URL": exchange["BINANCE_REST_URL"],
        "BINANCE_TESTNET_API_KEY": exchange["BINANCE_API_KEY"],
        "BINANCE_TESTNET_API_SECRET": exchange["BINANCE_API_SECRET"],
    }

    checks = check(environ, expect=0, home=home)

    assert "from the exchange's" in checks["clock"]["value"]


def test_another_accounts_key_is_78(exchange: Environ, home: Path, check: Any) -> None:
    """The coins of this ledger are not in that account."""
    ledger = Ledger(home / LEDGER)
    with ledger.write() as connection:
        save_uid(connection, "not-this-one")
    ledger.close()

    checks = check(exchange, expect=78)

    assert checks["account"]["expected"] == "account not-this-one"


def test_people_see_a_table_and_what_to_do(exchange: Environ, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Failures are lines of their own, with hints."""
    code = run(["--home", str(home), "config", "check", "--online"], environ=exchange | {"SYMBOLS": "NOSUCH"})

    out = capsys.readouterr().out
    assert code == 3
    assert "symbol NOSUCH" in out
    assert "attention: symbol NOSUCH: unknown to the exchange\n  hint: correct SYMBOLS (from the environment)" in out


def test_the_embedded_exchange_needs_no_settings(home: Path, check: Any) -> None:
    """Started for the check, asked with its own key, gone afterwards; a key lying about does not disturb it."""
    checks = check({"BINANCE_API_KEY": "a-real-one", "BINANCE_API_SECRET": "its-secret"}, expect=0)

    assert statuses(checks, "key", "exchange", "symbol BTCUSDT", "amount BTCUSDT", "account") == ["ok"] * 5
    assert not (home / "sim" / "address").exists()

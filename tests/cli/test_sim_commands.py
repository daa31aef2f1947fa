"""``thunes sim fault|faults|state|key``: on an exchange that is being served, found by itself or named."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_home import Answer, thunes
from exchange_home import ServedHere, stepped

from thunes_cli.sim.fault_kinds import FaultKind


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedHere]:
    with ServedHere(stepped(tmp_path / "exchange")) as here:
        yield here


def ask(served: ServedHere, *words: str) -> Answer:
    """A command of ``sim`` on that exchange, as JSON."""
    return thunes("--home", "/nonexistent", "sim", *words, "--url", served.url, "--json")


def test_a_fault_is_ordered(served: ServedHere) -> None:
    """It waits, hits so many times, and is shown until then."""
    answer = ask(served, "fault", "http_503_after", "--count", "2")

    assert answer.code == 0
    assert answer.document["changed"] is True
    assert [(each["kind"], each["remaining"]) for each in answer.data["queued"]] == [("http_503_after", 2)]
    assert served.buy("20").status == 503
    assert ask(served, "state").data["order_count"] == 1
    assert ask(served, "faults").data["queued"][0]["remaining"] == 1
    assert ask(served, "faults", "--clear").data["queued"] == []
    assert served.buy("20").status == 200


def test_every_option_arrives(served: ServedHere) -> None:
    """Symbol, side and quantity of a stranger; asset of a deposit; a path with its method."""
    done = ask(served, "fault", "stranger_order", "--symbol", "ETHUSDT", "--quantity", "0.01").data["done"]
    ask(served, "fault", "deposit", "--asset", "SOL", "--quantity", "3")
    waiting = ask(served, "fault", "slow_body", "--ms", "5", "--path", "GET /api/v3/account").data["fault"]

    assert (done["order"]["symbol"], done["order"]["executedQty"]) == ("ETHUSDT", "0.01000000")
    assert {"asset": "SOL", "free": "3.00000000", "locked": "0.00000000"} in ask(served, "state").data["balances"]
    assert (waiting["path"], waiting["ms"]) == ("GET /api/v3/account", 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fault", "no_such"), "there is no fault 'no_such'"),
        (("fault", "http_503_after", "--symbol", "BTCUSDT"), "Not understood here: symbol"),
        (("fault", "withdraw", "--asset", "SOL"), "has not 100.00000000 SOL free"),
        (("key", "revoke", "nobody"), "no key begins with 'nobody'"),
        (("key", "add", "--public-key", "/nonexistent"), "No such file"),
        (("key", "add", "--allow", "flying"), "flying"),
    ],
)
def test_what_cannot_be_meant(served: ServedHere, words: tuple[str, ...], message: str) -> None:
    """One line, code 2, nothing done."""
    answer = ask(served, *words)

    assert answer.code == 2
    assert message in answer.document["problems"][0]["message"]
    assert served.get("/sim/faults")["queued"] == []


def test_keys_of_their_own(served: ServedHere) -> None:
    """Made, restricted, revoked; an operator's words for permissions; the secret is told once."""
    made = ask(served, "key", "add", "--label", "next", "--allow", "withdrawals").data
    narrowed = ask(served, "key", "restrict", "next", "--deny", "spot", "--ip", "127.0.0.1").data["keys"][-1]
    open_again = ask(served, "key", "restrict", "next", "--any-ip").data["keys"][-1]

    assert len(made["api_key"]) == len(made["api_secret"]) == 64
    assert "enableWithdrawals" in made["keys"][-1]["allowed"]
    assert "enableSpotAndMarginTrading" not in narrowed["allowed"]
    assert (narrowed["ips"], open_again["ips"]) == (["127.0.0.1"], [])
    assert ask(served, "key", "revoke", "next").data["keys"][-1]["revoked"] is True
    assert made["api_secret"] not in ask(served, "key", "list").out + ask(served, "state").out


def test_kinds_without_an_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is can be read before anything is served; ordering needs one (10)."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    listed = thunes("--home", str(tmp_path / "none"), "sim", "faults", "--json")
    ordered = thunes("--home", str(tmp_path / "none"), "sim", "fault", "wipe", "--json")

    assert {each["kind"] for each in listed.data["kinds"]} == set(FaultKind)
    assert listed.data["queued"] is None
    assert (ordered.code, ordered.codes) == (10, ["no_simulator"])


def test_somebody_else_answers(tmp_path: Path) -> None:
    """Nobody, or no simulator: 13, and what was asked."""
    answer = thunes("--home", str(tmp_path), "sim", "state", "--url", "http://127.0.0.1:9", "--json")

    assert answer.code == 13
    assert "http://127.0.0.1:9 does not answer" in answer.document["problems"][0]["message"]


def test_found_by_itself(tmp_path: Path) -> None:
    """The only one on this machine that was served without a home; by its directory; by the settings' address."""
    environ = {"PATH": "/usr/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "thunes_cli"]
    process = subprocess.Popen(
        [*command, "sim", "serve", "--step", "--dir", str(tmp_path / "thunes-sim-here")],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = thunes_url(process.stdout.readline())
    try:
        for more in ({}, {"BINANCE_REST_URL": url}):
            done = subprocess.run(
                [*command, "sim", "state"], env=environ | more, capture_output=True, text=True, check=True
            )
            assert url in done.stdout
        named = [*command, "sim", "state", "--dir", str(tmp_path / "thunes-sim-here")]
        assert url in subprocess.run(named, env=environ, capture_output=True, text=True, check=True).stdout
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


def thunes_url(line: str) -> str:
    """The address in a first line."""
    return line.partition('"rest_url": "')[2].partition('"')[0]

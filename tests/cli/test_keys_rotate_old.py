"""``thunes keys rotate --confirm-old-deleted``: what the exchange's refusal is worth, and the operator's word."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_home import ExchangeHome
from rotating_home import ELSEWHERE, OLD_DELETED, WORD, env_file, new_key, records, rotate, rotating_home, sim_key, told


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with rotating_home(tmp_path) as home:
        yield home


@pytest.fixture
def rotated(home: ExchangeHome) -> ExchangeHome:
    """The old key is replaced, and still alive."""
    assert rotate(home, *new_key(home)).code == 0
    return home


def is_kept(home: ExchangeHome) -> bool:
    return home.served.key in env_file(home).read_text(encoding="utf-8")


@pytest.fixture
def stolen(rotated: ExchangeHome) -> ExchangeHome:
    """The same, and somebody else may have the old key."""
    ledger = rotated.path / "thunes.db"
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE api_keys SET compromised_at = first_seen, compromised_why = 'it was pushed'")
    connection.close()
    return rotated


def test_a_key_that_was_good_from_here_is_deleted_by_the_option(rotated: ExchangeHome) -> None:
    """The option is the operator's word; the exchange's answers then and now are kept with it."""
    sim_key(rotated, "revoke", key=rotated.served.key[:8])

    answer = rotated.ask(*OLD_DELETED, "--json")
    again = rotated.ask(*OLD_DELETED, "--json")

    assert (answer.code, answer.data["old_dead"], answer.document["changed"]) == (0, True, True)
    assert not is_kept(rotated)
    record = records(rotated)[-1]
    assert (record["event"], record["word"]) == ("KEY_OLD_DEAD", "--confirm-old-deleted")
    assert (record["business_code"], record["http_status"]) == (-2015, 401)
    assert (record["old_accepted"], record["old_bound"], record["uid"]) == (True, True, os.getuid())
    assert (again.code, again.document["changed"], again.data["old_dead"]) == (0, False, True)
    assert told(rotated).count("KEY_OLD_DEAD") == 1


def test_a_key_that_was_never_good_from_here_is_not_taken_for_deleted(home: ExchangeHome) -> None:
    """Bound to another address it is refused in the same words as a deleted one: nothing is buried."""
    key, secret = new_key(home)
    sim_key(home, "restrict", key=home.served.key[:8], ips=[ELSEWHERE])
    assert rotate(home, key, secret).code == 0

    answer = home.ask(*OLD_DELETED, "--json")

    assert (answer.code, answer.codes) == (7, ["old_key_refused"])
    said = answer.document["problems"][0]
    assert "from this address" in said["message"]
    assert "(-2015)" in said["message"]
    assert "does not prove that it is deleted" in said["message"]
    assert '--confirm "deleted sim"' in said["hint"]
    assert is_kept(home)
    assert "KEY_OLD_DEAD" not in told(home)
    assert home.ask("keys", "status", "--json").data["old_key"] is not None


def test_a_stolen_key_takes_the_operators_word_in_full(stolen: ExchangeHome) -> None:
    """Both are kept: what the exchange said, and who said that it is gone."""
    sim_key(stolen, "revoke", key=stolen.served.key[:8])

    asked = stolen.ask(*OLD_DELETED, "--json")
    assert (asked.code, asked.codes) == (7, ["old_key_refused"])
    assert "Somebody else may have it" in asked.document["problems"][0]["message"]
    assert stolen.ask(*OLD_DELETED, "--confirm", "rotate sim").code == 7
    assert is_kept(stolen)
    answer = stolen.ask(*OLD_DELETED, *WORD, "--json")

    assert answer.code == 0
    assert answer.data["evidence"]["business_code"] == -2015
    assert not is_kept(stolen)
    assert records(stolen)[-1]["word"] == "deleted sim"
    key = stolen.ask("keys", "history", "--json").data["keys"][0]
    assert key["dead_by"] == answer.data["evidence"]["actor"]
    assert "(-2015)" in key["dead_answer"]


def test_a_dry_run_buries_nothing(rotated: ExchangeHome) -> None:
    """With the operator's word or without."""
    sim_key(rotated, "revoke", key=rotated.served.key[:8])

    answer = rotated.ask(*OLD_DELETED, *WORD, "--dry-run", "--json")

    assert (answer.code, answer.document["changed"], len(answer.data["plan"])) == (0, False, 1)
    assert is_kept(rotated)
    assert "KEY_OLD_DEAD" not in told(rotated)


def test_a_living_key_is_told_whatever_the_operator_says(rotated: ExchangeHome) -> None:
    """3, and nothing changes."""
    answer = rotated.ask(*OLD_DELETED, *WORD, "--json")

    assert (answer.code, answer.codes) == (3, ["old_key_alive"])
    assert is_kept(rotated)


def test_an_answer_that_says_nothing_buries_nothing(rotated: ExchangeHome) -> None:
    """A firewall's page is no word about the key: 13, though the operator says that it is gone."""
    ordered = rotated.served.send("POST", "/sim/fault", body='{"kind": "html_403", "path": "GET /api/v3/account"}')
    assert ordered.status == 200, ordered

    answer = rotated.ask(*OLD_DELETED, *WORD, "--json")

    assert answer.code == 13
    assert is_kept(rotated)


def test_on_a_terminal_the_word_is_asked_for(stolen: ExchangeHome) -> None:
    """What it does not prove stands above the question; another word is no word (6), the right one is (0)."""
    sim_key(stolen, "revoke", key=stolen.served.key[:8])

    code, shown = on_terminal(stolen, *OLD_DELETED, typed="yes\n")

    assert code == 6, shown
    assert "does not prove that it is deleted" in shown
    assert "is it gone there?" in shown
    assert is_kept(stolen)
    code, shown = on_terminal(stolen, *OLD_DELETED, typed="deleted sim\n")
    assert code == 0, shown
    assert not is_kept(stolen)


def on_terminal(home: ExchangeHome, *words: str, typed: str) -> tuple[int, str]:
    """Run a command on a terminal, with something typed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "thunes_cli", "--home", str(home.path), *words],
        env={"PATH": os.environ["PATH"], "HOME": str(home.path.parent), **home.environ},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the terminal went away with the process
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(60), shown.decode()


def test_a_key_that_was_dead_before_is_told_to_have_been(home: ExchangeHome) -> None:
    """Deleted at the exchange first, as after a theft; the new one takes its place all the same."""
    key, secret = new_key(home)
    sim_key(home, "revoke", key=home.served.key[:8])

    assert rotate(home, key, secret).code == 0

    assert "refused already when it was replaced" in home.ask(*OLD_DELETED).err
    assert home.ask(*OLD_DELETED, *WORD).code == 0


def test_a_key_whose_name_is_lost_can_still_be_said_to_be_deleted(rotated: ExchangeHome) -> None:
    """A second rotation forgets the first old key's name: `keys status` would complain for ever."""
    assert rotate(rotated, *new_key(rotated)).code == 0
    sim_key(rotated, "revoke", key=rotated.served.key[:8])
    assert rotated.ask(*OLD_DELETED, *WORD).code == 3  # the second is alive
    for key in rotated.served.send("GET", "/sim/keys").body["keys"][1:2]:
        sim_key(rotated, "revoke", key=key["key"])
    assert rotated.ask(*OLD_DELETED, *WORD).code == 0

    asked = rotated.ask(*OLD_DELETED)
    answer = rotated.ask(*OLD_DELETED, *WORD, "--json")

    assert asked.code == 7
    assert "cannot be asked" in asked.err
    assert (answer.code, answer.data["evidence"]["business_code"]) == (0, None)
    assert rotated.ask("keys", "status", "--json").data["old_key"] is None


def test_nothing_was_ever_replaced(home: ExchangeHome) -> None:
    """10."""
    assert home.ask(*OLD_DELETED, *WORD).code == 10

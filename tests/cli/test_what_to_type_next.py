"""An error ends in a command that works as it stands: for the same home, and for the state that home is in."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from bot_home import BotHome, thunes

NOWHERE = "http://127.0.0.1:9"
GONE = {"BINANCE_REST_URL": NOWHERE, "BINANCE_API_KEY": "k", "BINANCE_API_SECRET": "s"}


def test_a_hint_names_the_home_that_was_named(bot: BotHome) -> None:
    """Also one that the core wrote, which knows no home; quoted, and not twice where it is named already."""
    found = bot.ask("backup", "verify", "--json")
    named = f"thunes --home {shlex.quote(str(bot.path))}"

    assert found.document["problems"][0]["hint"] == f"make one: {named} backup"
    assert "--home" not in thunes("backup", "verify", environ={"THUNES_HOME": str(bot.path)}).err


@pytest.mark.parametrize(
    "words",
    [
        ("balance",),
        ("reconcile",),
        ("run", "--once"),
        ("keys", "check"),
        ("positions", "close", "--all", "--reason", "x", "--confirm", "close-all sim"),
    ],
    ids=lambda words: words[0],
)
def test_an_exchange_that_is_gone_is_told_alike(bot: BotHome, words: tuple[str, ...]) -> None:
    """13, the cause, and where to look; the same words from every command."""
    bot.buy()

    answer = bot.ask(*words, "--json", environ=GONE)

    assert answer.code == 13
    (problem,) = answer.document["problems"]
    assert problem["message"].endswith("nothing was sent: 127.0.0.1:9: connection refused")
    assert problem["hint"].endswith("config check --online")


def test_the_check_does_not_send_the_reader_to_itself(bot: BotHome) -> None:
    """Whoever asks why the exchange is gone is told where else to look."""
    (problem,) = bot.ask("config", "check", "--online", "--json", environ=GONE).document["problems"]

    assert "BINANCE_REST_URL" in problem["hint"]
    assert "thunes" not in problem["hint"]


def test_a_lost_ledger_leads_to_the_newest_backup(bot: BotHome) -> None:
    """What the hints say is typed as it stands, in a home as a daemon leaves it, and the home is back.

    The new ledger knows that the backup it came from is good.
    """
    assert bot.ask("backup").code == 0
    (bot.path / "alerts-log.lock").touch()
    (bot.path / "crashes").mkdir()
    for path in bot.path.glob("thunes.db*"):
        path.unlink()

    answer, listed = bot.ask("status", "--json"), bot.ask("backup", "list", "--json")
    commands = [each.document["problems"][0]["hint"].rpartition(": ")[2] for each in (answer, listed)]
    unasked = [thunes(*shlex.split(command)[1:]) for command in commands]
    restored = thunes(*shlex.split(commands[0])[1:], "--confirm", "restore sim")

    assert (answer.code, listed.code) == (10, 5)
    assert [each.code for each in unasked] == [7, 7]
    assert restored.code in {0, 15}, restored
    assert bot.ask("status", "--json").data["last_backup"]["verified"] is True


def test_checks_name_the_home_that_was_named(bot: BotHome) -> None:
    """Whoever types what stands beside a check reaches the home that was checked."""
    named = f"thunes --home {shlex.quote(str(bot.path))} run"

    assert named in bot.ask("check", "daily").out
    assert bot.ask("check", "daily", "--json").data["checks"][0]["hint"].startswith(named)


def test_a_file_is_no_home(tmp_path: Path) -> None:
    """Neither command sends the reader to the other: both say that a directory is wanted."""
    place = tmp_path / "a file"
    place.write_text("x")

    looked, made = thunes("--home", str(place), "status"), thunes("--home", str(place), "init")

    assert (looked.code, made.code) == (10, 78)
    assert "thunes --home DIR init" in looked.err
    assert "it is no directory" in made.err
    assert place.read_text() == "x"


def test_kinds_of_fault_are_listed_although_the_exchange_is_gone(bot: BotHome) -> None:
    """The list needs nobody; one that was named with an option must answer."""
    listed = bot.ask("sim", "faults", "--json", environ=GONE)
    named = bot.ask("sim", "faults", "--url", NOWHERE, "--json")

    assert (listed.code, listed.data["queued"]) == (0, None)
    assert named.code == 13


def test_whole_texts_of_alerts(bot: BotHome) -> None:
    """A line of the table is cut, ``--full`` shows every line of the text."""
    text = "the price stream is down, " * 10 + "again\nNext: thunes status"
    bot.alert_lasting("feed", key="stream", text=text)

    assert "Next: thunes status" not in bot.ask("alerts", "list").out
    assert f"  {text.splitlines()[0]}\n  Next: thunes status\n" in bot.ask("alerts", "list", "--full").out


def test_shares_are_rounded_like_those_of_the_checks(bot: BotHome) -> None:
    """Two of three are 67 %, everywhere."""
    for sold in ("41000", "41000", "39000"):
        bot.lose(sold=sold)

    assert "(67 % won)" in bot.ask("pnl").out


def test_times_of_orders_say_that_they_are_utc(bot: BotHome) -> None:
    """As every other answer does; only the year is left out, for the width."""
    bot.buy()

    assert "\n03-10 12:00:00Z  " in bot.ask("orders", "list").out

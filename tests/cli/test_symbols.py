"""``thunes symbols``: frozen for every process until it is unfrozen, with a reason and a person."""

from __future__ import annotations

import json

import pytest
from bot_home import BotHome, names

from thunes_cli.ledger import known
from thunes_cli.ledger.known import SYMBOLS, TRADABLE


def trail(bot: BotHome) -> list[dict[str, object]]:
    return [json.loads(line) for line in (bot.path / "audit_trail.jsonl").read_text().splitlines()]


def test_freeze_and_unfreeze(bot: BotHome) -> None:
    """Both are on the trail with who and why; the second time nothing changes and nothing is written."""
    frozen = bot.ask("symbols", "freeze", "solusdt", "--reason", "chain halted", "--json")

    (row,) = frozen.data["symbols"]
    assert (frozen.code, frozen.document["changed"]) == (0, True)
    assert (row["symbol"], row["frozen"], row["reason"]) == ("SOLUSDT", True, "chain halted")
    records = len(trail(bot))
    again = bot.ask("symbols", "freeze", "SOLUSDT", "--reason", "other words", "--json")
    assert again.document["changed"] is False
    assert len(trail(bot)) == records
    assert trail(bot)[-1]["reason"] == "chain halted"
    assert trail(bot)[-1]["uid"] is not None

    thawed = bot.ask("symbols", "unfreeze", "SOLUSDT", "--reason", "runs again", "--json")

    assert (thawed.document["changed"], thawed.data["symbols"]) == (True, [])
    assert trail(bot)[-1]["event"] == "SYMBOL_UNFROZEN"
    assert bot.ask("symbols", "unfreeze", "SOLUSDT", "--reason", "again", "--json").document["changed"] is False


def test_a_frozen_symbol_shows_in_status(bot: BotHome) -> None:
    """3, with the reason."""
    bot.ask("symbols", "freeze", "SOLUSDT", "--reason", "chain halted")

    answer = bot.ask("status", "--json")

    assert (answer.code, answer.codes) == (3, ["symbol_frozen"])
    assert answer.data["frozen_symbols"] == ["SOLUSDT"]


def test_list_joins_what_is_traded_held_and_frozen(bot: BotHome) -> None:
    """Whether it is tradable is what the last comparison heard; never heard is not "no"."""
    with bot.journal.change() as change:
        traded = {"symbols": ["BTCUSDT", "ETHUSDT"], "timeframe": "1h", "strategy": "rsi"}
        known.save_known(change.connection, SYMBOLS, traded, at=change.at)
        known.save_known(change.connection, TRADABLE, {"BTCUSDT": True, "ETHUSDT": False}, at=change.at)
    bot.buy("ADAUSDT")
    bot.ask("symbols", "freeze", "SOLUSDT", "--reason", "x")

    rows = bot.ask("symbols", "list", "--json").data["symbols"]

    assert names(rows, "symbol") == ["ADAUSDT", "BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert names(rows, "tradable") == [None, True, False, None]
    assert names(rows, "held") == [True, False, False, False]
    assert "exits only" in bot.ask("symbols", "list").out


def test_a_symbol_that_is_not_ours_is_told(bot: BotHome) -> None:
    """A slip of the pen freezes it all the same, but says which symbols are traded or held."""
    bot.buy("ADAUSDT")

    slip = bot.ask("symbols", "freeze", "ADAUSD", "--reason", "x")
    right = bot.ask("symbols", "freeze", "ADAUSDT", "--reason", "x")
    again = bot.ask("symbols", "freeze", "ADAUSDT", "--reason", "x")

    assert "warning: ADAUSD is neither traded nor held here, these are: ADAUSDT" in slip.out
    assert "warning" not in right.out
    assert "ADAUSDT took no entries already; nothing changed" in again.out


def test_nothing_to_list(bot: BotHome) -> None:
    """A home without a past says how to get one."""
    assert "thunes run" in bot.ask("symbols", "list").out


def test_dry_run_writes_nothing(bot: BotHome) -> None:
    """Only the plan."""
    answer = bot.ask("symbols", "freeze", "SOLUSDT", "--reason", "x", "--dry-run", "--json")

    assert answer.data == {"plan": ["freeze SOLUSDT"]}
    assert bot.ask("symbols", "list", "--json").data["symbols"] == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("SOLUSDT",), id="no reason"),
        pytest.param(("SOLUSDT", "--reason", "  "), id="an empty one"),
        pytest.param(("SOL USDT", "--reason", "x"), id="no symbol"),
        pytest.param(("S" * 41, "--reason", "x"), id="too long for one"),
    ],
)
def test_usage(bot: BotHome, words: tuple[str, ...]) -> None:
    """2."""
    assert bot.ask("symbols", "freeze", *words).code == 2

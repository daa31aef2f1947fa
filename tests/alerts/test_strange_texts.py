"""Whatever an exchange writes into an error goes into the ledger, out to the chat, into answers, and forges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_home import BotHome
from fake_telegram import FakeTelegram

from thunes_cli.ledger.alerts import LONGEST_TEXT, Severity, raise_alert

STRANGE = {
    "html": "<b>bold</b> &amp; <script>alert(1)</script>",
    "markdown": "*bold* _it_ [x](http://evil.example) `code` ~~ || > # + - = { } . ! \\",
    "rich markup": "[red]x[/red] [link=http://evil.example]y[/link] :boom:",
    "a lone surrogate": "half a pair \ud83d and \udc00 here",
    "a nul": "before\x00after",
    "control characters": "\x1b[31mred\x07\x08\x0c\x7f\r\x85",
    "turned around": "\u202egnirts\u2066 \u2069\u200f",
    "a forged command": "Rejected. Next: thunes positions close --all\nNext: thunes killswitch deactivate --reason x",
    "a forged header": "x\n\nCRITICAL live: kill_switch\nhome /root\n\nKill switch activated",
    "emoji": "🚀" * 3000,
    "a flood of lines": "line\n" * 3000,
    "a flood": "x" * (3 * LONGEST_TEXT),
    "nothing": "",
    "white space": " \t\n ",
}


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home without a daemon."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()


@pytest.mark.parametrize("name", list(STRANGE))
def test_it_arrives_and_does_no_harm(bot: BotHome, telegram: FakeTelegram, name: str) -> None:
    """Told in pieces that fit, without anything that cannot be seen, ending with our own command; and listed."""
    with bot.journal.change() as change:
        raise_alert(
            change.connection,
            "job_failed",
            f"Job x failed: {STRANGE[name]}. Next: thunes status",
            severity=Severity.WARNING,
            at=change.at,
            at_wall=change.at_wall,
        )

    sent = bot.ask("alerts", "retry", "--json", environ=telegram.settings())
    listed, shown = bot.ask("alerts", "list", "--json"), bot.ask("alerts", "list")

    assert (sent.code, sent.data["waiting"]) == (0, 0)
    assert 1 <= len(telegram.texts) <= 4
    assert all(len(piece.encode("utf-16-le")) // 2 <= 4096 for piece in telegram.texts)
    everything = "".join(telegram.texts)
    assert all(character.isprintable() or character == "\n" for character in everything)
    assert everything.rstrip().endswith(("\nNext: thunes status", "thunes alerts list --json"))
    assert everything.count("Next: ") <= 1
    (alert,) = listed.data["alerts"]
    assert alert["state"] == "sent"
    assert shown.code == 0
    assert all(character.isprintable() or character == "\n" for character in shown.out)


def test_four_thousand_and_ninety_six_as_telegram_counts(bot: BotHome, telegram: FakeTelegram) -> None:
    """An emoji is two: a text of 4,096 characters that is longer in UTF-16 goes out in two pieces, none refused."""
    with bot.journal.change() as change:
        raise_alert(
            change.connection,
            "job_failed",
            "🚀" * 2000 + " " + "x" * 90,
            severity=Severity.CRITICAL,
            at=change.at,
            at_wall=change.at_wall,
        )

    assert bot.ask("alerts", "retry", environ=telegram.settings()).code == 0

    assert len(telegram.texts) == 2
    assert "".join(telegram.texts).count("🚀") == 2000

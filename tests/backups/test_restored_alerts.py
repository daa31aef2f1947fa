"""Alerts in a restored home: what waited in the backup is old news, told once in one word, and listed as not sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_home import BotHome, thunes

sys.path.append(str(Path(__file__).parents[1] / "alerts"))

from fake_telegram import CHAT, TOKEN, FakeTelegram

from thunes_cli.ledger.alerts import Severity, raise_alert


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    """A chat."""
    served = FakeTelegram()
    yield served
    served.close()


def environ_of(telegram: FakeTelegram) -> dict[str, str]:
    return {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": CHAT, "TELEGRAM_API_URL": telegram.url}


def raise_three(bot: BotHome) -> None:
    """Two of one kind and a loud one; nobody sends them."""
    with bot.journal.change() as change:
        for kind, severity in (
            ("job_failed", Severity.WARNING),
            ("job_failed", Severity.WARNING),
            ("kill_switch", Severity.CRITICAL),
        ):
            raise_alert(change.connection, kind, "of old", severity=severity, at=change.at, at_wall=change.at_wall)


def states(home: Path) -> list[tuple[str, str]]:
    listed = thunes("--home", str(home), "alerts", "list", "--since", "all", "--json").data["alerts"]
    return [(each["kind"], each["state"]) for each in listed]


def test_what_waited_is_not_sent(bot: BotHome, telegram: FakeTelegram, tmp_path: Path) -> None:
    """One message says what was restored and what is not sent; the list has every one of them, `retry` sends none."""
    raise_three(bot)
    file = bot.ask("backup", "--json").data["path"]
    target, environ = tmp_path / "restored", environ_of(telegram)

    answer = thunes("backup", "restore", file, "--to", str(target), "--json")
    thunes("--home", str(target), "alerts", "retry", environ=environ)

    assert answer.data["alerts_expired"] == 3
    assert len(telegram.texts) == 1
    assert "2 warning job_failed" in telegram.texts[0]
    assert "1 critical kill_switch" in telegram.texts[0]
    assert "of old" not in telegram.texts[0]
    waited = states(target)
    assert waited[-4:-1] == [("job_failed", "expired"), ("job_failed", "expired"), ("kill_switch", "expired")]
    assert waited[-1] == ("backup", "sent")


def test_what_a_channel_has_was_sent(bot: BotHome, telegram: FakeTelegram, tmp_path: Path) -> None:
    """Only what nobody was told counts as not sent; a message that was written and not taken counts as well."""
    environ = environ_of(telegram)
    bot.ask("killswitch", "activate", "--reason", "told")
    bot.ask("alerts", "retry", environ=environ)
    telegram.usual = "broken"
    bot.ask("killswitch", "deactivate", "--reason", "untold", "--confirm", "deactivate sim", environ=environ)
    file = bot.ask("backup", "--json").data["path"]
    target = tmp_path / "restored"

    answer = thunes("backup", "restore", file, "--to", str(target), "--json")

    assert answer.data["alerts_expired"] == 1
    assert [state for kind, state in states(target) if kind == "kill_switch"] == ["sent", "expired"]
    assert states(target)[-1] == ("backup", "waiting")


def test_what_waited_in_the_replaced_home_is_told_too(bot: BotHome, telegram: FakeTelegram) -> None:
    """It was raised after the backup: the restored ledger has it not, the operator hears that it is there."""
    file = bot.ask("backup", "--json").data["path"]
    raise_three(bot)
    bot.close()

    answer = bot.ask("backup", "restore", file, "--in-place", "--confirm", "restore sim", "--json")
    bot.ask("alerts", "retry", environ=environ_of(telegram))

    assert "in the home that it replaced stays there: 1 critical kill_switch, 2 warning job_failed" in telegram.texts[0]
    assert states(Path(answer.data["aside"]))[-1] == ("kill_switch", "waiting")

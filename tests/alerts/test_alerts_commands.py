"""``thunes alerts`` and ``thunes telegram test``, and the alerts of commands when no daemon runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bot_home import Answer, BotHome
from exchange_home import exchange_home
from fake_telegram import CHAT, TOKEN, FakeTelegram

from thunes_cli.cli import alerting

ACTIVATE = ("killswitch", "activate", "--reason", "test", "--json")


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home without a daemon."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()


def ask(bot: BotHome, telegram: FakeTelegram, *words: str, **more: str) -> Answer:
    """A command on a home whose alerts go to that chat. No answer of it holds the token."""
    answer = bot.ask(*words, environ=telegram.settings(**more))
    assert TOKEN.partition(":")[2] not in answer.out + answer.err
    return answer


# -- telegram test -----------------------------------------------------------------------------------------------


def test_a_test_message_arrives(bot: BotHome, telegram: FakeTelegram) -> None:
    """It says which home it is from; the answer says how long it took."""
    answer = ask(bot, telegram, "telegram", "test", "--json")

    assert (answer.code, answer.data["delivered"]) == (0, True)
    assert answer.data["latency_s"] >= 0
    (text,) = telegram.texts
    assert str(bot.path) in text


@pytest.mark.parametrize(
    ("behaviour", "code", "problem", "said"),
    [
        ("token", 12, "telegram_token", "does not know the bot's token"),
        ("chat", 78, "telegram_chat", "chat not found"),
        ("blocked", 78, "telegram_chat", "blocked by the user"),
        ("flood 33", 13, "alert_throttled", "wants nothing for 33 s"),
        ("garbage", 13, "alert_not_delivered", "makes no sense"),
        ("html", 13, "alert_not_delivered", "is TELEGRAM_API_URL right?"),
        ("not_ok", 13, "alert_not_delivered", "something odd"),
        ("cut", 13, "alert_channel_silent", "may have arrived"),
    ],
)
def test_it_says_what_is_wrong(
    bot: BotHome, telegram: FakeTelegram, *, behaviour: str, code: int, problem: str, said: str
) -> None:
    """Token 12, chat 78, anything else 13; each with what to do."""
    telegram.script.append(behaviour)

    answer = ask(bot, telegram, "telegram", "test", "--json")

    assert (answer.code, answer.codes, answer.data["delivered"]) == (code, [problem], False)
    (told,) = answer.document["problems"]
    assert said in told["message"]
    assert told["hint"]


def test_nobody_there_is_the_network(bot: BotHome, telegram: FakeTelegram) -> None:
    """13, and the system's own word for it."""
    answer = ask(bot, telegram, "telegram", "test", "--json", TELEGRAM_API_URL="http://127.0.0.1:9")

    assert (answer.code, answer.codes) == (13, ["alert_channel_unreachable"])
    assert "Connection refused" in answer.document["problems"][0]["message"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("HTTPS_PROXY", "no address at all"),
        ("SSL_CERT_FILE", "/nowhere/there/is/none.pem"),
    ],
)
def test_a_machine_set_up_wrongly_is_no_bug_of_ours(
    bot: BotHome, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A proxy we cannot use, certificates that are not there: 13 and one line."""
    monkeypatch.setenv(variable, value)
    settings = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": CHAT, "TELEGRAM_API_URL": "https://telegram.invalid"}

    answer = bot.ask("telegram", "test", "--json", environ=settings)

    assert answer.code == 13, answer
    assert "Traceback" not in answer.err


def test_without_a_chat_it_lists_who_wrote_to_the_bot(bot: BotHome, telegram: FakeTelegram) -> None:
    """What to put into TELEGRAM_CHAT_ID, when it is missing or wrong."""
    telegram.chats = ((-100, "desk"), (7, "alice"))
    telegram.usual = "chat"

    wrong = ask(bot, telegram, "telegram", "test", "--json")
    missing = ask(bot, telegram, "telegram", "test", "--json", TELEGRAM_CHAT_ID="")

    for answer in (wrong, missing):
        assert answer.code == 78
        assert answer.data["chats"] == [{"chat_id": "7", "title": "alice"}, {"chat_id": "-100", "title": "desk"}]
        assert "7 (alice), -100 (desk)" in answer.document["problems"][0]["hint"]


def test_without_a_token_there_is_nothing_to_test(bot: BotHome) -> None:
    """78, and where a token comes from."""
    answer = bot.ask("telegram", "test", "--json")

    assert answer.code == 78
    assert "@BotFather" in answer.document["problems"][0]["hint"]


# -- a command's own alerts --------------------------------------------------------------------------------------


def test_a_command_sends_its_alert_itself(bot: BotHome, telegram: FakeTelegram) -> None:
    """No daemon runs: it goes out at once, and is sent when it is listed."""
    answer = ask(bot, telegram, *ACTIVATE)

    assert (answer.code, answer.codes) == (0, [])
    (text,) = telegram.texts
    assert "Kill switch activated by " in text
    listed = ask(bot, telegram, "alerts", "list", "--json")
    assert listed.code == 0
    assert [(alert["kind"], alert["state"]) for alert in listed.data["alerts"]] == [("kill_switch", "sent")]
    assert listed.data["waiting"] == 0


def test_a_daemon_that_runs_is_left_to_send(bot: BotHome, telegram: FakeTelegram) -> None:
    """It does so within a second; two who send would be one too many."""
    bot.daemon_runs()

    assert ask(bot, telegram, *ACTIVATE).code == 0

    assert telegram.texts == []
    assert ask(bot, telegram, "alerts", "list", "--json").data["waiting"] == 1


@pytest.mark.parametrize("behaviour", ["hang", "drip", "slow", "token", "chat", "flood 5", "garbage", "cut_before"])
def test_a_bad_telegram_neither_stops_nor_delays_a_command(
    bot: BotHome, telegram: FakeTelegram, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch is thrown whatever happens; the alert waits, says so, and follows with a retry, once."""
    telegram.script.append(behaviour)
    if behaviour == "slow":  # in time, however busy the machine
        monkeypatch.setattr(alerting, "SECONDS", 30.0)
    began = time.monotonic()

    answer = ask(bot, telegram, *ACTIVATE)

    assert time.monotonic() - began < 30  # of the minute that it hangs; two seconds, where nothing else is done
    assert (answer.code, answer.document["changed"]) == (0, True)
    if behaviour == "slow":
        assert len(telegram.texts) == 1
        return
    assert answer.codes == ["alert_not_delivered"]
    if behaviour not in {"hang", "drip"}:  # what ends after the command was not noticed by it
        assert ask(bot, telegram, "alerts", "list", "--json").code == 3
    if behaviour.startswith("flood"):
        refused = ask(bot, telegram, "alerts", "retry", "--json")
        assert (refused.code, telegram.texts) == (13, [])
        assert ", until 20" in refused.document["problems"][0]["message"]
        assert ask(bot, telegram, "telegram", "test").code == 0  # it takes texts again, whatever it ordered
    retried = ask(bot, telegram, "alerts", "retry", "--json")
    assert (retried.code, retried.data["waiting"]) == (0, 0)
    assert ["Kill switch activated" in text for text in telegram.texts].count(True) == 1
    assert ask(bot, telegram, "alerts", "list").code == 0


def test_with_nothing_set_up_a_command_says_nothing(bot: BotHome) -> None:
    """No channel, no noise; the alert is in the ledger, and a retry says what to set."""
    answer = bot.ask(*ACTIVATE)

    assert (answer.code, answer.codes, answer.err) == (0, [], "")
    assert bot.ask("alerts", "list", "--json").data["waiting"] == 1
    retried = bot.ask("alerts", "retry")
    assert retried.code == 78
    assert "TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID are not set" in retried.err


# -- looking and muting ------------------------------------------------------------------------------------------


def test_a_list_of_nothing(bot: BotHome) -> None:
    """Said, and 0."""
    answer = bot.ask("alerts", "list")

    assert answer.code == 0
    assert "no alerts" in answer.out


def test_what_lasts_is_listed_with_its_count(bot: BotHome) -> None:
    """Beside the alerts: since when, and how often it was found."""
    for _ in range(3):
        bot.alert_lasting("exit_blocked", key="SOLUSDT")

    (condition,) = bot.ask("alerts", "list", "--json").data["conditions"]

    assert (condition["kind"], condition["key"], condition["count"]) == ("exit_blocked", "SOLUSDT", 3)
    assert "still on" in bot.ask("alerts", "list").out


def test_a_muted_kind_waits_and_is_on_record(bot: BotHome, telegram: FakeTelegram) -> None:
    """Kind, span and reason go to the trail; unmuting lets it follow; doing either twice changes nothing."""
    muted = ask(bot, telegram, "alerts", "mute", "kill_switch", "--for", "2h", "--reason", "drill", "--json")
    assert (muted.code, muted.document["changed"]) == (0, True)
    assert muted.data["mutes"][0]["reason"] == "drill"
    assert ask(bot, telegram, *ACTIVATE).code == 0
    assert telegram.texts == []
    again = ask(bot, telegram, "alerts", "mute", "kill-switch", "--for", "1h", "--reason", "drill", "--json")
    assert (again.code, again.document["changed"]) == (0, False)

    unmuted = ask(bot, telegram, "alerts", "unmute", "kill_switch", "--reason", "over", "--json")
    assert (unmuted.code, unmuted.data["mutes"]) == (0, [])
    assert ask(bot, telegram, "alerts", "retry", "--json").data["delivered"] == 1
    assert len(telegram.texts) == 1
    assert '"event":"ALERTS_MUTED"' in (bot.path / "audit_trail.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mute", "killswitch", "--for", "2h", "--reason", "x"), "'killswitch' is no kind of alert"),
        (("mute", "ban", "--for", "8d", "--reason", "x"), "at most 7d"),
        (("mute", "ban", "--for", "0s", "--reason", "x"), "more than nothing"),
        (("mute", "ban", "--for", "soon", "--reason", "x"), "soon"),
        (("mute", "ban", "--for", "2h", "--reason", " "), "--reason is empty"),
        (("mute", "ban", "--for", "2h"), "--reason"),
        (("list", "--kind", "nothing"), "'nothing' is no kind of alert"),
    ],
)
def test_usage(bot: BotHome, words: tuple[str, ...], said: str) -> None:
    """2, and what would be right."""
    answer = bot.ask("alerts", *words)

    assert answer.code == 2
    assert said in answer.err


def test_a_mute_is_network_time_whatever_the_market_does(bot: BotHome) -> None:
    """The market jumps a day ahead: two hours are two hours still."""
    bot.ask("alerts", "mute", "ban", "--for", "2h", "--reason", "test")
    bot.at(bot.market + timedelta(days=1))

    (mute,) = bot.ask("alerts", "list", "--json").data["mutes"]

    assert 7100 < mute["left_s"] <= 7200


@pytest.mark.parametrize("words", [("balance",), ("keys", "check")])
def test_a_rejected_key_that_a_looking_command_meets_is_told(
    tmp_path: Path, telegram: FakeTelegram, words: tuple[str, ...]
) -> None:
    """Nobody else is there to send it; once is enough."""
    with exchange_home(tmp_path, **telegram.settings()) as home:
        home.served.send("POST", "/sim/key/revoke", body=json.dumps({"key": home.served.key[:12]}))

        answers = [home.ask(*words, "--json") for _ in range(2)]

        assert [each.code for each in answers] == [12, 12]
        assert [text for text in telegram.texts if "rejected the API key" in text] == telegram.texts[-1:]

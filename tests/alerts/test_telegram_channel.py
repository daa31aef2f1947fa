"""Sending through Telegram: real HTTP to a fake that is slow, dead, flooded, wrong or cut off."""

from __future__ import annotations

import io
import logging
import socket
import time
import traceback

import pytest
from fake_telegram import CHAT, TOKEN, FakeTelegram

from thunes_cli.alerts.notifier import (
    ChatRefused,
    Message,
    MessageRefused,
    NotDelivered,
    Throttled,
    TokenRefused,
)
from thunes_cli.alerts.telegram import Telegram
from thunes_cli.alerts.wire import CutOff, Unreachable
from thunes_cli.config.secrets import Secret
from thunes_cli.ledger.alerts import Severity


def bot(telegram: FakeTelegram, *, timeout_s: float = 5.0, token: str = TOKEN, chat: str = CHAT) -> Telegram:
    """Our side of it."""
    return Telegram(Secret(token), chat, api_url=telegram.url, timeout_s=timeout_s)


def message(text: str = "Kill switch activated", severity: Severity = Severity.CRITICAL) -> Message:
    return Message(severity, "subject", text)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_message_arrives_as_it_is(telegram: FakeTelegram) -> None:
    """Plain text: what would be markup elsewhere is taken as written, and only good news is silent."""
    text = "<b>*_[x](y)`~ & \\ 🚀 ₿ \n second line"

    bot(telegram).send(message(text))
    bot(telegram).send(message("summary", Severity.INFO))

    assert [(taken.chat, taken.text, taken.silent) for taken in telegram.taken] == [
        (CHAT, text, False),
        (CHAT, "summary", True),
    ]


@pytest.mark.parametrize(
    ("behaviour", "error", "exit_code", "said"),
    [
        ("token", TokenRefused, 12, "Unauthorized"),
        ("chat", ChatRefused, 78, "chat not found"),
        ("blocked", ChatRefused, 78, "bot was blocked by the user"),
        ("refuse", MessageRefused, 13, "message is bad"),
        ("flood 17", Throttled, 13, "17 s"),
        ("flood_untold", Throttled, 13, "30 s"),
        ("garbage", NotDelivered, 13, "makes no sense"),
        ("list", NotDelivered, 13, "makes no sense"),
        ("html", NotDelivered, 13, "makes no sense (HTTP 403)"),
        ("empty", NotDelivered, 13, "makes no sense"),
        ("not_ok", NotDelivered, 13, "something odd"),
        ("broken", NotDelivered, 13, "Bad Gateway"),
        ("cut", CutOff, 13, "may have arrived"),
        ("cut_before", CutOff, 13, "did not answer"),
        ("hang", CutOff, 13, "took too long"),
        ("drip", CutOff, 13, "Telegram did not answer"),
    ],
)
def test_what_is_wrong_is_told_apart(
    telegram: FakeTelegram, behaviour: str, error: type[NotDelivered], exit_code: int, said: str
) -> None:
    """Token, chat, text, flood, network: each its own error with its exit code, none with the token in it."""
    telegram.script.append(behaviour)

    with pytest.raises(error) as failure:
        bot(telegram, timeout_s=0.5).send(message())

    assert type(failure.value) is error
    assert failure.value.exit_code == exit_code
    assert said in failure.value.message
    assert TOKEN not in "".join(traceback.format_exception(failure.value))
    assert failure.value.hint


def test_a_flood_limit_says_how_long(telegram: FakeTelegram) -> None:
    """``retry_after`` is taken from the answer."""
    telegram.script.append("flood 9")

    with pytest.raises(Throttled) as flood:
        bot(telegram).send(message())

    assert flood.value.retry_after_s == 9


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_no_answer_takes_longer_than_it_may(telegram: FakeTelegram, behaviour: str) -> None:
    """Also one that comes in drops has an end."""
    telegram.script.append(behaviour)
    began = time.monotonic()

    with pytest.raises(CutOff):
        bot(telegram, timeout_s=0.3).send(message())

    assert time.monotonic() - began < 30  # it would have gone on for a minute


def test_nobody_there() -> None:
    """A refused connection proves that nothing was sent."""
    dead = Telegram(Secret(TOKEN), CHAT, api_url=f"http://127.0.0.1:{free_port()}", timeout_s=2)

    with pytest.raises(Unreachable, match="Telegram cannot be reached: Connection refused"):
        dead.send(message())


def test_a_name_nobody_knows_is_the_network() -> None:
    """DNS is told as such; the token is not."""
    lost = Telegram(Secret(TOKEN), CHAT, api_url="https://telegram.invalid", timeout_s=3)

    with pytest.raises(NotDelivered) as failure:
        lost.send(message())

    assert failure.value.exit_code == 13
    assert TOKEN not in "".join(traceback.format_exception(failure.value))


def test_a_group_that_became_a_supergroup_is_followed(telegram: FakeTelegram, caplog: pytest.LogCaptureFixture) -> None:
    """Telegram tells the chat's new number: the message goes there, and says with the log what to set, once."""
    telegram.usual = "moved -100123"
    writer = bot(telegram)

    writer.send(message("one"))
    writer.send(message("two"))

    assert [taken.chat for taken in telegram.taken] == ["-100123", "-100123"]
    assert caplog.text.count("TELEGRAM_CHAT_ID=-100123") == 1
    assert telegram.texts == ["one\n\nThis chat has another number now: set TELEGRAM_CHAT_ID=-100123", "two"]


def test_the_token_is_in_no_log_line(telegram: FakeTelegram) -> None:
    """With everything logged that httpx and httpcore can say, and no filter: the address does not show."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    telegram.script.extend(["ok", "token", "cut"])
    try:
        for _ in range(3):
            try:
                bot(telegram).send(message())
            except NotDelivered:
                logging.getLogger("test").exception("failed")
    finally:
        root.removeHandler(handler)
        root.setLevel(before)

    assert "Traceback" in stream.getvalue()
    assert TOKEN not in stream.getvalue()
    assert TOKEN.partition(":")[2] not in stream.getvalue()


def test_chats_that_wrote_to_the_bot_are_known(telegram: FakeTelegram) -> None:
    """Newest first, each once: what to put into TELEGRAM_CHAT_ID."""
    telegram.chats = ((7, "alice"), (-100, "desk"), (7, "alice"))

    assert [(chat.chat_id, chat.title) for chat in bot(telegram).heard()] == [(7, "alice"), (-100, "desk")]
    assert bot(telegram).bot_name() == "@thunes_test_bot"

"""``thunes telegram test``: would an alert arrive, and if not, is it the token, the chat or the network?"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import read_book
from thunes_cli.cli.result import Problem, Result
from thunes_cli.errors import ExitCode

if TYPE_CHECKING:
    from thunes_cli.alerts.notifier import NotDelivered
    from thunes_cli.alerts.telegram import Heard, Telegram
    from thunes_cli.config.settings import Settings

_SHOWN = 5


@command(
    examples=("thunes telegram test", "thunes telegram test --json"),
    exits=(
        (0, "the message arrived"),
        5,
        10,
        (12, "Telegram does not know the bot's token"),
        (13, "Telegram cannot be reached, or wants nothing for a while"),
        (78, "the bot may not write to the chat, or token or chat is not set"),
    ),
)
def telegram_test(call: Call) -> Result:
    """Send a message to the Telegram chat, and say what is wrong when it does not arrive.

    When the chat is what is wrong, the chats that wrote to the bot lately are listed. A success also ends the daemon's
    waiting: what could not be sent before follows at once.
    """
    from thunes_cli.alerts.notifier import NotDelivered
    from thunes_cli.config.load import load_settings

    environment = read_book(call, lambda book: str(book.identity.environment))
    settings = load_settings(call.home, call.environ, env_file=call.env_file, relaxed=True).settings
    telegram = _telegram(settings)
    if settings.telegram_chat_id is None:
        return _without_chat(telegram)
    text = f"Test from THUNES {environment}, home {call.home}\n\nWhoever reads this gets the alerts of that home."
    try:
        latency_s = telegram.write(text)
    except NotDelivered as failure:
        return _failed(telegram, failure)
    _go_on(call)
    return Result(
        data={"delivered": True, "latency_s": round(latency_s, 3)},
        text=(f"delivered to chat {settings.telegram_chat_id} in {latency_s:.1f} s",),
    )


def _telegram(settings: Settings) -> Telegram:
    from thunes_cli.alerts.telegram import Telegram
    from thunes_cli.errors import ConfigError

    if settings.telegram_bot_token is None:
        raise ConfigError("TELEGRAM_BOT_TOKEN is not set", hint="ask @BotFather for a bot, put its token into .env")
    return Telegram(settings.telegram_bot_token, settings.telegram_chat_id or "", api_url=settings.telegram_api_url)


def _without_chat(telegram: Telegram) -> Result:
    from thunes_cli.alerts.notifier import NotDelivered

    try:
        return _chat_wrong(telegram, Problem("telegram_chat", "TELEGRAM_CHAT_ID is not set"), telegram.heard())
    except NotDelivered as failure:
        return _refused(failure)


def _failed(telegram: Telegram, failure: NotDelivered) -> Result:
    from thunes_cli.alerts.notifier import ChatRefused, NotDelivered

    if isinstance(failure, ChatRefused):
        with suppress(NotDelivered):  # the chat is what is wrong, whatever else cannot be found out
            return _chat_wrong(telegram, Problem(failure.code, failure.message, failure.hint), telegram.heard())
    return _refused(failure)


def _chat_wrong(telegram: Telegram, problem: Problem, heard: list[Heard]) -> Result:
    """What to set instead: a bot learns of a chat when somebody there writes to it."""
    bot = telegram.bot_name()
    if heard:
        shown = ", ".join(f"{chat.chat_id} ({chat.title})" for chat in heard[:_SHOWN])
        hint = f"{bot} heard from: {shown}; set TELEGRAM_CHAT_ID to one of them"
    else:
        hint = f"write to {bot} from that chat, then again: thunes telegram test"
    chats = [{"chat_id": str(chat.chat_id), "title": chat.title} for chat in heard]
    return _not_delivered(Problem(problem.code, problem.message, hint), ExitCode.CONFIG, chats=chats)


def _refused(failure: NotDelivered) -> Result:
    return _not_delivered(Problem(failure.code, failure.message, failure.hint), failure.exit_code)


def _not_delivered(problem: Problem, exit_code: ExitCode, **more: Any) -> Result:
    data = {"delivered": False, "latency_s": None, **more}
    return Result(data=data, exit_code=exit_code, problems=(problem,))


def _go_on(call: Call) -> None:
    """It works now: nobody need wait any more, whatever was ordered. A ledger that cannot be written is no matter."""
    from thunes_cli.alerts.telegram import NAME
    from thunes_cli.cli.writing import home_journal
    from thunes_cli.errors import ThunesError
    from thunes_cli.ledger.alert_delivery import try_again_now

    with suppress(ThunesError, sqlite3.Error), home_journal(call) as journal, journal.ledger.write() as connection:
        try_again_now(connection, NAME, told_too=True)

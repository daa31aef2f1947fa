"""The channels a home's settings ask for, and what is wrong with those that cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from thunes_cli.alerts.notifier import Notifier
from thunes_cli.config.secrets import RedactingFilter
from thunes_cli.errors import ConfigError

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings

TIMEOUT_S = 30.0  # a slow answer that is not waited for is a message that arrives twice; only its own channel waits
NOT_CONFIGURED = "TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID are not set"


class Channels(NamedTuple):
    """Who carries alerts besides the log; ``problems`` by channel. ``redact`` knows every secret of the settings."""

    notifiers: tuple[Notifier, ...]
    problems: dict[str, str]
    redact: Callable[[str], str]


def open_channels(settings: Settings, *, timeout_s: float = TIMEOUT_S) -> Channels:
    """Make what the settings ask for; nothing is sent. One that cannot be had does not keep the others from working."""
    redact = RedactingFilter(settings.all_secrets).redact
    notifiers: list[Notifier] = []
    problems: dict[str, str] = {}
    token, chat = settings.telegram_bot_token, settings.telegram_chat_id
    if token is not None and chat is not None:
        from thunes_cli.alerts.telegram import Telegram  # noqa: PLC0415 - only who has one needs it

        notifiers.append(Telegram(token, chat, api_url=settings.telegram_api_url, timeout_s=timeout_s))
    elif token is not None or chat is not None:
        missing = "TELEGRAM_CHAT_ID" if chat is None else "TELEGRAM_BOT_TOKEN"
        problems["telegram"] = f"{missing} is not set"
    for name in settings.notifiers:
        from thunes_cli.alerts.plug_ins import load_notifier  # noqa: PLC0415 - reads the metadata of every package

        try:
            notifiers.append(load_notifier(name, settings.notifier_params(name), redact=redact))
        except ConfigError as error:
            problems[name] = error.message
    return Channels(tuple(notifiers), problems, redact)

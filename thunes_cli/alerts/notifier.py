"""What carries alerts to the operator, and how it says that it could not.

``log`` and ``telegram`` are ours. Anything else (mail, ntfy, Slack) is a package of somebody else's with an entry point
in the group ``thunes.notifiers``::

    import urllib.request

    from thunes_cli.alerts.notifier import Message, NotDelivered

    class Ntfy:
        name = "ntfy"

        def __init__(self, params):
            self._url = params["NTFY_URL"]

        def send(self, message: Message) -> None:
            request = urllib.request.Request(self._url, message.text.encode(), {"Title": message.subject})
            try:
                urllib.request.urlopen(request, timeout=10).close()
            except OSError as error:
                raise NotDelivered(f"ntfy: {error}") from None

and in the ``pyproject.toml`` of that package::

    [project.entry-points."thunes.notifiers"]
    ntfy = "our_ntfy:Ntfy"

``NOTIFIERS=ntfy`` turns it on; the settings whose names begin with ``NTFY_`` are its ``params``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from thunes_cli.errors import ExitCode, Unavailable
from thunes_cli.ledger.alerts import Alert, Severity

ENTRY_POINT_GROUP = "thunes.notifiers"


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out at once: plain text, no markup. ``text`` begins with what ``subject`` says.

    ``alerts`` are those it carries; ``part`` of ``parts`` when it was too long for one piece.
    """

    severity: Severity
    subject: str
    text: str
    alerts: tuple[Alert, ...] = ()
    part: int = 1
    parts: int = 1


class Notifier(Protocol):
    """One channel.

    It may also have ``longest``: how many UTF-16 units a piece may have (None: any number), and ``paced``: False when
    each alert goes out as it comes, whatever the storm.
    """

    @property
    def name(self) -> str:
        """What ledger, log and ``alerts list`` call it."""

    def send(self, message: Message, /) -> None:
        """Deliver one piece; returning means that it was taken. It should give up after ten seconds or so.

        Raises:
            NotDelivered: it was not, or perhaps not, and should be tried again later. Any other exception counts so.
        """


class NotifierFactory(Protocol):
    """Makes a channel; usually the class itself. ``params`` are the settings that begin with its name."""

    def __call__(self, params: Mapping[str, str], /) -> Notifier:
        """A channel that has sent nothing yet.

        Raises:
            ConfigError: a setting is missing or wrong.
        """


class NotDelivered(Unavailable):
    """{0}"""

    code = "alert_not_delivered"
    hint = "it is tried again; to see what waits: thunes alerts list"


class Throttled(NotDelivered):
    """{0}: it wants nothing for {1:.0f} s"""

    code = "alert_throttled"

    def __init__(self, channel: str, retry_after_s: float) -> None:
        super().__init__(channel, retry_after_s)
        self.retry_after_s = retry_after_s


class Refused(NotDelivered):
    """{0}"""

    code = "alert_channel_refused"


class TokenRefused(Refused):
    """Telegram does not know the bot's token: {0}"""

    code = "telegram_token"
    exit_code = ExitCode.AUTH
    hint = "correct TELEGRAM_BOT_TOKEN (as @BotFather gave it), then: thunes telegram test"


class ChatRefused(Refused):
    """Telegram does not let the bot write to the chat: {0}"""

    code = "telegram_chat"
    exit_code = ExitCode.CONFIG
    hint = "write to the bot once from that chat, or correct TELEGRAM_CHAT_ID, then: thunes telegram test"


class MessageRefused(NotDelivered):
    """{0}"""

    code = "alert_message_refused"

"""Alerts through a Telegram bot: plain text, so that no exchange's text can break or forge a format."""

from __future__ import annotations

import json
import logging
import math
import re
import time
from dataclasses import dataclass
from typing import Any

from thunes_cli.alerts.message import units
from thunes_cli.alerts.notifier import ChatRefused, Message, MessageRefused, NotDelivered, Throttled, TokenRefused
from thunes_cli.alerts.wire import Answer, exchange
from thunes_cli.config.secrets import MASK, Secret
from thunes_cli.ledger.alerts import Severity

_log = logging.getLogger(__name__)

NAME = "telegram"
LONGEST = 4096  # characters, says Telegram; counted here in UTF-16 units, which are never fewer
TIMEOUT_S = 10.0
_FLOOD_S = 30.0  # a 429 that does not say for how long
_ABOUT_CHAT = re.compile(r"chat|peer|user|group|channel|topic|thread|rights|kicked|blocked|initiate", re.IGNORECASE)
_LONGEST_SHOWN = 120
_OK, _BAD, _FORBIDDEN, _FLOOD = 200, 400, 403, 429
_NO_SUCH_BOT = (401, 404)  # 404: not even the form of a token


@dataclass(frozen=True, slots=True)
class Heard:
    """A chat that wrote to the bot."""

    chat_id: int
    title: str


class Telegram:
    """One bot writing to one chat."""

    name = NAME
    longest = LONGEST

    def __init__(self, token: Secret, chat: str, *, api_url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._token = token
        self._chat = chat
        self._api_url = api_url.rstrip("/")
        self._timeout_s = timeout_s

    def send(self, message: Message) -> None:
        """Deliver one piece.

        Raises:
            TokenRefused (12), ChatRefused (78): somebody must mend the settings.
            Throttled, MessageRefused, NotDelivered: it cannot be sent now (13).
        """
        self.write(message.text, silent=message.severity is Severity.INFO)

    def write(self, text: str, *, silent: bool = False) -> float:
        """Send a text; returns the seconds it took. Raises: as :meth:`send`."""
        began = time.monotonic()
        payload = {
            "text": text or "…",
            "disable_notification": silent,
            "link_preview_options": {"is_disabled": True},
        }
        try:
            self._call("sendMessage", {"chat_id": self._chat, **payload})
        except _Moved as moved:
            self._chat = moved.chat_id
            advice = f"This chat has another number now: set TELEGRAM_CHAT_ID={moved.chat_id}"
            _log.warning("telegram: %s", advice)
            if units(longer := f"{payload['text']}\n\n{advice}") <= LONGEST:
                payload["text"] = longer
            self._call("sendMessage", {"chat_id": self._chat, **payload})
        return time.monotonic() - began

    def bot_name(self) -> str:
        """The bot's name, @ included. Raises: TokenRefused (12), NotDelivered (13)."""
        me = self._call("getMe", {})
        return f"@{me['username']}" if isinstance(me, dict) and isinstance(me.get("username"), str) else "the bot"

    def heard(self) -> list[Heard]:
        """Chats that wrote to the bot lately, newest first. Raises: TokenRefused (12), NotDelivered (13)."""
        updates = self._call("getUpdates", {"limit": 100, "timeout": 0})
        found: dict[int, str] = {}
        for update in reversed(updates if isinstance(updates, list) else []):
            for part in update.values() if isinstance(update, dict) else ():
                chat = part.get("chat") if isinstance(part, dict) else None
                if isinstance(chat, dict) and isinstance(chat.get("id"), int):
                    title = chat.get("title") or chat.get("username") or chat.get("first_name") or ""
                    found.setdefault(chat["id"], str(title)[:_LONGEST_SHOWN])
        return [Heard(chat_id, title) for chat_id, title in found.items()]

    def _call(self, method: str, payload: dict[str, Any]) -> Any:
        url = f"{self._api_url}/bot{self._token.reveal()}/{method}"
        answer = exchange("Telegram", url, timeout_s=self._timeout_s, body=payload)
        document = _document(answer)
        if answer.status == _OK and document is not None and document.get("ok") is True:
            return document.get("result")
        raise self._failure(answer, document)

    def _failure(self, answer: Answer, document: dict[str, Any] | None) -> NotDelivered:
        if document is None or document.get("ok") is not False:
            return NotDelivered(f"Telegram's answer makes no sense (HTTP {answer.status}): is TELEGRAM_API_URL right?")
        given, parameters = document.get("error_code"), document.get("parameters")
        code = given if isinstance(given, int) else answer.status
        hints = parameters if isinstance(parameters, dict) else {}
        said = self._shown(document.get("description"))
        if code == _FLOOD:
            return Throttled("Telegram", _seconds(hints.get("retry_after"), answer.retry_after))
        if code == _BAD and isinstance(hints.get("migrate_to_chat_id"), int):
            return _Moved(str(hints["migrate_to_chat_id"]))
        if code in _NO_SUCH_BOT:
            return TokenRefused(said)
        if code == _FORBIDDEN or (code == _BAD and _ABOUT_CHAT.search(said)):
            return ChatRefused(said)
        return MessageRefused(f"Telegram refused: {said}") if code == _BAD else NotDelivered(f"Telegram failed: {said}")

    def _shown(self, description: Any) -> str:
        text = description if isinstance(description, str) and description else "no reason given"
        one_line = " ".join(text.replace(self._token.reveal(), MASK).split())
        return one_line if len(one_line) <= _LONGEST_SHOWN else one_line[: _LONGEST_SHOWN - 1] + "…"


class _Moved(NotDelivered):
    """the Telegram chat is {0} now"""

    code = "telegram_chat"

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id, hint=f"set TELEGRAM_CHAT_ID={chat_id}")
        self.chat_id = chat_id


def _document(answer: Answer) -> dict[str, Any] | None:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _seconds(told: Any, header: str | None) -> float:
    for value in (told, header):
        try:
            seconds = math.ceil(float(value or 0))
        except (TypeError, ValueError, OverflowError):
            continue
        if seconds > 0:
            return float(seconds)
    return _FLOOD_S

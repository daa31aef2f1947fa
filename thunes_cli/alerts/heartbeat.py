"""The dead man's switch: an address that is asked while all is well, and whose owner raises the alarm when it is not.

The form is that of healthchecks.io and its kin: the address itself is a sign of life, ``/fail`` behind it says that
something is wrong although we live.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from thunes_cli.alerts.notifier import NotDelivered, Throttled
from thunes_cli.alerts.wire import exchange
from thunes_cli.config.secrets import Secret

TIMEOUT_S = 10.0
_GOOD = range(200, 300)
_FLOOD = 429


class Heartbeat:
    """Signs of life to one address."""

    def __init__(self, url: Secret, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s

    def beat(self, troubles: Sequence[str] = ()) -> None:
        """Say that all is well, or what is not: stable names only, the address belongs to somebody else.

        Raises:
            NotDelivered: nobody there took it.
        """
        url = self._url.reveal()
        if troubles:
            said = ", ".join(troubles).encode()
            answer = exchange("HEARTBEAT_URL", _fail(url), timeout_s=self._timeout_s, content=said)
        else:
            answer = exchange("HEARTBEAT_URL", url, timeout_s=self._timeout_s)
        if answer.status == _FLOOD:
            raise Throttled("HEARTBEAT_URL", 60.0)
        if answer.status not in _GOOD:
            raise NotDelivered(f"HEARTBEAT_URL answers HTTP {answer.status}")


def _fail(url: str) -> str:
    """``/fail`` behind the path, whatever follows it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))

"""One HTTP request with an end: so many seconds in all, whatever the other side does.

Addresses here are secrets (a bot's token is part of its address), so nothing of httpx's own words leaves this module:
neither its log lines nor its exceptions, which know the request.
"""

from __future__ import annotations

import functools
import logging
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from thunes_cli.alerts.notifier import NotDelivered

if TYPE_CHECKING:
    import httpx

LARGEST_ANSWER = 256 * 1024
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TALKATIVE = ("httpx", "httpcore")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    retry_after: str | None = None


class Unreachable(NotDelivered):
    """{0} cannot be reached: {1}"""

    code = "alert_channel_unreachable"
    hint = "look at this machine's network; what waits is sent when it is back: thunes alerts list"


class CutOff(NotDelivered):
    """{0} did not answer: {1}; what was sent may have arrived"""

    code = "alert_channel_silent"
    hint = "it is tried again and may then arrive twice: thunes alerts list"


def exchange(who: str, url: str, *, timeout_s: float, body: Any = None, content: bytes | None = None) -> Answer:
    """Ask ``url``: GET, or POST with a JSON ``body`` or raw ``content``. Redirections are not followed.

    Args:
        who: what to call the other side in an error.
        url: with everything secret in it.
        timeout_s: for all of it.
        body: what is sent as JSON.
        content: what is sent as it is.

    Raises:
        Unreachable: no connection came about, nothing was sent. CutOff: the answer did not come, or not all of it.
    """
    import httpx  # noqa: PLC0415 - 0.1 s, and only who sends needs it

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = _client(httpx, url, timeout_s)
    except Exception as error:  # noqa: BLE001 - a proxy's address that is none, certificates that are not there
        raise Unreachable(who, _why(error, late=False)) from None
    deadline = time.monotonic() + timeout_s
    watchdog = threading.Timer(timeout_s, client.close)  # a time-out of each read ends no answer that drips
    watchdog.daemon = True
    watchdog.start()
    try:
        method = "GET" if body is None and content is None else "POST"
        sent: Mapping[str, Any] = {"json": body} if body is not None else {"content": content}
        with client.stream(method, url, **sent) as response:
            received = _read(response, deadline)
            return Answer(response.status_code, received, response.headers.get("retry-after"))
    except (
        *(httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError),
        *(httpx.UnsupportedProtocol, httpx.InvalidURL),
    ) as error:
        raise Unreachable(who, _why(error, late=time.monotonic() >= deadline)) from None
    except Exception as error:  # noqa: BLE001 - also what a client says that was closed in the middle
        raise CutOff(who, _why(error, late=time.monotonic() >= deadline)) from None
    finally:
        watchdog.cancel()
        client.close()


def _read(response: httpx.Response, deadline: float) -> bytes:
    received = b""
    for chunk in response.iter_raw():
        received += chunk
        if len(received) > LARGEST_ANSWER or time.monotonic() > deadline:
            raise TimeoutError
    return received


def _client(httpx: Any, url: str, timeout_s: float) -> httpx.Client:
    parts = urlsplit(url)
    local = parts.hostname in _LOOPBACK
    return httpx.Client(  # type: ignore[no-any-return]  # the module is handed over, it is imported late
        timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0)),
        trust_env=not local,  # a proxy of the machine's, as for the exchange
        verify=_tls() if parts.scheme == "https" else False,
        headers={"User-Agent": "thunes", "Accept-Encoding": "identity"},
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    import httpx  # noqa: PLC0415 - as above

    return httpx.create_ssl_context()


def _why(error: Exception, *, late: bool) -> str:
    """In a few words of ours or of the system's; an exception of httpx's may tell the address."""
    if late or "Timeout" in type(error).__name__ or isinstance(error, TimeoutError):
        return "it took too long"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not good ({cause.verify_message})"
        if isinstance(cause, OSError) and cause.strerror:
            return str(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__

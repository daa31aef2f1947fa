"""One WebSocket connection: opened, read, asked for signs of life, closed within a second whatever the peer does.

The only file that imports ``websockets``, and not before a connection is to be made. The library's own keep-alive is
off: whether a connection is still good is decided in one place, by :mod:`thunes_cli.exchange.lifeline`.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from thunes_cli import __version__
from thunes_cli.exchange.classify import FIRST_WAIT_S, retry_after

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CLOSE_S = 1.0  # on a half-open connection nobody answers a close frame
_QUEUE = 4096  # messages the library holds for us; we take each at once
_ORDERLY = frozenset({1000, 1001, 1012, 1013})  # the peer goes away, or asks to come back
_TOO_MANY = frozenset({418, 429})


class SocketLost(Exception):
    """A connection came to nothing, or ended.

    ``orderly``: the peer said that it goes. ``wait_s``: it told how long to stay away.
    """

    def __init__(self, why: str, *, orderly: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.orderly = orderly
        self.wait_s = wait_s


class Socket:
    """An open connection, read by one thread."""

    def __init__(self, connection: ClientConnection, *, leave: Callable[[], None], heard: Callable[[], float]) -> None:
        self._connection = connection
        self._leave = leave
        self._heard = heard
        self._asked_mono: float | None = None

    @classmethod
    def open(cls, url: str, *, timeout_s: float) -> Self:
        """Connect, TLS and handshake together within so many seconds.

        Raises:
            SocketLost: it came to nothing.
        """
        from websockets.exceptions import InvalidStatus, WebSocketException  # noqa: PLC0415 - a tenth of a second
        from websockets.sync.client import ClientConnection, connect  # noqa: PLC0415 - as above

        # It logs whole frames at DEBUG, and with them keys and signatures.
        logging.getLogger("websockets").setLevel(logging.INFO)

        class Listening(ClientConnection):
            """Notes when a frame of any kind came: the peer's pings prove that it lives as well as messages do."""

            heard_mono = 0.0

            def process_event(self, event: Any) -> None:
                self.heard_mono = time.monotonic()
                super().process_event(event)

        parts = urlsplit(url)
        stack = contextlib.ExitStack()  # since 17.1 a connection is entered, and left by the same
        try:
            connection = stack.enter_context(
                connect(
                    url,
                    open_timeout=timeout_s,
                    close_timeout=_CLOSE_S,
                    ping_interval=None,
                    compression=None,
                    max_queue=_QUEUE,
                    proxy=None if parts.hostname in _LOOPBACK else True,
                    user_agent_header=f"thunes/{__version__}",
                    create_connection=Listening,
                )
            )
        except InvalidStatus as error:
            status = error.response.status_code
            wait_s = (retry_after(error.response.headers) or FIRST_WAIT_S) if status in _TOO_MANY else 0.0
            raise SocketLost(f"{parts.netloc}: HTTP {status} instead of a connection", wait_s=wait_s) from None
        except TimeoutError:
            raise SocketLost(f"{parts.netloc}: no connection within {timeout_s:g} s") from None
        except (OSError, EOFError, ValueError, WebSocketException) as error:
            raise SocketLost(f"{parts.netloc}: {_words(error)}") from None
        assert isinstance(connection, Listening)
        connection.heard_mono = time.monotonic()
        return cls(connection, leave=stack.close, heard=lambda: connection.heard_mono)

    def receive(self, timeout_s: float) -> bytes | None:
        """The next message, text or not; None when there was none in time.

        Raises:
            SocketLost: the connection has ended.
        """
        try:
            return self._connection.recv(timeout_s, decode=False)
        except TimeoutError:
            return None
        except self._closed as error:
            raise _ended(error) from None

    def send(self, text: str) -> None:
        """Send a text message.

        Raises:
            SocketLost: the connection has ended.
        """
        try:
            self._connection.send(text)
        except self._closed as error:
            raise _ended(error) from None

    def silent_s(self, *, ask_after_s: float) -> float:
        """For how long a ping of ours has been waiting while no frame at all came; asks when it is time to.

        Raises:
            SocketLost: the connection has ended.
        """
        now, heard = time.monotonic(), self._heard()
        if self._asked_mono is not None and heard >= self._asked_mono:
            self._asked_mono = None
        if self._asked_mono is not None:
            return now - self._asked_mono
        if now - heard >= ask_after_s:
            self._asked_mono = now
            try:
                self._connection.ping()
            except self._closed as error:
                raise _ended(error) from None
        return 0.0

    def close(self) -> None:
        """End it: a close frame, and a second for the peer's."""
        try:
            self._leave()
        except OSError as error:  # whatever is left of it
            logging.getLogger(__name__).debug("socket not closed in order: error=%s", error)

    @property
    def _closed(self) -> type[Exception]:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - loaded by now

        return ConnectionClosed


def _ended(error: Any) -> SocketLost:
    frame = error.rcvd
    if frame is None:
        return SocketLost("the connection broke")
    said = f" ({frame.reason})" if frame.reason else ""
    return SocketLost(f"closed by the exchange: {frame.code}{said}", orderly=frame.code in _ORDERLY)


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__

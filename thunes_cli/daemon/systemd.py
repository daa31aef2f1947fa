"""Telling systemd how we are: the notify protocol of sd_notify(3), one datagram a message."""

from __future__ import annotations

import contextlib
import socket

_ABSTRACT = "@"
_EXTEND_S = 60  # from each message on; they come every few seconds


class Notifier:
    """Sends to the socket named by ``NOTIFY_SOCKET``; without one, says nothing.

    A message that cannot be delivered is dropped: systemd decides what silence means, trading goes on.
    """

    def __init__(self, address: str | None) -> None:
        self._address = "\0" + address[1:] if address and address.startswith(_ABSTRACT) else address or ""
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)

    def ready(self, status: str) -> None:
        """The gate is passed: what waits for us may start."""
        self._send("READY=1", f"STATUS={status}")

    def waiting(self, text: str) -> None:
        """The start takes its time, for one because the exchange is away: that is no failure (``TimeoutStartSec=``)."""
        self._send(f"STATUS={text}", f"EXTEND_TIMEOUT_USEC={_EXTEND_S * 1_000_000}")

    def alive(self) -> None:
        """The main loop makes progress (``WatchdogSec=``)."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """We are on the way out."""
        self._send("STOPPING=1", "STATUS=stopping")

    def close(self) -> None:
        """Close the socket; later messages are dropped."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

"""One WebSocket: what is sent waits in a bounded queue, so that no client can make another one wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from aiohttp import WSMsgType, web

from thunes_cli.sim.streams_message import Message
from thunes_cli.sim.ws_limits import SocketLimits

POLICY_VIOLATION = 1008
GOING_AWAY = 1001
_INTERNAL_ERROR = 1011
_LOG = logging.getLogger(__name__)
_OVER = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
_CLOSING_SECONDS = 2.0
_NO_LINGER = struct.pack("ii", 1, 0)
# Frames sent before others get their turn.
_SLICE = 64


class Session(Protocol):
    """What a connection is for."""

    def hear(self, text: str) -> None:
        """The client has sent a message."""

    def shutdown_event(self, moment: int) -> bytes:
        """The event that tells of the exchange's shutdown, in this kind of connection's shape."""

    def burst(self, number: int) -> list[bytes]:
        """That many messages at once, each of them true."""

    def close(self) -> None:
        """The connection is over."""


class Connection:
    """A client's connection, from its handshake to its end.

    Attributes:
        session: what it is for; set before :meth:`run`. ``combined``: events are wrapped with their stream's name.
        unit: of times in events. ``silent``: no message is sent, although the connection lives (pings and pongs go on).
        frozen: nothing is read, written or closed any more, as if the network between had vanished.
    """

    session: Session

    def __init__(
        self, websocket: web.WebSocketResponse, transport: asyncio.Transport, limits: SocketLimits, *, unit: int
    ) -> None:
        self.combined = False
        self.unit = unit
        self.silent = False
        self.frozen = False
        self._socket = websocket
        self._transport = transport
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[WSMsgType, bytes]] = deque()
        self._queued = 0
        self._ready = asyncio.Event()
        self._closing: tuple[int, bytes] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        # Pings without a pong, oldest first.
        self._unanswered: dict[bytes, None] = {}
        self._heard: deque[float] = deque(maxlen=limits.messages or 1)

    # --- sending -------------------------------------------------------------------------------------------------

    def deliver(self, message: Message) -> None:
        """Send an event of a market stream."""
        if not (self.silent or self.frozen):
            self.send(message.form(combined=self.combined, unit=self.unit))

    def send(self, data: bytes, *, kind: WSMsgType = WSMsgType.TEXT) -> None:
        """Queue a frame. A client that leaves too much of it unread is cut."""
        if self.frozen or self._closing is not None or (self.silent and kind is WSMsgType.TEXT):
            return
        self._queue.append((kind, data))
        self._queued += len(data)
        self._ready.set()
        if self._queued > self._limits.queue_bytes:
            self.abort()

    def send_garbage(self, data: bytes) -> None:
        """Send what no client expects: as a text frame where it is text, else as a binary one."""
        try:
            data.decode()
        except UnicodeDecodeError:
            self.send(data, kind=WSMsgType.BINARY)
        else:
            self.send(data)

    def cut(self, code: int, reason: str) -> None:
        """Close as the exchange does: what is queued, a close frame, and no long wait for the client's."""
        if self.frozen or self._closing is not None:
            return
        self._closing = (code, reason.encode())
        self._ready.set()
        self._later(_CLOSING_SECONDS, self.abort)

    def abort(self) -> None:
        """Let the TCP connection fall, without a word."""
        self._closing = self._closing or (GOING_AWAY, b"")
        self._queue.clear()
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):  # a reset at once, whatever the kernel has not delivered yet
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def freeze(self) -> None:
        """Become half open: the peer is left with a connection on which nothing ever moves again."""
        self.frozen = True
        self._queue.clear()
        self._transport.pause_reading()

    async def _write(self) -> None:
        sent = 0
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._queue:
                kind, data = self._queue.popleft()
                self._queued -= len(data)
                await self._socket.send_frame(data, kind)
                sent += 1
                if sent % _SLICE == 0:
                    await asyncio.sleep(0)
            if self._closing is not None and not self.frozen:
                # Not the library's own closing: it shuts the socket at once, and with something unread in it that is a
                # reset, after which the client may never see why.
                code, reason = self._closing
                await self._socket.send_frame(struct.pack("!H", code) + reason, WSMsgType.CLOSE)
                return

    # --- receiving -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until either side ends it."""
        writer = self._loop.create_task(self._write_until_lost())
        self._later(self._limits.ping_s, self._ping)
        self._later(self._limits.life_s, self._expire)
        try:
            while (message := await self._socket.receive()).type not in _OVER:
                if not self.frozen and self._closing is None:
                    self._receive(message.type, message.data)
            if self._closing is not None:
                self._transport.close()  # the client's answer to our close frame
            elif message.type is WSMsgType.CLOSE:
                await self._socket.close(drain=False)
        finally:
            for timer in self._timers:
                timer.cancel()
            self._closing = self._closing or (GOING_AWAY, b"")
            self.session.close()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    async def _write_until_lost(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._write()

    def _receive(self, kind: WSMsgType, data: str | bytes | bytearray) -> None:
        if self._too_many():
            self.cut(POLICY_VIOLATION, "Too many requests")
        elif isinstance(data, str):
            self._hear(data)
        elif kind is WSMsgType.PING:
            self.send(bytes(data), kind=WSMsgType.PONG)
        elif kind is WSMsgType.PONG:
            self._answered(bytes(data))
        else:
            self._hear(data.decode("utf-8", "replace"))

    def _hear(self, text: str) -> None:
        try:
            self.session.hear(text)
        except Exception:  # noqa: BLE001 - no message may end the exchange
            _LOG.exception("a WebSocket message could not be answered")
            self.cut(_INTERNAL_ERROR, "Internal error")

    def _too_many(self) -> bool:
        if self._limits.messages is None:
            return False
        now = self._loop.time()
        over = len(self._heard) == self._limits.messages and now - self._heard[0] < 1.0
        self._heard.append(now)
        return over

    # --- pings ---------------------------------------------------------------------------------------------------

    def _expire(self) -> None:
        if self.frozen:
            self.abort()
        self.cut(GOING_AWAY, "Connection lifetime reached")

    def _ping(self) -> None:
        if self.frozen or self._closing is not None:
            return
        payload = str(time.time_ns() // 1_000_000).encode()
        self._unanswered[payload] = None
        self.send(payload, kind=WSMsgType.PING)
        self._later(self._limits.pong_s, lambda: self._demand(payload))
        self._later(self._limits.ping_s, self._ping)

    def _demand(self, payload: bytes) -> None:
        if payload in self._unanswered:
            self.cut(POLICY_VIOLATION, "Pong timeout")

    def _answered(self, payload: bytes) -> None:
        """A pong with a ping's payload answers it and those before it; one nobody asked for answers nothing."""
        if payload in self._unanswered:
            for earlier in list(self._unanswered):
                del self._unanswered[earlier]
                if earlier == payload:
                    break

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        now = self._loop.time()
        self._timers = [timer for timer in self._timers if timer.when() > now]
        self._timers.append(self._loop.call_later(seconds, call))

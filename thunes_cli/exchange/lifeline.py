"""Keeping one WebSocket connection alive: reconnect, give up for a while, come back; all in network time.

One thread reads and watches. A connection that breaks, goes silent, is half open or is not trusted any more is made
anew after 1, 2, 4, 8, 16 s; after so many failures the line has *fallen back* (whoever needs its news asks elsewhere)
and goes on trying in the background. A connection that is about to end (``serverShutdown``, the 24 h limit, another
key) is replaced first and left afterwards, so that nothing is missed in between.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from thunes_cli.exchange.line import Change, Heard, Line, LineState, Patience, Session
from thunes_cli.exchange.socket import Socket, SocketLost

_log = logging.getLogger(__name__)

_LOOK_S = 0.25  # between two looks at the watch; also what ending takes
_MOST_BACKOFF_S = 16.0
_OVERLAP_S = 0.02


@dataclass(slots=True)
class _Connection:
    socket: Socket
    session: Session
    opened_mono: float
    heard_mono: float = field(default=0.0)
    good: bool = False
    leaving: bool = False


class Lifeline:
    """Keeps a line alive on a thread of its own. ``on_change`` is called by that thread and must be quick."""

    def __init__(
        self,
        line: Line,
        patience: Patience,
        *,
        on_change: Callable[[Change, str], None] = lambda _change, _why: None,
        open_socket: Callable[..., Socket] = Socket.open,
    ) -> None:
        self._line = line
        self._patience = patience
        self._on_change = on_change
        self._open_socket = open_socket
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._current: _Connection | None = None
        self._doubt: str | None = None
        self._renewal: str | None = None
        self._renew_not_before = 0.0
        self._row = 0  # losses and failed attempts since a connection lasted
        self._fallen_back = False
        self._pause_s = 0.0
        self._connections = 0
        self._heard_mono: float | None = None
        self._problem: str | None = None

    # -- from other threads ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and go on."""
        self._thread = threading.Thread(target=self._run, name=self._line.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; returns at once."""
        self._ending.set()

    def finished(self, wait_s: float) -> bool:
        """Whether the thread has ended after :meth:`stop`, waiting at most so long."""
        if self._thread is not None:
            self._thread.join(wait_s)
        return self._thread is None or not self._thread.is_alive()

    def distrust(self, why: str) -> None:
        """The connection lives and does not do its work: make another one."""
        self._doubt = why

    def renew(self, why: str) -> None:
        """Replace the connection by a new one, without a gap."""
        self._renewal = why
        self._renew_not_before = 0.0

    @property
    def state(self) -> LineState:
        """How it stands."""
        current = self._current
        return LineState(
            up_mono=current.opened_mono if current is not None and current.good else None,
            fallen_back=self._fallen_back,
            reconnects=max(self._connections - 1, 0),
            heard_mono=self._heard_mono,
            problem=self._problem,
        )

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._live()
            except SocketLost as lost:
                self._failed(lost)
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not end the stream for good
                _log.exception("%s: unexpected", self._line.name)
                self._failed(SocketLost(f"{type(error).__name__}: {error}"))
        self._leave()

    def _live(self) -> None:
        """One connection, from the wait before it to its end."""
        if self._ending.wait(self._pause_s):
            return
        if self._row and not self._fallen_back:
            most = self._patience.max_reconnects
            _log.info("%s: Attempting reconnection (attempt %d/%d)", self._line.name, self._row, most)
        self._renewal = None  # what is made from now on needs no replacing
        self._current = self._open()
        self._doubt = None
        looked_mono = 0.0
        while not self._ending.is_set():
            current = self._current
            message = current.socket.receive(_LOOK_S)
            now = time.monotonic()
            if message is not None:
                self._hear(current, message, now)
            if now - looked_mono >= _LOOK_S:
                looked_mono = now
                self._look(current, now)

    def _open(self) -> _Connection:
        socket = self._open_socket(self._line.url(), timeout_s=self._patience.connect_s)
        try:
            session = self._line.begin(socket.send)
        except BaseException:
            socket.close()
            raise
        now = time.monotonic()
        return _Connection(socket, session, opened_mono=now, heard_mono=now)

    def _hear(self, connection: _Connection, message: bytes, now: float) -> None:
        heard = connection.session.hear(message)
        if heard is Heard.LEAVING and not connection.leaving:
            connection.leaving = True
            _log.info("%s: the exchange announces the end of the connection", self._line.name)
        if heard is not Heard.NEWS:
            return
        connection.heard_mono = self._heard_mono = now
        if not connection.good:
            connection.good = True
            if connection is self._current:
                self._came_up()

    def _came_up(self) -> None:
        first, restored = self._connections == 0, self._fallen_back
        self._connections += 1
        self._fallen_back, self._problem = False, None
        if first:
            _log.info("%s: WebSocket connected", self._line.name)
        else:
            _log.info("%s: WebSocket reconnected successfully", self._line.name)
        self._on_change(Change.UP if first else Change.RESTORED if restored else Change.AGAIN, "")

    def _look(self, current: _Connection, now: float) -> None:
        """The watchdog."""
        current.session.tend()
        if self._row and current.good and now - current.opened_mono >= self._patience.settle_s:
            self._row = 0
        if (doubt := self._doubt) is not None:
            raise SocketLost(doubt)
        stale_s = self._patience.stale_s if current.good else self._patience.first_s
        if stale_s is not None and now - current.heard_mono > stale_s:
            raise SocketLost(f"WebSocket unhealthy: no messages for {now - current.heard_mono:.0f}s")
        silent_s = current.socket.silent_s(ask_after_s=self._patience.ping_s)
        if silent_s > self._patience.pong_s:
            raise SocketLost(f"WebSocket unhealthy: ping unanswered for {silent_s:.0f}s")
        if now - current.opened_mono > self._patience.life_s:
            self._renewal = self._renewal or "the connection is about to be too old"
        wanted = self._renewal or ("the exchange is about to end it" if current.leaving else None)
        if wanted is not None and current.good and now >= self._renew_not_before:
            self._replace(current, wanted)

    def _replace(self, old: _Connection, why: str) -> None:
        """Make the next connection while the old one still speaks, then leave the old one."""
        self._renewal = None  # who asks while this one is made means the one after it: the key may be another by then
        self._renew_not_before = time.monotonic() + self._patience.settle_s
        fresh = self._successor(old)
        if fresh is None:
            self._renewal = self._renewal or why
            return
        self._current = fresh
        self._connections += 1
        _log.info("%s: connection replaced: why=%s", self._line.name, why)
        old.socket.close()

    def _successor(self, old: _Connection) -> _Connection | None:
        """Another connection, once it has brought news; None when it does not. The old one is heard meanwhile."""
        with contextlib.ExitStack() as unless_good:
            try:
                fresh = self._open()
                unless_good.callback(fresh.socket.close)
                if self._hear_both(old, fresh):
                    unless_good.pop_all()
                    return fresh
            except SocketLost as lost:
                _log.warning("%s: not replaced yet: why=%s", self._line.name, lost)
        return None

    def _hear_both(self, old: _Connection, fresh: _Connection) -> bool:
        """Listen to both until the fresh one has brought news; what the old one brought is not lost."""
        ends, speaks = time.monotonic() + self._patience.connect_s, True
        while not fresh.good and time.monotonic() < ends and not self._ending.is_set():
            if speaks:
                speaks = self._hear_old(old, _OVERLAP_S)
            message = fresh.socket.receive(_OVERLAP_S)
            if message is not None:
                self._hear(fresh, message, time.monotonic())
            fresh.session.tend()
        if speaks:
            self._hear_old(old, 0.0)
        return fresh.good

    def _hear_old(self, old: _Connection, wait_s: float) -> bool:
        """Everything the old connection has for us now; whether it still lives."""
        try:
            while (message := old.socket.receive(wait_s)) is not None:
                self._hear(old, message, time.monotonic())
                wait_s = 0.0
        except SocketLost:
            return False
        return True

    def _failed(self, lost: SocketLost) -> None:
        """A connection was lost, or did not come about."""
        was, self._current = self._current, None
        if was is not None:
            was.socket.close()
        self._row += 1
        self._problem = str(lost)
        planned = was is not None and was.good and (lost.orderly or was.leaving)
        if not self._fallen_back:
            level = logging.INFO if planned else logging.WARNING
            _log.log(level, "%s: no connection: why=%s", self._line.name, lost)
        if was is not None and was.good:
            self._on_change(Change.LOST, str(lost))
        self._pause_s = 0.0 if planned and self._row == 1 else min(2.0 ** (self._row - 1), _MOST_BACKOFF_S)
        if self._row > self._patience.max_reconnects:
            self._pause_s = self._patience.retry_s
            if not self._fallen_back:
                self._fallen_back = True
                self._on_change(Change.FELL_BACK, str(lost))
        self._pause_s = max(self._pause_s, lost.wait_s)

    def _leave(self) -> None:
        if self._current is not None:
            self._current.socket.close()
            self._current = None

"""A lifeline of candles against a server whose conversation a test writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream_server import StreamServer, combined, kline
from websockets.sync.server import ServerConnection

from thunes_cli.exchange.kline_line import KlineLine, Update
from thunes_cli.exchange.lifeline import Lifeline
from thunes_cli.exchange.line import Change, Patience

# Nothing here may be lost because the machine was busy for seconds: only what a test is about is waited for shortly.
QUICK = Patience(
    stale_s=20, max_reconnects=5, first_s=20, ping_s=0.3, pong_s=20, settle_s=0.3, retry_s=0.5, connect_s=20
)


class Room:
    """A lifeline with what came of it."""

    def __init__(self, server: StreamServer, patience: Patience, symbols: tuple[str, ...]) -> None:
        self.changes: list[Change] = []
        self.updates: list[Update] = []
        self.line = KlineLine(server.url, "1m", symbols, take=self.updates.append)
        self.life = Lifeline(self.line, patience, on_change=lambda change, _why: self.changes.append(change))


@contextmanager
def listening(
    conversation: Callable[[ServerConnection, int], None],
    patience: Patience = QUICK,
    *,
    symbols: tuple[str, ...] = ("BTCUSDT",),
    refusing: int | None = None,
) -> Iterator[tuple[Room, StreamServer]]:
    """The room and the server it listens to; both are ended."""
    with StreamServer(conversation, refusing=refusing) as server:
        room = Room(server, patience, symbols)
        room.life.start()
        try:
            yield room, server
        finally:
            room.life.stop()
            assert room.life.finished(20)


def talk(connection: ServerConnection, server_ends: threading.Event, *, for_s: float = 60.0) -> None:
    """Send candles as the exchange does, quicker."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends and not server_ends.wait(0.05):
        connection.send(combined(kline()))

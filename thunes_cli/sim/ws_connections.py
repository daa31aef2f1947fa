"""Every WebSocket of the exchange in one place, with what can go wrong with them at the word of a command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from thunes_cli.sim.ws_connection import Connection

Kind = Literal["market", "api"]

# What a client may meet on a stream it thinks it knows: half a message, other shapes, another event, no text at all.
_GARBAGE = (b'{"e":"kline","E":17', b"[]", b"null", b'{"e":"somethingNew","E":1,"data":{"k":null}}', b"\xff\xfe{")
_STARTED_AGAIN = 1012


class Connections:
    """The open connections, and the faults of connections.

    Every method acts on all connections, or on those of a kind: ``market`` (streams) or ``api`` (WebSocket API), and
    returns how many it reached. A fault that lasts is lifted by calling it again with ``on=False``.

    Attributes:
        refusing: new connections are refused. ``silent``: of these kinds, new connections are silent too.
        twice, reversed: so many of the account's next changes are reported twice, or with their events in reverse
            order; counted down as they happen.
    """

    def __init__(self) -> None:
        self.refusing = False
        self.silent: set[Kind] = set()
        self.twice = 0
        self.reversed = 0
        self._open: dict[Connection, Kind] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection, kind: Kind) -> None:
        """A connection has been made."""
        self._open[connection] = kind
        connection.silent = kind in self.silent

    def remove(self, connection: Connection) -> None:
        """It is over."""
        self._open.pop(connection, None)

    def of(self, kind: Kind | None = None) -> Iterator[Connection]:
        """The open connections, oldest first."""
        return (connection for connection, its in list(self._open.items()) if kind is None or its == kind)

    # --- faults --------------------------------------------------------------------------------------------------

    def drop(self, kind: Kind | None = None) -> int:
        """Let TCP connections fall, without a close frame."""
        return self._each(kind, lambda connection: connection.abort())

    def refuse(self, *, on: bool = True) -> None:
        """Refuse new connections with HTTP 503."""
        self.refusing = on

    def silence(self, kind: Kind | None = None, *, on: bool = True) -> int:
        """Send no message any more, while pings and pongs go on; what would have been said is lost."""
        kinds: set[Kind] = {"market", "api"} if kind is None else {kind}
        self.silent = self.silent | kinds if on else self.silent - kinds

        def silence(connection: Connection) -> None:
            connection.silent = on

        return self._each(kind, silence)

    def freeze(self, kind: Kind | None = None) -> int:
        """Become half open: no byte is read or written again, and no connection closed."""
        return self._each(kind, lambda connection: connection.freeze())

    def send_garbage(self, kind: Kind | None = None) -> int:
        """Send frames no client can read."""

        def send(connection: Connection) -> None:
            for frame in _GARBAGE:
                connection.send_garbage(frame)

        return self._each(kind, send)

    def burst(self, number: int, kind: Kind | None = None) -> int:
        """Send that many messages at once, each of them true, to whoever is subscribed to something."""

        def send(connection: Connection) -> None:
            for message in connection.session.burst(number):
                connection.send(message)

        return self._each(kind, send)

    def repeat_user_events(self, count: int = 1) -> None:
        """Report the account's next changes twice."""
        self.twice += count

    def reverse_user_events(self, count: int = 1) -> None:
        """Report the events of the account's next changes last one first."""
        self.reversed += count

    def broadcast_shutdown(self, moment: int, *, drop_after: float | None = None) -> int:
        """Send ``serverShutdown`` in each connection's shape, and close the connections so many seconds later."""

        def send(connection: Connection) -> None:
            connection.send(connection.session.shutdown_event(moment))
            if drop_after is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(drop_after, connection.cut, _STARTED_AGAIN, "Service restart")

        return self._each(None, send)

    async def close(self, moment: int, *, within: float) -> None:
        """The exchange ends: say so, close every connection, and do not wait long for any of them."""
        self.refusing = True
        self.broadcast_shutdown(moment, drop_after=0)
        deadline = asyncio.get_running_loop().time() + within
        while self._open and asyncio.get_running_loop().time() < deadline:
            if all(connection.frozen for connection in self._open):
                break
            await asyncio.sleep(0.01)
        self.drop()

    def _each(self, kind: Kind | None, do: Callable[[Connection], None]) -> int:
        reached = 0
        for connection in self.of(kind):
            do(connection)
            reached += 1
        return reached

"""The listening socket, which can be closed for a while: connections are then refused as if nobody served."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

_LOG = logging.getLogger(__name__)
# The command that asks for it wants its answer first.
_GRACE_SECONDS = 0.05


class Listener:
    """Listens on an address, and stops doing so on request."""

    def __init__(self, runner: web.ServerRunner) -> None:
        self._runner = runner
        self._site: web.TCPSite | None = None
        self._host = ""
        self._port = 0
        self._task: asyncio.Task[None] | None = None
        self._again = 0.0

    async def listen(self, host: str, port: int) -> int:
        """Listen; the port, which the system chooses when it is 0.

        Raises:
            OSError: it cannot be listened on.
        """
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._site, self._host, self._port = site, host, int(self._runner.addresses[0][1])
        return self._port

    def refuse(self, seconds: float) -> None:
        """Refuse connections for a while, from a moment from now on; asked again, until the later end."""
        loop = asyncio.get_running_loop()
        self._again = max(self._again, loop.time() + _GRACE_SECONDS + seconds)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._pause())

    async def stop(self) -> None:
        """Begin no more pauses."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(_GRACE_SECONDS)
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self._drop_all()
        while (left := self._again - loop.time()) > 0:  # noqa: ASYNC110 - asked again, the end moves
            await asyncio.sleep(left)
        while self._site is None:
            try:
                await self.listen(self._host, self._port)
            except OSError as error:  # somebody took the port in the meantime: clients know no other
                _LOG.warning("cannot listen on %s:%s again: %s", self._host, self._port, error)
                await asyncio.sleep(1)

    def _drop_all(self) -> None:
        server = self._runner.server
        for connection in server.connections if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()

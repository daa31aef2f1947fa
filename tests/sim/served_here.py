"""An exchange served on a thread of the test's own process, so that a test can do to it what no client can."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web
from serving import Serving

from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.serve import announce
from thunes_cli.sim.server import RestServer
from thunes_cli.sim.world import World, open_world

T = TypeVar("T")
_PATIENCE_S = 30


class ServedHere(Serving):
    """A served world that can be reached into: ``world`` belongs to the server's thread, use :meth:`do`."""

    world: World

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.session.close()

    def do(self, action: Callable[[], T]) -> T:
        """Do something on the server's thread."""

        async def run() -> T:
            return action()

        return self._wait(run())

    def wait_until_alone(self) -> None:
        """Return when the server has let go of every WebSocket, those too which a fault has made half open."""
        self.do(self.world.connections.drop)
        deadline = time.monotonic() + _PATIENCE_S
        while self.do(lambda: len(self.world.connections)):
            assert time.monotonic() < deadline, "the server holds on to a WebSocket that it dropped"

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(2 * _PATIENCE_S)

    async def _open(self) -> None:
        self.options = SimOptions.from_json(self.options.to_json())
        self.world = open_world(self.options)
        self._server = RestServer(self.world)
        self._runner = self._server.runner()
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        announcement = announce(self.world, int(self._runner.addresses[0][1]))
        self.announced = {"stream_url": announcement.stream_url, "ws_api_url": announcement.ws_api_url}
        self.url, self.key, self.secret = announcement.rest_url, announcement.api_key, announcement.api_secret

    async def _close(self) -> None:
        await self._server.close()
        await self._runner.cleanup()
        self.world.close()

"""WebSocket handshakes: which path is what, who may connect, and the life of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

from aiohttp import web

from thunes_cli.sim.calls import Endpoint
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.streams_pulse import Pulse
from thunes_cli.sim.time_unit import parse_unit
from thunes_cli.sim.user_data import UserData
from thunes_cli.sim.weights import FixedWindow
from thunes_cli.sim.world import World
from thunes_cli.sim.ws_api import ApiRoom, ApiSession, Perform
from thunes_cli.sim.ws_connection import Connection
from thunes_cli.sim.ws_connections import Kind
from thunes_cli.sim.ws_limits import (
    CONNECTS,
    CONNECTS_SPAN_MS,
    MESSAGES_A_SECOND,
    MOST_MESSAGE_BYTES,
    SocketLimits,
)
from thunes_cli.sim.ws_market import MarketSession
from thunes_cli.sim.ws_methods import methods

API_PATH = "/ws-api/v3"
_CONNECT_WEIGHT = 2
_CLOSE_SECONDS = 1.0


def is_websocket_path(path: str) -> bool:
    """Whether a path (without its query) is one of the streams' or the WebSocket API's."""
    return path in {API_PATH, "/ws", "/stream", "/stream/"} or path.startswith("/ws/")


class SocketServer:
    """Turns HTTP requests into WebSocket connections, and keeps what drives them."""

    def __init__(self, world: World, endpoints: Mapping[tuple[str, str], Endpoint], perform: Perform) -> None:
        self._world = world
        self._user_data = UserData(world)
        self._pulse = Pulse(world, watch=lambda: bool(self._user_data))
        self._room = ApiRoom(world, self._user_data, methods(endpoints), perform)
        self._connects = FixedWindow(CONNECTS_SPAN_MS)
        self._market_limits = SocketLimits.of(world.options, messages=MESSAGES_A_SECOND)
        self._api_limits = SocketLimits.of(world.options)

    def look_again(self) -> None:
        """Somebody has moved the market's clock, or changed a key."""
        self._user_data.check_keys()
        self._pulse.kick()

    async def close(self) -> None:
        """End every connection, orderly as far as the clients let us."""
        await self._world.connections.close(self._world.clock.now(), within=_CLOSE_SECONDS)
        await self._pulse.stop()

    async def serve(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """A connection from handshake to end.

        Raises:
            ApiError: it is refused, as HTTP.
        """
        address = request.remote or ""
        asked = parse_qs(query, keep_blank_values=True)
        unit = parse_unit(asked.get("timeUnit", [None])[-1])
        self._admit(address)
        socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, timeout=_CLOSE_SECONDS, max_msg_size=MOST_MESSAGE_BYTES
        )
        if not socket.can_prepare(request):
            raise ApiError(-1020, "This path speaks WebSocket only.")
        await socket.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return socket
        kind: Kind = "api" if path == API_PATH else "market"
        limits = self._api_limits if kind == "api" else self._market_limits
        connection = Connection(socket, transport, limits, unit=unit)
        if kind == "api":
            self._open_api(connection, address, asked)
        else:
            self._open_market(connection, path, asked)
        self._world.connections.add(connection, kind)
        try:
            await connection.run()
        finally:
            self._world.connections.remove(connection)
        return socket

    def _admit(self, address: str) -> None:
        if self._world.connections.refusing:
            raise ApiError(
                -1008, "Server is currently overloaded with other requests. Please try again in a few minutes."
            )
        if self._connects.add(address, 1, self._world.clock.wall_ms()) > CONNECTS:
            limit = f"current limit is {CONNECTS} per '5 minutes'"
            raise ApiError(-1034, f"Too many connection attempts from IP; {limit}.", status=429)

    def _open_api(self, connection: Connection, address: str, asked: dict[str, list[str]]) -> None:
        self._world.usage.charge(address, _CONNECT_WEIGHT, self._world.clock.wall_ms())
        show = asked.get("returnRateLimits", ["true"])[-1].lower() != "false"
        connection.session = ApiSession(connection, self._room, address=address, show_limits=show)

    def _open_market(self, connection: Connection, path: str, asked: dict[str, list[str]]) -> None:
        session = MarketSession(connection, self._pulse)
        connection.session = session
        combined = path.startswith("/stream")
        named = "/".join(asked.get("streams", [])) if combined else unquote(path.removeprefix("/ws"))
        session.open([name for name in named.split("/") if name], combined=combined)

"""HTTP: reads a request as it was received, finds who answers it, writes the reply, and spoils it where ordered to."""

from __future__ import annotations

import functools
import json
import logging
from typing import Any

from aiohttp import web

from thunes_cli.sim import (
    admin,
    admin_faults,
    admin_keys,
    admin_market,
    rest_account,
    rest_filters,
    rest_history,
    rest_public,
    rest_replace,
    rest_tickers,
    rest_trading,
    rest_wallet,
)
from thunes_cli.sim.admission import Admission
from thunes_cli.sim.calls import Endpoint, Incoming
from thunes_cli.sim.failure import SimError
from thunes_cli.sim.faulty_replies import REQUEST_KINDS, FaultyReplies
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.signing import signed_payload
from thunes_cli.sim.time_unit import parse_unit
from thunes_cli.sim.world import World
from thunes_cli.sim.ws_server import SocketServer, is_websocket_path

_LOG = logging.getLogger(__name__)
_TABLES = (
    rest_public.ENDPOINTS,
    rest_tickers.ENDPOINTS,
    rest_history.ENDPOINTS,
    rest_filters.ENDPOINTS,
    rest_trading.ENDPOINTS,
    rest_replace.ENDPOINTS,
    rest_account.ENDPOINTS,
    rest_wallet.ENDPOINTS,
)
_OWN = admin.ROUTES | admin_faults.ROUTES | admin_keys.ROUTES | admin_market.ROUTES
_EXCHANGE_PATHS = ("/api/", "/sapi/")
# The listen keys of the old user data streams.
_GONE = {(method, "/api/v3/userDataStream") for method in ("POST", "PUT", "DELETE")}
_INTERNAL = "Internal error; unable to process your request. Please try again."


class RestServer:
    """Answers requests for one world. Handlers are plain functions: one request is answered at a time, as one step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._endpoints = {(each.method, each.path): each for table in _TABLES for each in table}
        self._perform = Admission(world).perform
        self._faulty = FaultyReplies(world, self._refusal)
        self._sockets = SocketServer(world, self._endpoints, self._perform)

    def runner(self) -> web.ServerRunner:
        """What serves it on a socket."""
        server = web.Server(self.handle, access_log=None)
        return web.ServerRunner(server, shutdown_timeout=1.0)

    async def close(self) -> None:
        """End the WebSocket connections, which would not end by themselves."""
        await self._sockets.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, whatever it holds; never raises for what a client sends."""
        path, _, query = request.raw_path.partition("?")
        address = request.remote or ""
        if is_websocket_path(path):
            return await self._serve_socket(request, path, query)
        try:
            body = (await request.read()).decode("utf-8", "surrogateescape")
        except web.HTTPRequestEntityTooLarge:
            return self._reply(address, 413, {"code": -1101, "msg": "Too many parameters sent for this endpoint."})
        answer = functools.partial(self._answer, request, path, query, body)
        faults = self._world.faults
        if faults and path.startswith(_EXCHANGE_PATHS):
            fault = faults.take(REQUEST_KINDS, request.method, path, self._world.clock.wall_ms())
            if fault is not None:
                return await self._faulty.reply(fault, request, answer)
        return answer()

    def _answer(self, request: web.BaseRequest, path: str, query: str, body: str) -> web.Response:
        address = request.remote or ""
        try:
            return self._route(request, path, query, body)
        except ApiError as error:
            return self._refusal(error, address)
        except SimError as error:
            _LOG.error("%s", error.message)
            return self._reply(address, 500, {"code": -1001, "msg": _INTERNAL})
        except Exception:  # noqa: BLE001 - no request may end the exchange
            _LOG.exception("a request failed: %s %s", request.method, path)
            return self._reply(address, 500, {"code": -1001, "msg": _INTERNAL})

    async def _serve_socket(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        try:
            return await self._sockets.serve(request, path, query)
        except ApiError as error:
            return self._refusal(error, request.remote or "")

    def _route(self, request: web.BaseRequest, path: str, query: str, body: str) -> web.Response:
        address, route = request.remote or "", (request.method, path)
        endpoint = self._endpoints.get(route)
        if endpoint is not None:
            return self._call(request, endpoint, query, "" if request.method == "GET" else body)
        own = _OWN.get(route)
        if own is not None:
            if not _is_local(address):
                raise ApiError(-1002, "The simulator's own paths answer this machine only.", status=403)
            answer = own(self._world, body)
            self._sockets.look_again()
            return self._reply(address, 200, answer)
        self._world.usage.charge(address, 1, self._world.clock.wall_ms())  # a wrong path is a request too
        if route in _GONE:
            raise ApiError(-1016, "This service is no longer available.", status=410)
        return self._not_found(request)

    def _call(self, request: web.BaseRequest, endpoint: Endpoint, query: str, body: str) -> web.Response:
        world = self._world
        address = request.remote or ""
        world.usage.requests[f"{endpoint.method} {endpoint.path}"] += 1
        try:
            unit = parse_unit(request.headers.get("X-MBX-TIME-UNIT"))
        except ApiError:
            world.usage.charge(address, 1, world.clock.wall_ms())
            raise
        key = request.headers.get("X-MBX-APIKEY", "")
        incoming = Incoming(Params.parse(query, body), address, key, signed_payload(query, body), unit)
        answer, headers = self._perform(endpoint, incoming)
        return self._reply(address, 200, answer, headers)

    def _not_found(self, request: web.BaseRequest) -> web.Response:
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(
                status=404, text="<html><body><h2>404 Not found</h2></body></html>", content_type="text/html"
            )
        return self._reply(request.remote or "", 404, {})

    def _refusal(self, error: ApiError, address: str) -> web.Response:
        return self._reply(address, error.status, error.body(), error.headers())

    def _reply(self, address: str, status: int, answer: Any, headers: dict[str, str] | None = None) -> web.Response:
        text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        shown = self._world.usage.weight_headers(address, self._world.clock.wall_ms())
        if headers:
            shown |= headers
        return web.Response(
            status=status,
            body=text.encode("utf-8", "replace"),
            headers=shown,
            content_type="application/json",
            charset="utf-8",
        )


def _is_local(address: str) -> bool:
    return address.startswith("127.") or address in {"::1", ""}

"""HTTP: reads a request as it was received, applies the exchange's checks in their order, writes the reply."""

from __future__ import annotations

import json
import logging
from typing import Any

from aiohttp import web

from thunes_cli.sim import admin, rest_account, rest_history, rest_public, rest_trading
from thunes_cli.sim.calls import Call, Endpoint, Incoming, Security
from thunes_cli.sim.failure import SimError
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError, mandatory
from thunes_cli.sim.signing import check_timestamp, signed_payload, verify
from thunes_cli.sim.store import ApiKey
from thunes_cli.sim.time_unit import in_unit, parse_unit
from thunes_cli.sim.world import World
from thunes_cli.sim.ws_server import SocketServer, is_websocket_path

_LOG = logging.getLogger(__name__)
_KEY_LENGTH = 64
_PERMISSION = {Security.USER_DATA: "enableReading", Security.TRADE: "enableSpotAndMarginTrading"}
_IN_UNITS = "/api/"  # the wallet's paths know no unit
_INTERNAL = "Internal error; unable to process your request. Please try again."


class RestServer:
    """Answers requests for one world. Handlers are plain functions: one request is answered at a time, as one step."""

    def __init__(self, world: World) -> None:
        self._world = world
        tables = (rest_public.ENDPOINTS, rest_history.ENDPOINTS, rest_trading.ENDPOINTS, rest_account.ENDPOINTS)
        self._endpoints = {(each.method, each.path): each for table in tables for each in table}
        self._sockets = SocketServer(world, self._endpoints, self.perform)

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
        try:
            return self._route(request, path, query, body)
        except ApiError as error:
            return self._reply(address, error.status, error.body())
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
            return self._reply(request.remote or "", error.status, error.body())

    def _route(self, request: web.BaseRequest, path: str, query: str, body: str) -> web.Response:
        address = request.remote or ""
        endpoint = self._endpoints.get((request.method, path))
        if endpoint is not None:
            return self._call(request, endpoint, query, "" if request.method == "GET" else body)
        own = admin.ROUTES.get((request.method, path))
        if own is not None:
            answer = own(self._world, body)
            self._sockets.look_again()
            return self._reply(address, 200, answer)
        return self._not_found(request)

    def _call(self, request: web.BaseRequest, endpoint: Endpoint, query: str, body: str) -> web.Response:
        world = self._world
        address = request.remote or ""
        world.usage.requests[f"{endpoint.method} {endpoint.path}"] += 1
        try:
            unit = parse_unit(request.headers.get("X-MBX-TIME-UNIT"))
            params = Params.parse(query, body)
        except ApiError:
            world.usage.charge(address, 1, world.clock.wall_ms())
            raise
        key = request.headers.get("X-MBX-APIKEY", "")
        answer, headers = self.perform(endpoint, Incoming(params, address, key, signed_payload(query, body), unit))
        return self._reply(address, 200, answer, headers)

    def perform(self, endpoint: Endpoint, incoming: Incoming) -> tuple[Any, dict[str, str]]:
        """One request, whatever carried it: weighed, allowed, checked, answered; with the headers of its reply.

        Raises:
            ApiError: what the client is to read instead.
        """
        world, params = self._world, incoming.params
        address, wall = incoming.address, world.clock.wall_ms()
        cost = endpoint.cost(params)
        world.usage.charge(address, cost, wall)
        key = None
        if endpoint.security is not Security.NONE:
            key = self._known_key(incoming, endpoint.security)
        params.check(endpoint.reads, endpoint.required)
        if key is not None:
            self._check_signature(key, incoming)
        now = world.clock.now()
        world.advance(now)
        call = Call(world=world, params=params, now=now, wall=wall, key=key)
        answer = endpoint.answer(call)
        if endpoint.free_on_success:
            world.usage.refund(address, cost, wall)
        if endpoint.path.startswith(_IN_UNITS):
            answer = in_unit(answer, incoming.unit)
        return answer, call.headers

    def _known_key(self, incoming: Incoming, security: Security) -> ApiKey:
        sent = incoming.api_key
        if len(sent) != _KEY_LENGTH or not sent.isalnum():
            raise ApiError(-2014, "API-key format invalid.")
        key = self._world.keys.get(sent)
        allowed = (
            key is not None
            and not key.revoked
            and (not key.ips or incoming.address in key.ips)
            and key.permissions[_PERMISSION[security]]
        )
        if key is None or not allowed:
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.")
        return key

    def _check_signature(self, key: ApiKey, incoming: Incoming) -> None:
        params = incoming.params
        signature = params.text("signature")
        if not params.text("timestamp"):
            raise mandatory("timestamp")
        if incoming.payload is None:
            check_timestamp(params, self._world.clock)
            return
        if not signature:
            raise mandatory("signature")
        check_timestamp(params, self._world.clock)
        if not verify(key, incoming.payload, signature):
            raise ApiError(-1022, "Signature for this request is not valid.")

    def _not_found(self, request: web.BaseRequest) -> web.Response:
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(
                status=404, text="<html><body><h2>404 Not found</h2></body></html>", content_type="text/html"
            )
        return self._reply(request.remote or "", 404, {})

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

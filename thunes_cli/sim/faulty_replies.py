"""Replies that go wrong: what a fault makes of a request and its answer. Only here are connections mistreated."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from thunes_cli.sim.fault_kinds import FaultKind
from thunes_cli.sim.faults import Fault
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.weights import banned, too_much
from thunes_cli.sim.world import World

REQUEST_KINDS = frozenset(
    {
        FaultKind.HTTP_503_BEFORE,
        FaultKind.HTTP_503_AFTER,
        FaultKind.TIMEOUT_1007_AFTER,
        FaultKind.RESET_BEFORE,
        FaultKind.RESET_AFTER,
        FaultKind.HANG_BEFORE,
        FaultKind.HANG_AFTER,
        FaultKind.SLOW_BODY,
        FaultKind.HTML_403,
        FaultKind.JSON_LIST,
        FaultKind.RATE_LIMIT_429,
        FaultKind.BAN_418,
    }
)
_AFTER = frozenset(
    {
        FaultKind.HTTP_503_AFTER,
        FaultKind.TIMEOUT_1007_AFTER,
        FaultKind.RESET_AFTER,
        FaultKind.HANG_AFTER,
        FaultKind.SLOW_BODY,
        FaultKind.JSON_LIST,
    }
)
_SECOND = 1_000
_LOOK_SECONDS = 0.05
_SLOW_MS = 1_000
_NO_LINGERING = struct.pack("ii", 1, 0)
_PAGE = (
    "<html><head><title>403 Forbidden</title></head><body><center><h1>403 Forbidden</h1></center>"
    "<p>The request could not be satisfied. Request blocked.</p></body></html>"
)
_BROKEN = ApiError(-1001, "Internal error; unable to process your request. Please try again.", status=503)
_UNKNOWN = ApiError(
    -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
)

# Answers the request as if nothing was wrong.
Answer = Callable[[], web.Response]
# Makes the reply of an error to an address.
Refuse = Callable[[ApiError, str], web.Response]


class FaultyReplies:
    """Answers the requests that were hit by a fault."""

    def __init__(self, world: World, refuse: Refuse) -> None:
        self._world = world
        self._refuse = refuse

    async def reply(self, fault: Fault, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """What the client gets instead of (or, where the fault comes after it, in spite of) the answer."""
        answered = answer() if fault.kind in _AFTER else web.Response()
        address = request.remote or ""
        reply: web.StreamResponse
        match fault.kind:
            case FaultKind.HTTP_503_BEFORE | FaultKind.HTTP_503_AFTER:
                reply = self._refuse(_BROKEN, address)
            case FaultKind.TIMEOUT_1007_AFTER:
                reply = self._refuse(_UNKNOWN, address)
            case FaultKind.RESET_BEFORE | FaultKind.RESET_AFTER:
                reply = _reset(request)
            case FaultKind.HANG_BEFORE | FaultKind.HANG_AFTER:
                reply = await _hang(request)
            case FaultKind.SLOW_BODY:
                reply = await _dribble(request, answered, float(fault.details.get("ms", _SLOW_MS)) / _SECOND)
            case FaultKind.HTML_403:
                reply = web.Response(status=403, text=_PAGE, content_type="text/html")
            case FaultKind.JSON_LIST:
                reply = web.Response(status=400, text='["unexpected"]', content_type="application/json")
            case _:
                reply = self._refuse(self._limit(fault, address), address)
        return reply

    def _limit(self, fault: Fault, address: str) -> ApiError:
        usage, wall = self._world.usage, self._world.clock.wall_ms()
        if fault.kind is FaultKind.BAN_418:
            span = fault.details.get("span_ms")
            return banned(usage.bans.pronounce(address, wall, span=span), wall)
        until = usage.weight.ends(wall) if fault.until is None else fault.until
        return too_much(f"{usage.limits.weight} request weight per 1 MINUTE", until, wall)


def _reset(request: web.BaseRequest) -> web.Response:
    """RST instead of FIN: the kernel is told to keep nothing of the connection."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        transport.abort()
    return web.Response()


async def _hang(request: web.BaseRequest) -> web.Response:
    # Nobody is told when the peer leaves a connection whose request is being answered.
    while (transport := request.transport) is not None and not transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
    return web.Response()


async def _dribble(request: web.BaseRequest, answered: web.Response, pause: float) -> web.StreamResponse:
    body = answered.body if isinstance(answered.body, bytes) else b""
    slow = web.StreamResponse(status=answered.status, headers=answered.headers)
    slow.content_length = len(body)
    await slow.prepare(request)
    for number in range(len(body)):
        await slow.write(body[number : number + 1])
        await asyncio.sleep(pause)
    await slow.write_eof()
    return slow

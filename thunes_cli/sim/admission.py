"""The checks a request passes before an endpoint sees it, in the exchange's order, whatever carried the request.

Request weight and bans → the key and what it may do → parameters: duplicate, mandatory, empty, illegal, unknown →
timestamp → signature. Symbol, words, combinations, precision, order count and filters follow in the endpoint, and the
matching engine comes last.
"""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.calls import Call, Endpoint, Incoming, Security
from thunes_cli.sim.keys import LENGTH, ApiKey
from thunes_cli.sim.rejection import ApiError, mandatory
from thunes_cli.sim.signing import check_timestamp, verify
from thunes_cli.sim.time_unit import in_unit
from thunes_cli.sim.world import World

_PERMISSION = {Security.USER_DATA: "enableReading", Security.TRADE: "enableSpotAndMarginTrading"}
_IN_UNITS = "/api/"  # the wallet's paths know no unit


class Admission:
    """Lets requests of one world in."""

    def __init__(self, world: World) -> None:
        self._world = world

    def perform(self, endpoint: Endpoint, incoming: Incoming) -> tuple[Any, dict[str, str]]:
        """One request: weighed, allowed, checked, answered; with the headers of its reply.

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
        if len(sent) != LENGTH or not (sent.isascii() and sent.isalnum()):
            raise ApiError(-2014, "API-key format invalid.")
        key = self._world.keys.get(sent)
        if key is None or not key.allows(_PERMISSION[security], incoming.address):
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.")
        return key

    def _check_signature(self, key: ApiKey, incoming: Incoming) -> None:
        params, clock, skew = incoming.params, self._world.clock, self._world.skew_ms
        signature = params.text("signature")
        if not params.text("timestamp"):
            raise mandatory("timestamp")
        if incoming.payload is not None and not signature:
            raise mandatory("signature")
        check_timestamp(params, clock, skew=skew)
        if incoming.payload is not None and not verify(key, incoming.payload, signature or ""):
            raise ApiError(-1022, "Signature for this request is not valid.")

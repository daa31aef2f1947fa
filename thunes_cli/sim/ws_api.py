"""WebSocket API connections: requests and answers in JSON, and the account's events for whoever subscribes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thunes_cli.sim.calls import SIGNED_PARAMS, Call, Endpoint, Incoming, Security, reads
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.streams_message import Message, encode
from thunes_cli.sim.user_data import UserData
from thunes_cli.sim.user_data_events import account_position, terminated
from thunes_cli.sim.world import World
from thunes_cli.sim.ws_connection import Connection
from thunes_cli.sim.ws_limits import MOST_SUBSCRIPTIONS
from thunes_cli.sim.ws_methods import ORDER_METHODS

_ID = re.compile(r"[a-zA-Z0-9-_]{1,36}", re.ASCII)
_LIMITED = (418, 429)
_UNAUTHORIZED = 401

Perform = Callable[[Endpoint, Incoming], tuple[Any, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class ApiRoom:
    """What every connection of the API shares."""

    world: World
    user_data: UserData
    methods: Mapping[str, Endpoint]
    perform: Perform


class ApiSession:
    """One client of the WebSocket API."""

    def __init__(self, connection: Connection, room: ApiRoom, *, address: str, show_limits: bool) -> None:
        self._connection = connection
        self._room = room
        self._address = address
        self._show_limits = show_limits
        self._connected = room.world.clock.now()
        self._logged_on: tuple[str, int] | None = None
        # Subscription id → the key by which it was made.
        self._subscriptions: dict[int, str] = {}
        self._session_subscription: int | None = None
        self._next_subscription = 0
        self._own = self._own_methods()

    # --- requests ------------------------------------------------------------------------------------------------

    def hear(self, text: str) -> None:
        """Answer a request."""
        identity, shown = None, self._show_limits
        method = ""
        fields: dict[str, Any] = {"status": 200}
        try:
            request, params = _parse(text)
            identity = _identity(request)
            method = _method(request)
            shown = _flag(params, "returnRateLimits", default=shown)
            fields["result"] = self._answer(method, params)
        except ApiError as error:
            fields = {"status": error.status, "error": self._error(error)}
            if error.code == -2015 and self._logged_on is not None:  # noqa: PLR2004 - the code is the name
                self._logged_on = None
                identity = None
        answer: dict[str, Any] = {"id": identity} | fields
        if shown:
            answer["rateLimits"] = self._limits(method)
        self._connection.send(encode(answer))

    def _answer(self, method: str, params: dict[str, str]) -> Any:
        world = self._room.world
        world.usage.requests[f"WS {method}"] += 1
        endpoint = self._own.get(method) or self._room.methods.get(method)
        if endpoint is None:
            world.usage.charge(self._address, 1, world.clock.wall_ms())
            raise ApiError(-1020, "This operation is not supported.")
        return self._room.perform(endpoint, self._incoming(params))[0]

    def _incoming(self, params: dict[str, str]) -> Incoming:
        """As REST has it: the key beside the parameters, and what must have been signed."""
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
        params.pop("returnRateLimits", None)  # any method may have it, and it is signed like the rest
        api_key = params.pop("apiKey", None)
        if api_key is None and self._logged_on is not None:
            return Incoming(Params(params), self._address, self._logged_on[0], None, self._connection.unit)
        return Incoming(Params(params), self._address, api_key or "", payload, self._connection.unit)

    def _error(self, error: ApiError) -> dict[str, Any]:
        shown = error.body()
        if error.status in _LIMITED:
            wall = self._room.world.clock.wall_ms()
            shown["data"] = {"serverTime": wall, "retryAfter": error.retry_at_ms or wall}
        return shown

    def _limits(self, method: str) -> list[dict[str, Any]]:
        world = self._room.world
        wall = world.clock.wall_ms()
        weight = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": world.usage.limits.weight,
            "count": world.usage.weight.count(self._address, wall),
        }
        orders = world.usage.order_counts(str(world.uid), wall) if method in ORDER_METHODS else []
        return [*orders, weight]

    # --- the session and its subscriptions -----------------------------------------------------------------------

    def _own_methods(self) -> dict[str, Endpoint]:
        signed = SIGNED_PARAMS

        def own(
            name: str,
            answer: Callable[[Call], Any],
            security: Security = Security.NONE,
            known: frozenset[str] = frozenset(),
        ) -> Endpoint:
            return Endpoint("WS", name, answer, weight=2, security=security, reads=known)

        found = (
            own("session.logon", self._log_on, Security.USER_DATA, signed),
            own("session.status", self._status),
            own("session.logout", self._log_out),
            own("session.subscriptions", self._list),
            own("userDataStream.subscribe", self._subscribe_session),
            own("userDataStream.subscribe.signature", self._subscribe, Security.USER_DATA, signed),
            own("userDataStream.unsubscribe", self._unsubscribe, known=reads("subscriptionId")),
        )
        return {each.path: each for each in found}

    def _log_on(self, call: Call) -> Any:
        assert call.key is not None
        if call.key.kind != "ED25519":
            raise ApiError(-4056, f"{call.key.kind}_SHA256 API key is not supported.")
        self._logged_on = (call.key.api_key, call.now)
        return self._status(call)

    def _status(self, call: Call) -> Any:
        api_key, since = self._logged_on or (None, None)
        unit = self._connection.unit
        return {
            "apiKey": api_key,
            "authorizedSince": None if since is None else since * unit,
            "connectedSince": self._connected * unit,
            "returnRateLimits": self._show_limits,
            "serverTime": call.now * unit,
            "userDataStream": bool(self._subscriptions),
        }

    def _log_out(self, call: Call) -> Any:
        self._logged_on = None
        if self._session_subscription is not None:
            self._end(self._session_subscription)
        return self._status(call)

    def _list(self, _: Call) -> Any:
        return [{"subscriptionId": each} for each in self._subscriptions]

    def _subscribe_session(self, _: Call) -> Any:
        if self._logged_on is None:
            raise ApiError(-1002, "You are not authorized to execute this request.")
        answer = self._start(self._logged_on[0])
        self._session_subscription = answer["subscriptionId"]
        return answer

    def _subscribe(self, call: Call) -> Any:
        assert call.key is not None
        return self._start(call.key.api_key)

    def _start(self, api_key: str) -> dict[str, int]:
        if self._subscriptions:  # one account, hence one subscription
            raise ApiError(-2035, "User Data Stream subscription already active.")
        if self._next_subscription >= MOST_SUBSCRIPTIONS:
            raise ApiError(-2042, "Maximum subscription ID reached for this connection.")
        number = self._next_subscription
        self._next_subscription += 1
        self._subscriptions[number] = api_key
        self._room.user_data.add(self)
        return {"subscriptionId": number}

    def _unsubscribe(self, call: Call) -> Any:
        number = call.params.integer("subscriptionId")
        ending = list(self._subscriptions) if number is None else [number]
        if not self._subscriptions or not self._subscriptions.keys() >= set(ending):
            raise ApiError(-2036, "User Data Stream subscription not active.")
        for each in ending:
            self._end(each)
        return {}

    def _end(self, number: int) -> None:
        """The last event of a subscription says so."""
        now = self._room.world.clock.now()
        self._push(number, Message("", lambda unit: terminated(now, unit)))
        self._subscriptions.pop(number, None)
        if self._session_subscription == number:
            self._session_subscription = None
        if not self._subscriptions:
            self._room.user_data.remove(self)

    # --- events --------------------------------------------------------------------------------------------------

    def tell(self, message: Message) -> None:
        """Pass an event of the account on."""
        for number in self._subscriptions:
            self._push(number, message)

    def check_keys(self) -> None:
        """End subscriptions whose key may not read any more."""
        for number, api_key in list(self._subscriptions.items()):
            if not self._room.user_data.may_read(api_key):
                self._end(number)

    def close(self) -> None:
        """Subscriptions end with their connection."""
        self._subscriptions.clear()
        self._room.user_data.remove(self)

    def shutdown_event(self, moment: int) -> bytes:
        """``serverShutdown``: an event of no subscription."""
        return encode({"event": {"e": "serverShutdown", "E": moment * self._connection.unit}})

    def burst(self, number: int) -> list[bytes]:
        """The balances as they are, again and again, for a subscriber."""
        world = self._room.world
        now = world.clock.now()
        event = account_position(
            sorted(world.engine.balances.items()), changed=now, moment=now, unit=self._connection.unit
        )
        return [encode({"subscriptionId": each, "event": event}) for each in self._subscriptions for _ in range(number)]

    def _push(self, number: int, message: Message) -> None:
        event = message.form(unit=self._connection.unit)
        self._connection.send(b'{"subscriptionId":%d,"event":%b}' % (number, event))


def _parse(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A request, and its parameters as the text in which they were sent and signed."""
    try:
        request = json.loads(text)
        sent = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise ApiError(-1135, "Invalid JSON Request") from None
    if not isinstance(request, dict):
        raise ApiError(-1135, "Invalid JSON Request; expected an object.")
    params = sent.get("params", {})
    if not isinstance(params, dict):
        raise ApiError(-1135, "Invalid 'params' in JSON request; expected an object.")
    return request, {name: _text(value) for name, value in params.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _identity(request: dict[str, Any]) -> Any:
    given = request.get("id", ...)
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    expected = "an integer, a string matching '^[a-zA-Z0-9-_]{1,36}$', or null"
    raise ApiError(-1135, f"Invalid 'id' in JSON request; expected {expected}.")


def _method(request: dict[str, Any]) -> str:
    method = request.get("method")
    if not isinstance(method, str):
        raise ApiError(-1135, "Invalid 'method' in JSON request; expected a string.")
    return method.removeprefix("v3/")


def _flag(params: dict[str, str], name: str, *, default: bool) -> bool:
    value = params.get(name)
    return default if value is None else value.lower() == "true"

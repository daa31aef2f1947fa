"""Market stream connections: which streams a client listens to, and the control messages with which it says so."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from thunes_cli.sim.streams_message import Message, encode
from thunes_cli.sim.streams_names import well_formed
from thunes_cli.sim.streams_pulse import Pulse
from thunes_cli.sim.ws_connection import POLICY_VIOLATION, Connection
from thunes_cli.sim.ws_limits import MOST_STREAMS

_ID = re.compile(r"[A-Za-z0-9_-]{0,36}", re.ASCII)
_GREATEST_ID = 2**63
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_SHUTDOWN = "!serverShutdown"
_UNKNOWN_PROPERTY, _BAD_VALUE, _BAD_REQUEST, _BAD_JSON, _TOO_MANY = range(5)


class _Refusal(Exception):
    """A control message the exchange does not accept."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MarketSession:
    """One client of the market streams."""

    def __init__(self, connection: Connection, pulse: Pulse) -> None:
        self._connection = connection
        self._pulse = pulse
        # In the order in which they were subscribed to.
        self._names: dict[str, None] = {}

    def open(self, names: Sequence[str], *, combined: bool) -> None:
        """Listen to the streams the address names. A bare word there (clients number connections) is no stream."""
        self._connection.combined = combined
        try:
            self._subscribe([name for name in names if "@" in name or name.startswith("!")])
        except _Refusal as refusal:
            self._refuse(refusal, None)
            self._connection.cut(POLICY_VIOLATION, refusal.message)

    def hear(self, text: str) -> None:
        """Answer a control message."""
        identity = None
        try:
            request = _parse(text)
            identity = _identity(request)
            result = self._answer(_method(request, text), request.get("params"))
        except _Refusal as refusal:
            self._refuse(refusal, identity)
        else:
            self._connection.send(encode({"result": result, "id": identity}))

    def close(self) -> None:
        """Leave every stream."""
        for name in self._names:
            self._pulse.unsubscribe(name, self._connection)
        self._names.clear()

    def shutdown_event(self, moment: int) -> bytes:
        """``serverShutdown``, raw or under a stream's name of its own."""
        event = Message(_SHUTDOWN, lambda unit: {"e": "serverShutdown", "E": moment * unit})
        return event.form(combined=self._connection.combined, unit=self._connection.unit)

    def burst(self, number: int) -> list[bytes]:
        """Updates of the subscribed streams in turn, until there are enough."""
        now = [
            message.form(combined=self._connection.combined, unit=self._connection.unit)
            for name in self._names
            for message in self._pulse.snapshot(name)
        ]
        return [now[index % len(now)] for index in range(number)] if now else []

    def _answer(self, method: str, params: Any) -> Any:
        if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            names = _names(params)
            if method == "SUBSCRIBE":
                return self._subscribe(names)
            return self._unsubscribe(names)
        if method == "LIST_SUBSCRIPTIONS":
            if params:
                raise _Refusal(_BAD_REQUEST, "Invalid request: too many parameters")
            return list(self._names)
        if method == "SET_PROPERTY":
            return self._set_property(params)
        _property(params, values=0)
        return self._connection.combined

    def _subscribe(self, names: Sequence[str]) -> None:
        if not all(well_formed(name) for name in names):
            raise _Refusal(_BAD_REQUEST, "Invalid request: invalid stream")
        if len(self._names.keys() | set(names)) > MOST_STREAMS:
            raise _Refusal(_TOO_MANY, "Too many subscriptions")
        for name in names:
            if name not in self._names:
                self._names[name] = None
                self._pulse.subscribe(name, self._connection)

    def _unsubscribe(self, names: Sequence[str]) -> None:
        for name in names:
            if name in self._names:
                del self._names[name]
                self._pulse.unsubscribe(name, self._connection)

    def _set_property(self, params: Any) -> None:
        value = _property(params, values=1)
        if not isinstance(value, bool):
            raise _Refusal(_BAD_VALUE, "Invalid value type: expected Boolean")
        self._connection.combined = value

    def _refuse(self, refusal: _Refusal, identity: Any) -> None:
        error = {"code": refusal.code, "msg": refusal.message}
        self._connection.send(encode({"error": error, "id": identity}))


def _parse(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise _Refusal(_BAD_JSON, f"Invalid JSON: expected value at {where}") from None
    except (ValueError, RecursionError):
        raise _Refusal(_BAD_JSON, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(request, dict):
        raise _Refusal(_BAD_REQUEST, "Invalid request: invalid type, expected an object")
    return request


def _identity(request: dict[str, Any]) -> Any:
    """The request's id: a signed 64-bit integer, a short word, or null."""
    given = request.get("id", ...)
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool) and -_GREATEST_ID <= given < _GREATEST_ID:
        return given
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    raise _Refusal(_BAD_REQUEST, "Invalid request: request ID must be an unsigned integer")


def _method(request: dict[str, Any], text: str) -> str:
    if "method" not in request:
        raise _Refusal(_BAD_REQUEST, f"Invalid request: missing field `method` at line 1 column {len(text)}")
    method = request["method"]
    if method not in _METHODS:
        known = ", ".join(f"`{each}`" for each in _METHODS)
        column = text.find(f'"{method}"') + len(f'"{method}"')
        message = f"Invalid request: unknown variant `{method}`, expected one of {known} at line 1 column {column}"
        raise _Refusal(_BAD_REQUEST, message)
    return str(method)


def _names(params: Any) -> list[str]:
    if not isinstance(params, list) or not all(isinstance(each, str) for each in params):
        raise _Refusal(_BAD_REQUEST, "Invalid request: params must be an array of strings")
    return params


def _property(params: Any, *, values: int) -> Any:
    """The value given to ``combined``, the only property there is."""
    given = params if isinstance(params, list) else []
    if not given or not isinstance(given[0], str):
        raise _Refusal(_BAD_REQUEST, "Invalid request: property name must be a string")
    if given[0] != "combined":
        raise _Refusal(_UNKNOWN_PROPERTY, "Unknown property")
    if len(given) > 1 + values:
        raise _Refusal(_BAD_REQUEST, "Invalid request: too many parameters")
    return given[1] if len(given) > 1 else None

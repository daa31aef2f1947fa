"""Request parameters: parsed from the received text, read with the exchange's checks and messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from urllib.parse import unquote_plus

from thunes_cli.sim.rejection import ApiError, illegal, mandatory

_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_INTEGER = r"^[0-9]{1,20}$"
_SYMBOL = r"^[A-Z0-9-_.]{1,20}$"
_CLIENT_ID = r"^[a-zA-Z0-9-_]{1,36}$"
_TIME_ZONE = r"(?P<sign>[+-]?)(?P<hours>[0-9]{1,2})(:(?P<minutes>[0-5][0-9]))?"
_WESTERNMOST, _EASTERNMOST = -12 * 60, 14 * 60
_LONGEST = 2**63 - 1
# Times from here on are microseconds.
_MICROSECONDS_FROM = 10**14
_LONGEST_SYMBOL = 50
_ILLEGAL_IN_SYMBOL = re.compile(r"[a-z\s\x00-\x1f\"'<>&;/\\]")
_DECIMALS = ("quantity", "quoteOrderQty", "price", "stopPrice", "icebergQty", "newQty", "recvWindow")
_INTEGERS = (
    *("timestamp", "startTime", "endTime", "fromId", "orderId", "cancelOrderId", "orderListId", "limit"),
    *("trailingDelta", "strategyId", "strategyType", "fromExecutionId", "subscriptionId"),
)
_CLIENT_IDS = ("newClientOrderId", "cancelNewClientOrderId")
# What may stand in a parameter, whatever the endpoint: looked at before anything is made of it.
_LEGAL = {
    **dict.fromkeys(_DECIMALS, re.compile(_DECIMAL, re.ASCII)),
    **dict.fromkeys(_INTEGERS, re.compile(_INTEGER, re.ASCII)),
    **dict.fromkeys(_CLIENT_IDS, re.compile(_CLIENT_ID, re.ASCII)),
}


class Params:
    """The parameters of one request, decoded. What could not be is told by :meth:`check`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._problem: ApiError | None = None

    @classmethod
    def parse(cls, query: str, body: str = "") -> Params:
        """Decode query string and form body; what is in both counts as the query has it."""
        try:
            return cls(_decode(body) | _decode(query))
        except ApiError as error:
            params = cls({})
            params._problem = error
            return params

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def check(self, known: Iterable[str], required: Iterable[str]) -> None:
        """Refuse duplicates, the lack of mandatory parameters, empty, illegal and unknown ones.

        Raises:
            ApiError: −1101, −1102, −1105, −1100, −1108 or −1104.
        """
        if self._problem is not None:
            raise self._problem
        for name in required:
            if not self._values.get(name):
                raise mandatory(name)
        read = frozenset(known)
        for name, value in self._values.items():
            if name in read and not value:
                raise ApiError(-1105, f"Parameter '{name}' was empty.")
            if name in read:
                _demand_legal(name, value)
        unread = sum(1 for name in self._values if name not in read)
        if unread:
            sent = len(self._values)
            message = f"Not all sent parameters were read; read '{sent - unread}' parameter(s) but was sent '{sent}'."
            raise ApiError(-1104, message)

    def text(self, name: str) -> str | None:
        """The value as it is, or None."""
        return self._values.get(name)

    def choice(self, name: str, allowed: Iterable[str], refusal: ApiError) -> str | None:
        """One of several words, or None when not sent."""
        value = self._values.get(name)
        if value is not None and value not in allowed:
            raise refusal
        return value

    def symbol(self, name: str = "symbol") -> str:
        """A mandatory symbol; lower-case letters are illegal characters."""
        value = self._values.get(name, "")
        if not value:
            raise mandatory(name)
        if len(value) > _LONGEST_SYMBOL or _ILLEGAL_IN_SYMBOL.search(value):
            raise illegal(name, _SYMBOL)
        return value

    def symbols(self) -> list[str] | None:
        """The ``symbols`` parameter: a JSON array of distinct names, or None."""
        value = self._values.get("symbols")
        if value is None:
            return None
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
            raise illegal("symbols", r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$')
        if len(set(found)) != len(found):
            raise ApiError(-1151, "Symbol is present multiple times in the list.")
        return found

    def integer(self, name: str) -> int | None:
        """A whole number, or None when not sent."""
        value = self._values.get(name)
        if value is None:
            return None
        if not re.fullmatch(_INTEGER, value, re.ASCII):
            raise illegal(name, _INTEGER)
        if int(value) > _LONGEST:
            raise ApiError(-1108, f"Parameter '{name}' overflowed.")
        return int(value)

    def moment(self, name: str) -> int | None:
        """A time in ms; given in µs it is cut down."""
        value = self.integer(name)
        return value // 1000 if value is not None and value >= _MICROSECONDS_FROM else value

    def time_zone(self) -> int:
        """The ``timeZone`` parameter (``8``, ``-1:00``, ``05:45``) as ms ahead of UTC, from −12:00 to +14:00."""
        value = self._values.get("timeZone", "0")
        found = re.fullmatch(_TIME_ZONE, value, re.ASCII)
        minutes = int(found["hours"]) * 60 + int(found["minutes"] or "0") if found else 0
        if found and found["sign"] == "-":
            minutes = -minutes
        if not found or not _WESTERNMOST <= minutes <= _EASTERNMOST:
            raise ApiError(-1130, "Data sent for parameter 'timeZone' is not valid.")
        return minutes * 60_000

    def limit(self, *, default: int, most: int) -> int:
        """The ``limit`` parameter; more than the most is cut to it."""
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(value, most)

    def decimal(self, name: str) -> Decimal | None:
        """A plain decimal, or None when not sent. Exponents and signs are illegal characters."""
        value = self._values.get(name)
        if value is None:
            return None
        if not re.fullmatch(_DECIMAL, value, re.ASCII):
            raise illegal(name, _DECIMAL)
        return Decimal(value)

    def amount(self, name: str) -> Decimal | None:
        """A decimal above zero, or None when not sent."""
        value = self.decimal(name)
        if value is not None and value <= 0:
            raise ApiError(-1013, f"Invalid {name}.")
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        """``true`` or ``false`` in any case."""
        value = self._values.get(name)
        if value is None:
            return default
        if value.lower() not in {"true", "false"}:
            raise illegal(name, "^(true|false)$")
        return value.lower() == "true"

    def client_id(self, name: str) -> str | None:
        """A client order id, or None when not sent."""
        value = self._values.get(name)
        if value is not None and not re.fullmatch(_CLIENT_ID, value, re.ASCII):
            raise illegal(name, _CLIENT_ID)
        return value


def _demand_legal(name: str, value: str) -> None:
    if name == "symbol" and (len(value) > _LONGEST_SYMBOL or _ILLEGAL_IN_SYMBOL.search(value)):
        raise illegal(name, _SYMBOL)
    legal = _LEGAL.get(name)
    if legal is None:
        return
    if not legal.fullmatch(value):
        raise illegal(name, legal.pattern)
    if name in _INTEGERS and int(value) > _LONGEST:
        raise ApiError(-1108, f"Parameter '{name}' overflowed.")


def _decode(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        try:
            name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
        except UnicodeDecodeError:
            raise ApiError(-1100, "Illegal characters found in a parameter.") from None
        if name in values:
            raise ApiError(-1101, "Duplicate values for a parameter detected.")
        values[name] = value
    return values

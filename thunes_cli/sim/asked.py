"""What a command of the simulator's own asks for: a JSON object, read with one clear line for what cannot be meant."""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from typing import Any

from thunes_cli.sim.rejection import ApiError

_MOST = 10**15
_DECIMALS = 8


class Asked:
    """The members of a command's body. Those nobody has read when it is done are refused by :meth:`check_read`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._read: set[str] = set()

    @classmethod
    def parse(cls, body: str) -> Asked:
        """Read a body; an empty one asks for nothing in particular.

        Raises:
            ApiError: −1135, not a JSON object.
        """
        try:
            values = json.loads(body, parse_float=str) if body.strip() else {}
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise ApiError(-1135, "Invalid JSON Request; expected an object.")
        return cls(values)

    def text(self, name: str) -> str | None:
        """A word, or None when it is not there."""
        value = self._take(name)
        if value is None or isinstance(value, str):
            return value
        raise _bad(name, "a text")

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of several words, or None."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise _bad(name, "one of " + ", ".join(sorted(allowed)))
        return value

    def whole(self, name: str) -> int | None:
        """A whole number, or None."""
        value = self._take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
            raise _bad(name, "a whole number")
        return value

    def count(self) -> int | None:
        """``count``: at least one, or None."""
        value = self.whole("count")
        if value is not None and value < 1:
            raise _bad("count", "at least 1")
        return value

    def seconds(self) -> Decimal | None:
        """``seconds``: not negative, or None."""
        return self.decimal("seconds")

    def decimal(self, name: str) -> Decimal | None:
        """A number that is not negative, or None."""
        value = self._take(name)
        if value is None:
            return None
        try:
            found = Decimal(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
        except InvalidOperation:
            found = None
        if found is None or not found.is_finite() or not 0 <= found <= _MOST:
            raise _bad(name, "a number that is not negative")
        return found

    def amount(self, name: str) -> Decimal | None:
        """Money or a quantity above zero, or None."""
        value = self.decimal(name)
        if value is not None and (value == 0 or value != round(value, _DECIMALS)):
            raise _bad(name, f"above zero with at most {_DECIMALS} decimals")
        return value

    def flag(self, name: str) -> bool | None:
        """True, false, or None."""
        value = self._take(name)
        if value is None or isinstance(value, bool):
            return value
        raise _bad(name, "true or false")

    def texts(self, name: str) -> list[str] | None:
        """A list of words, or None."""
        value = self._take(name)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
        raise _bad(name, "a list of texts")

    def objects(self, name: str) -> list[dict[str, Any]] | None:
        """A list of objects, or None."""
        value = self._take(name)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            return value
        raise _bad(name, "a list of objects")

    def check_read(self) -> None:
        """Refuse what nobody has asked for.

        Raises:
            ApiError: −1104.
        """
        unread = sorted(self._values.keys() - self._read)
        if unread:
            raise ApiError(-1104, f"Not understood here: {', '.join(unread)}.")

    def _take(self, name: str) -> Any:
        self._read.add(name)
        return self._values.get(name)


def _bad(name: str, expected: str) -> ApiError:
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid: it must be {expected}.")

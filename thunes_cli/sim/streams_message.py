"""One event on its way to any number of connections: encoded once for each form in which somebody wants it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

MILLISECOND = 1
MICROSECOND = 1_000

# Makes an event's JSON; its times are in ms, multiplied by what it is given.
Build = Callable[[int], Any]


def encode(value: Any) -> bytes:
    """JSON as the exchange writes it: no blanks, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


class Message:
    """An event of one stream.

    Args:
        stream: the name under which combined connections receive it.
        build: makes the event's JSON.
    """

    __slots__ = ("_build", "_forms", "stream")

    def __init__(self, stream: str, build: Build) -> None:
        self.stream = stream
        self._build = build
        self._forms: dict[tuple[bool, int], bytes] = {}

    def form(self, *, combined: bool = False, unit: int = MILLISECOND) -> bytes:
        """Its bytes, raw or wrapped with the stream's name."""
        found = self._forms.get((combined, unit))
        if found is None:
            if combined:
                raw = self.form(unit=unit)
                found = b'{"stream":%b,"data":%b}' % (encode(self.stream), raw)
            else:
                found = encode(self._build(unit))
            self._forms[combined, unit] = found
        return found

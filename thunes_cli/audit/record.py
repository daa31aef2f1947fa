"""One line of the trail: made once, never made again.

A record is one JSON object: ``v``, ``seq``, ``prev``, ``timestamp``, ``event``, then flat facts. ``prev`` is the
SHA-256 of the previous line's bytes with its newline; the first record has ``seq`` 1 and 64 zeros.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.clock import to_text
from thunes_cli.model import plain

VERSION = 1
FIRST_PREV = "0" * 64
MAX_LINE = 65536  # bytes, newline included: a reader may rely on it, whatever an exchange's error text holds
FIXED_KEYS = ("v", "seq", "prev", "timestamp", "event")
_RESERVED = frozenset(FIXED_KEYS)
_CUT = 4096
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

Fact = str | int | bool | Decimal | datetime | None


def line_hash(line: bytes) -> str:
    """What the next record's ``prev`` must be."""
    return hashlib.sha256(line).hexdigest()


def make_line(*, seq: int, prev: str, at: datetime, event: Event, facts: dict[str, Fact]) -> bytes:
    """The exact bytes of a record, newline included.

    Args:
        seq: one more than the previous record's.
        prev: :func:`line_hash` of the previous line.
        at: market time.
        event: what happened.
        facts: flat; decimals and times become text; binary floating point is refused, money never passes through it.
            Texts are cut only when the line would be longer than ``MAX_LINE``.

    Raises:
        TypeError: a fact of another type. ValueError: a fact named like one of the five fixed keys.
    """
    if clash := _RESERVED & facts.keys():
        raise ValueError(f"reserved keys: {sorted(clash)}")
    body: dict[str, object] = {"v": VERSION, "seq": seq, "prev": prev, "timestamp": to_text(at), "event": event.value}
    body.update((key, _plain_fact(key, value)) for key, value in facts.items())
    line = _encode(body)
    limit = _CUT
    while len(line) > MAX_LINE and limit:
        line = _encode({key: _cut(value, limit) for key, value in body.items()})
        limit //= 2
    return line


def _encode(body: dict[str, object]) -> bytes:
    # "replace": half a surrogate pair in an exchange's text is no UTF-8, and must not stop the change it explains.
    return _ENCODER.encode(body).encode("utf-8", "replace") + b"\n"


def _cut(value: object, limit: int) -> object:
    if not isinstance(value, str) or len(value) <= max(limit, len(FIRST_PREV)):
        return value
    return f"{value[:limit]}… ({len(value)} characters)"


def _plain_fact(key: str, value: Fact) -> str | int | bool | None:
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case Decimal():
            return plain(value)
        case datetime():
            return to_text(value)
    raise TypeError(f"{key} is a {type(value).__name__}")

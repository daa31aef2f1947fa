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
_RESERVED = frozenset({"v", "seq", "prev", "timestamp", "event"})

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

    Raises:
        TypeError: a fact of another type. ValueError: a fact named like one of the five fixed keys.
    """
    if clash := _RESERVED & facts.keys():
        raise ValueError(f"reserved keys: {sorted(clash)}")
    body: dict[str, object] = {"v": VERSION, "seq": seq, "prev": prev, "timestamp": to_text(at), "event": event.value}
    body.update((key, _plain_fact(key, value)) for key, value in facts.items())
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


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

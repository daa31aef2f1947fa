"""Trails of the original system: JSON lines with ``event`` and a naive UTC ``timestamp``, without any chain."""

from __future__ import annotations

import json
from datetime import datetime

from thunes_cli.audit.chunks import BLOCK, Fault, lines_from
from thunes_cli.audit.lines import LineFault, object_of

_OURS = frozenset({"v", "seq", "prev"})
_MAX_LINE = BLOCK


def looks_original(line: bytes) -> bool:
    """Whether a first line is one of the original system's."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and not _OURS & record.keys() and {"event", "timestamp"} <= record.keys()


def check_original(descriptor: int, *, deep: bool) -> tuple[int, int, int, Fault | None]:
    """Everything such a file can show: each line is a JSON object with an event and a time.

    Returns:
        Whole lines and bytes read, bytes of a last line without its end, and the first fault.
    """
    number = offset = 0
    for line in lines_from(descriptor, 0, end=None):
        if not line.endswith(b"\n"):
            if len(line) >= _MAX_LINE:
                return number, offset, 0, Fault(number + 1, offset, "the line is too long")
            return number, offset, len(line), None
        try:
            _check(line, deep=deep)
        except LineFault as fault:
            return number, offset, 0, Fault(number + 1, offset, fault.problem, fault.expected, fault.found)
        number, offset = number + 1, offset + len(line)
    return number, offset, 0, None


def _check(line: bytes, *, deep: bool) -> None:
    record, doubled = object_of(line)
    if deep and doubled is not None:
        raise LineFault("a key stands twice", found=doubled)
    for key in ("event", "timestamp"):
        if not isinstance(record.get(key), str):
            raise LineFault(f"{key} is missing or no text", found=record.get(key))
    if _OURS & record.keys():
        raise LineFault("a record of another format", found=", ".join(sorted(_OURS & record.keys())))
    try:
        datetime.fromisoformat(record["timestamp"])
    except ValueError as error:
        raise LineFault("timestamp is no time", found=record["timestamp"]) from error

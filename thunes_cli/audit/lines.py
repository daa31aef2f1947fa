"""What a line of the trail must be, said once and slowly; :mod:`thunes_cli.audit.chunks` says the same quickly.

This is the reference: whatever the quick check is in doubt about is decided here, line by line.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from thunes_cli.audit.record import FIRST_PREV, FIXED_KEYS, MAX_LINE, VERSION

Record = dict[str, Any]
_HASH = re.compile(r"[0-9a-f]{64}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
EVENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_SHOWN = 120
_DIGITS = 4300  # what Python reads without being told to
_BOM = b"\xef\xbb\xbf"


class LineFault(Exception):
    """Why a line is none of a sound trail; what was expected there and what was found."""

    def __init__(self, problem: str, *, expected: object = None, found: object = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.expected = _shown(expected)
        self.found = _shown(found)


def _shown(value: object) -> str | None:
    if value is None:
        return None
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def parse_line(line: bytes, *, deep: bool) -> Record:
    """The record of a line (newline included) with its five fixed keys; ``deep`` also checks form and facts.

    Raises:
        LineFault: says what is wrong.
    """
    if len(line) > MAX_LINE:
        raise LineFault("the line is too long", expected=f"at most {MAX_LINE} bytes", found=f"{len(line)} bytes")
    if line.startswith(_BOM):
        raise LineFault("a byte order mark", expected="{", found=line[:8])
    if line.endswith(b"\r\n"):
        raise LineFault("the line ends in CR LF", expected="LF")
    record, doubled = object_of(line)
    _check_fixed(record)
    if deep:
        if doubled is not None:
            raise LineFault("a key stands twice", found=doubled)
        _check_form(record, line)
    return record


def object_of(line: bytes) -> tuple[Record, str | None]:
    """The JSON object a line is, and a key that stands twice in it, if one does.

    Raises:
        LineFault: it is none.
    """
    doubled: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> Record:
        made = dict(pairs)
        if len(made) != len(pairs):
            names = [name for name, _ in pairs]
            doubled.extend(name for name in made if names.count(name) > 1)
        return made

    if line == b"\n":
        raise LineFault("an empty line")
    try:
        found = json.loads(line.decode(), object_pairs_hook=build, parse_int=_whole_number, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise LineFault("invalid UTF-8", found=f"byte {line[error.start]:#04x} at {error.start}") from error
    except RecursionError as error:
        raise LineFault("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise LineFault(f"not JSON: {error.msg} (column {error.pos + 1})", found=line.rstrip(b"\n")) from error
    if not isinstance(found, dict):
        raise LineFault("not a JSON object", found=line.rstrip(b"\n"))
    return found, doubled[0] if doubled else None


def _whole_number(text: str) -> int:
    if len(text) > _DIGITS:
        raise LineFault("a number of too many digits", expected=f"at most {_DIGITS}", found=f"{len(text)}")
    return int(text)


def _no_constant(text: str) -> float:
    """NaN and the infinities, which only Python takes for JSON."""
    raise LineFault(f"not JSON: {text}")


def _check_fixed(record: Record) -> None:
    for key in FIXED_KEYS:
        if key not in record:
            raise LineFault(f"the key {key} is missing")
        wanted = int if key in {"v", "seq"} else str
        if type(record[key]) is not wanted:
            raise LineFault(f"{key} is not {'an integer' if wanted is int else 'text'}", found=record[key])
    if record["v"] != VERSION:
        raise LineFault("another version of the format", expected=VERSION, found=record["v"])


def _check_form(record: Record, line: bytes) -> None:
    if tuple(record)[: len(FIXED_KEYS)] != FIXED_KEYS:
        raise LineFault("its first keys are others", expected=",".join(FIXED_KEYS), found=",".join(record))
    if not _HASH.fullmatch(record["prev"]):
        raise LineFault("prev is no SHA-256", found=record["prev"])
    if not is_timestamp(record["timestamp"]):
        raise LineFault("timestamp is no RFC 3339 time of ours", found=record["timestamp"])
    if not EVENT_NAME.fullmatch(record["event"]):
        raise LineFault("event is no name", found=record["event"])
    for key, value in record.items():
        if not (value is None or isinstance(value, str | int)):
            raise LineFault(f"{key} is neither text, whole number, true, false nor null", found=value)
    canonical = canonical_line(record)
    if canonical != line:
        at = next(at for at, (a, b) in enumerate(zip(canonical, line + b"\0", strict=False)) if a != b)
        raise LineFault("not in canonical form", expected=canonical[at : at + 40], found=line[at : at + 40])


def is_timestamp(text: str) -> bool:
    """Whether it is a time as the trail writes it."""
    if TIMESTAMP.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def canonical_line(record: Record) -> bytes:
    """The one way to write a record: UTF-8, no spaces, only what must be escaped is."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def check_place(record: Record, *, seq: int) -> None:
    """The record is the one that comes next.

    Raises:
        LineFault: it is another.
    """
    if record["seq"] != seq:
        raise LineFault("the sequence breaks", expected=f"seq {seq}", found=f"seq {record['seq']}")


def check_beginning(record: Record) -> None:
    """The first record of a trail.

    Raises:
        LineFault: it is no beginning.
    """
    if record["seq"] != 1:
        raise LineFault("the trail does not begin here", expected="seq 1", found=f"seq {record['seq']}")
    if record["prev"] != FIRST_PREV:
        raise LineFault("the trail does not begin here", expected=FIRST_PREV, found=record["prev"])

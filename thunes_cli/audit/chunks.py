"""Checking many lines at once, at the speed of C: whole chunks are decoded, compared and hashed, none line by line.

A chunk that is in order is summed up by what its neighbours must fit; one that may not be is given to
:func:`inspect`, which reads it again slowly and names the first line that is wrong, or finds the doubt unfounded.
"""

from __future__ import annotations

import enum
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from thunes_cli.audit.events import Event
from thunes_cli.audit.lines import EVENT_NAME, LineFault, Record, check_place, parse_line
from thunes_cli.audit.record import FIRST_PREV, FIXED_KEYS, MAX_LINE, VERSION, line_hash

BLOCK = 256 * 1024  # what fits the processor's cache; lines are far shorter
ABOUT_THE_TRAIL = frozenset({Event.SEGMENT_STARTED, Event.CHECKPOINT_SIGNED, Event.AUDIT_KEY_IN_USE})
_DOUBTS = (msgspec.DecodeError, ValueError, LookupError, TypeError, OverflowError, RecursionError)
_SHAPE = b"0000-00-00T00:00:00.000Z"
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)


class Level(enum.IntEnum):
    """How much is checked: the sequence alone (a signed hash covers the bytes), every link, or everything."""

    SEQUENCE = 0
    LINKS = 1
    DEEP = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file the check stands: everything before ``offset`` is in order.

    ``seq`` is the last record's, ``prev`` the hash of its line (None: not known), ``last_start`` where that begins.
    """

    seq: int
    prev: str | None
    line: int = 0
    offset: int = 0
    last_start: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place in a file; ``line`` counts from 1, ``offset`` is the byte its line begins at."""

    line: int
    offset: int
    problem: str
    expected: str | None = None
    found: str | None = None


class Summary(msgspec.Struct, frozen=True):
    """A chunk whose records follow one another: what its neighbours must fit.

    ``first_prev`` is None where links were not looked at. ``last_start`` is where its last line begins, ``heard`` the
    places (first byte, line counted from 0) of records about the trail itself.
    """

    count: int
    first_seq: int
    first_prev: str | None
    last_hash: str
    last_start: int
    heard: list[tuple[int, int]]


class _Numbered(msgspec.Struct, gc=False):
    seq: int


class _Linked(msgspec.Struct, gc=False):
    v: int
    seq: int
    prev: str
    timestamp: str
    event: str


_NUMBERED = msgspec.json.Decoder(_Numbered)
_LINKED = msgspec.json.Decoder(_Linked)
_FACTS = msgspec.json.Decoder(dict[str, str | int | bool | None])
_ENCODER = msgspec.json.Encoder()
_FIXED_COLUMNS = [{key} for key in FIXED_KEYS]
_HASH_LENGTH = len(FIRST_PREV)
_Columns = tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...], tuple[str, ...]]


def summarize(chunk: bytes, level: Level) -> Summary | None:
    """Check whole lines against each other; None when they are not in order beyond doubt."""
    try:
        return _numbered(chunk) if level is Level.SEQUENCE else _linked(chunk, deep=level is Level.DEEP)
    except _DOUBTS:
        return None


def _numbered(chunk: bytes) -> Summary | None:
    seqs = [record.seq for record in _NUMBERED.decode_lines(chunk)]
    if seqs != list(range(seqs[0], seqs[0] + len(seqs))):
        return None
    start = chunk.rfind(b"\n", 0, -1) + 1
    return Summary(len(seqs), seqs[0], None, line_hash(chunk[start:]), start, [])


def _linked(chunk: bytes, *, deep: bool) -> Summary | None:
    lines = chunk.splitlines(keepends=True)
    if b"\r" in chunk or max(map(len, lines)) > MAX_LINE:
        return None
    columns = _columns_in_form(chunk) if deep else _columns(chunk)
    if columns is None:
        return None
    versions, seqs, prevs, events = columns
    # True equals 1, but is no number of a record.
    if set(map(type, seqs)) != {int} or set(map(type, versions)) != {int} or set(versions) != {VERSION}:
        return None
    if seqs != tuple(range(seqs[0], seqs[0] + len(lines))):
        return None
    hashes = [made.digest() for made in map(hashlib.sha256, lines)]
    if "".join(prevs[1:]) != b"".join(hashes[:-1]).hex() or set(map(len, prevs)) != {_HASH_LENGTH}:
        return None
    heard = _heard(lines, events) if not ABOUT_THE_TRAIL.isdisjoint(events) else []
    return Summary(len(lines), seqs[0], prevs[0], hashes[-1].hex(), len(chunk) - len(lines[-1]), heard)


def _columns(chunk: bytes) -> _Columns | None:
    """What the links need of each line; other keys are passed over."""
    chunk.decode()
    records = _LINKED.decode_lines(chunk)
    versions, seqs, prevs, events = zip(*[(r.v, r.seq, r.prev, r.event) for r in records], strict=True)
    return versions, seqs, prevs, events


def _columns_in_form(chunk: bytes) -> _Columns | None:
    """The same, once all facts are flat and writing the records again gave the same bytes.

    The latter shows that no key stands twice, and no space, no other spelling and no invalid UTF-8 anywhere.
    """
    records = _FACTS.decode_lines(chunk)
    if _ENCODER.encode_lines(records) != chunk:
        return None
    if [set(column) for column in islice(zip(*records, strict=False), len(FIXED_KEYS))] != _FIXED_COLUMNS:
        return None
    columns: Any = islice(zip(*map(dict.values, records), strict=False), len(FIXED_KEYS))
    versions, seqs, prevs, times, events = columns
    if not all(map(EVENT_NAME.fullmatch, set(events))):
        return None
    if "".join(times).encode().translate(_DIGITS) != _SHAPE * len(times):
        return None
    for _ in map(datetime.fromisoformat, times):  # raises for what is no time
        pass
    return versions, seqs, prevs, events


def _heard(lines: list[bytes], events: tuple[str, ...]) -> list[tuple[int, int]]:
    found, start = [], 0
    for number, (line, event) in enumerate(zip(lines, events, strict=True)):
        if event in ABOUT_THE_TRAIL:
            found.append((start, number))
        start += len(line)
    return found


def inspect(descriptor: int, place: Place, *, end: int, level: Level) -> Fault | Place:
    """Read lines again, slowly, from a place to a byte where a line ends: the first fault, or the place behind them."""
    deep = level is Level.DEEP
    at = place
    for line in lines_from(descriptor, place.offset, end=end):
        try:
            record = parse_line(line, deep=deep)
            check_place(record, seq=at.seq + 1)
        except LineFault as fault:
            return Fault(at.line + 1, at.offset, fault.problem, fault.expected, fault.found)
        if at.prev is not None and record["prev"] != at.prev and level is not Level.SEQUENCE:
            return _broken_link(descriptor, at, record, line)
        at = Place(at.seq + 1, line_hash(line), at.line + 1, at.offset + len(line), at.offset)
    return at


def line_end(descriptor: int, at: int) -> int:
    """Where the line that holds the byte before ``at`` ends; the end of what can be a line when it does not."""
    block = os.pread(descriptor, BLOCK, at - 1)
    return at + (block.find(b"\n") if b"\n" in block else len(block) - 1)


def _broken_link(descriptor: int, at: Place, record: Record, line: bytes) -> Fault:
    """Which of two neighbours was changed: the earlier one when the later is the last, or its own successor vouches."""
    following = next(lines_from(descriptor, at.offset + len(line), end=None), None)
    vouched = True
    if following is not None and following.endswith(b"\n"):
        try:
            vouched = parse_line(following, deep=False)["prev"] == line_hash(line)
        except LineFault:
            vouched = False
    if vouched and at.line:
        problem = f"not the record that was written: record {at.seq + 1} holds another hash of it"
        return Fault(at.line, at.last_start, problem, record["prev"], at.prev)
    return Fault(at.line + 1, at.offset, "prev is not the hash of the line before", at.prev, record["prev"])


def lines_from(descriptor: int, start: int, *, end: int | None) -> Iterator[bytes]:
    """The lines from a byte on, up to ``end``; one that is far too long comes in pieces."""
    while end is None or start < end:
        want = BLOCK if end is None else min(BLOCK, end - start)
        block = os.pread(descriptor, want, start)
        if not block:
            return
        whole = block[: block.rfind(b"\n") + 1] or block
        yield from _lines(whole)
        start += len(whole)


def _lines(block: bytes) -> list[bytes]:
    """Lines by LF alone; only the last one may lack it."""
    *whole, rest = block.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])

"""Reading records of a trail for people: newest first, or as they come.

This is no validation; a line that cannot be read is passed over and counted.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thunes_cli.audit.segments import closed_path, closed_segments
from thunes_cli.clock import to_text

Record = dict[str, Any]
Files = Iterable[tuple[Path, int | None]]  # each with how many of its bytes count, None for all
_BLOCK = 256 * 1024
_LONGEST = 256 * 1024
_TOO_LONG = b"\0"  # stands for a line longer than that: it is none of a trail, and nobody's memory
_POLL_S = 0.2
_TIME = b'"timestamp":"'
_TIME_LENGTH = len("2026-03-10T12:00:00.000Z")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are wanted: of one of these events (all when empty), with this reason, not before a time."""

    events: frozenset[str] = frozenset()
    reason: str | None = None
    since: datetime | None = None

    def sieve(self) -> Callable[[bytes], bool]:
        """A quick look at a line that no wanted record fails."""
        needles = [event.encode() for event in self.events]
        reason = None if self.reason is None else json.dumps(self.reason, ensure_ascii=False)[1:-1].encode()
        since = b"" if self.since is None else to_text(self.since).encode()

        def may_fit(line: bytes) -> bool:
            if needles and not any(needle in line for needle in needles):
                return False
            if reason is not None and reason not in line:
                return False
            at = line.find(_TIME) + len(_TIME)
            told = line[at : at + _TIME_LENGTH]
            return not (since and told.endswith(b"Z") and told < since)

        return may_fit

    def fits(self, record: Record) -> bool:
        """Whether a record is wanted."""
        if self.events and record.get("event") not in self.events:
            return False
        if self.reason is not None and record.get("reason") != self.reason:
            return False
        if self.since is None:
            return True
        moment = time_of(record)
        return moment is not None and moment >= self.since


def time_of(record: Record) -> datetime | None:
    """When a record was made; a naive time (the original system's) is UTC."""
    try:
        moment = datetime.fromisoformat(record["timestamp"])
    except (ValueError, LookupError, TypeError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def last_records(files: Files, waiting: Iterable[bytes], wanted: Filter, *, count: int) -> list[Record]:
    """The newest records that are wanted, at most so many, oldest first.

    Args:
        files: of the trail, in order.
        waiting: lines that are committed but in no file yet, in order.
        wanted: which.
        count: how many; nothing is read for 0.

    Raises:
        OSError: a file cannot be read. One that is gone is passed over.
    """
    may_fit = wanted.sieve()
    found: list[Record] = []
    for line in _newest_first(files, waiting):
        if len(found) >= count:
            break
        record = parsed(line) if may_fit(line) else None
        if record is not None and wanted.fits(record):
            found.append(record)
    return found[::-1]


def _newest_first(files: Files, waiting: Iterable[bytes]) -> Iterator[bytes]:
    yield from reversed(list(waiting))
    for path, limit in reversed(list(files)):
        with suppress(FileNotFoundError), path.open("rb") as stream:
            yield from _backwards(stream.fileno(), limit)


def _backwards(descriptor: int, limit: int | None) -> Iterator[bytes]:
    """The whole lines of a file without their ends, the last one first; what follows the last end is left out."""
    size = os.fstat(descriptor).st_size
    end = size if limit is None else min(limit, size)
    carry, ended = b"", False
    while end > 0:
        start = max(0, end - _BLOCK)
        lines = (os.pread(descriptor, end - start, start) + carry).split(b"\n")
        if not ended and len(lines) > 1:
            lines.pop()
            ended = True
        yield from reversed(lines[1:])
        carry, end = lines[0] if len(lines[0]) <= _LONGEST else _TOO_LONG, start
    if ended:
        yield carry


def parsed(line: bytes) -> Record | None:
    """The record of a line, or None when it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


# -- following -----------------------------------------------------------------------------------------------------


def follow(trail: Path, *, start: int, wait: Callable[[float], object] = time.sleep) -> Iterator[Record]:
    """Every record that is appended from a byte of the open segment on, through rotations, for ever.

    Raises:
        OSError: the file cannot be read.
    """
    last: int | None = None
    while True:
        descriptor = _next_file(trail, after=last)
        if descriptor is None:
            wait(_POLL_S)
            continue
        try:
            for line in _appended(descriptor, trail, start, wait):
                record = parsed(line)
                if record is not None:
                    yield record
            last = _number_of(descriptor, trail)
        finally:
            os.close(descriptor)
        start = 0


def _next_file(trail: Path, *, after: int | None) -> int | None:
    """Open what follows a closed segment: the next one, which may be closed as well by now; None: not there yet."""
    closed = None if after is None else closed_path(trail, after + 1)
    for path in (closed, trail):
        with suppress(FileNotFoundError):
            if path is not None:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                if path is closed or closed is None or not closed.exists() or _same(descriptor, closed):
                    return descriptor
                os.close(descriptor)  # rotated twice in this moment
    return None


def _number_of(descriptor: int, trail: Path) -> int | None:
    """Which closed segment an open file is."""
    return next((number for number, path in closed_segments(trail) if _same(descriptor, path)), None)


def _appended(descriptor: int, trail: Path, offset: int, wait: Callable[[float], object]) -> Iterator[bytes]:
    """Whole lines as they come, until the file is no longer the open segment."""
    while True:
        closed = not _same(descriptor, trail)  # asked first: what came before the rotation is read still
        block = os.pread(descriptor, _BLOCK, offset)
        end = block.rfind(b"\n") + 1
        yield from block[:end].splitlines(keepends=True)
        offset += end
        if end == 0:
            if closed:
                return
            offset = min(offset, os.fstat(descriptor).st_size)  # a crash's remains were set aside
            wait(_POLL_S)


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

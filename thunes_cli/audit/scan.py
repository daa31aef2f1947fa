"""Reading one segment of a trail from its first byte to its last, once, past the witnesses' marks."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.chunks import Fault, Level, Place, Summary, inspect, line_end, lines_from
from thunes_cli.audit.crew import Hand, crew, summaries
from thunes_cli.audit.events import Event
from thunes_cli.audit.lines import Record, parse_line
from thunes_cli.audit.prefix_hash import PrefixHash
from thunes_cli.audit.ranges import Range, Ranges
from thunes_cli.audit.record import MAX_LINE
from thunes_cli.audit.witness import Mark, Marks

_MOMENT_S = 0.05


def _ignore(_seen: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """An open file that is a segment of a trail; ``closed``: nothing is added to it.

    ``length``: how many of its bytes count, when not all do.
    """

    number: int
    path: Path
    descriptor: int
    closed: bool
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Scanned:
    """How far a segment is sound: up to ``place``. ``torn``: bytes after the last whole line.

    ``known``: up to this byte the ledger confirmed it, and no other witness spoke against it.
    ``sha256`` is that of the whole file; it is computed for closed segments only.
    """

    place: Place
    torn: int = 0
    sha256: bytes | None = None
    fault: Fault | None = None
    known: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a segment.

    ``trusted``: up to this byte signed checkpoints vouch for the bytes, so that links need no check. ``heard`` is
    given the records that speak of the trail itself, where links are looked at; ``progress`` the bytes read.
    """

    level: Level
    trusted: int
    heard: Callable[[Record], object] = _ignore
    progress: Callable[[int], object] = _ignore


@dataclass(frozen=True, slots=True)
class _Missed:
    """A mark whose hash was not met, and the last place before it where all was well."""

    mark: Mark
    good: Place


class SegmentScan:
    """One reading of one segment."""

    def __init__(self, file: SegmentFile, marks: Marks, order: Order, *, start: Place) -> None:
        self._file = file
        self._order = order
        self._place = self._good = start
        self._ranges = Ranges(file.descriptor, marks, segment=file.number, level=order.level, trusted=order.trusted)
        if file.length is not None:
            self._ranges.size = min(self._ranges.size, file.length)
        self._hashing: PrefixHash[_Missed] | None = None
        self._torn = self._known = 0

    def run(self) -> Scanned:
        """Read it all, or up to the first fault."""
        if self._file.closed or self._ranges.next_mark() is not None:
            self._hashing = PrefixHash(self._file.descriptor)
        with _no_garbage(), crew(self._file.descriptor, size=self._ranges.size) as hands:
            fault = self._read(hands) or self._beyond()
        if self._hashing is not None and self._hashing.missed is not None:
            missed, found = self._hashing.missed
            fault = self._forged(missed.mark, missed.good, expected=_hex(missed.mark.sha256), found=found.hex())
            self._known = 0
        digest = self._hashing.digest() if self._hashing is not None and self._file.closed else None
        return Scanned(self._place, self._torn, digest, fault, self._known)

    def _read(self, hands: list[Hand]) -> Fault | None:
        for item, summary in summaries(self._file.descriptor, self._ranges.next, hands):
            fault = self._accept(item, summary)
            if fault is not None or self._torn:
                return fault
            if self._hashing is not None and self._hashing.missed is not None:
                return None
        return None

    def _accept(self, item: Range, summary: Summary | None) -> Fault | None:
        if not item.whole:
            return self._without_end(item)
        if self._hashing is not None:
            self._hashing.add(item.start, item.end)
        fault = self._follow(item, summary) if summary is not None else self._doubt(item)
        if fault is not None:
            return fault
        self._order.progress(item.end - item.start)
        return self._pass_marks(item)

    def _follow(self, item: Range, summary: Summary) -> Fault | None:
        """A range in order by itself: does it continue the one before?"""
        place = self._place
        linked = summary.first_prev is None or place.prev is None or summary.first_prev == place.prev
        if summary.first_seq != place.seq + 1 or not linked:
            return self._doubt(item)
        for start, number in summary.heard:
            fault = self._hear(item.start + start, place.line + number + 1)
            if fault is not None:
                return fault
        self._place = Place(
            seq=place.seq + summary.count,
            prev=summary.last_hash,
            line=place.line + summary.count,
            offset=item.end,
            last_start=item.start + summary.last_start,
        )
        return None

    def _doubt(self, item: Range) -> Fault | None:
        """Read it slowly: name the fault, or go on behind it."""
        seen = inspect(self._file.descriptor, self._place, end=item.end, level=item.level)
        if isinstance(seen, Fault):
            return seen
        self._place = seen
        return None

    def _hear(self, offset: int, line: int) -> Fault | None:
        record = parse_line(next(lines_from(self._file.descriptor, offset, end=None)), deep=False)
        if record["event"] == Event.SEGMENT_STARTED and offset:
            return Fault(line, offset, "a segment begins in the middle of a file")
        self._order.heard(record)
        return None

    # -- witnesses ---------------------------------------------------------------------------------------------------

    def _pass_marks(self, item: Range) -> Fault | None:
        """What can be compared at once is; hashes are when they are ready."""
        place, good = self._place, self._good
        for mark in item.marks:
            if mark.seq != place.seq:
                return self._forged(mark, good, expected=f"seq {mark.seq} at its end", found=f"seq {place.seq}")
            if mark.line_hash is not None and mark.line_hash != place.prev:
                return self._forged(mark, good, expected=mark.line_hash, found=place.prev)
            if mark.line_hash is not None:
                self._known = place.offset
            if mark.sha256 is not None and self._hashing is not None:
                self._hashing.expect(mark.sha256, _Missed(mark, good))
            self._good = place
        return None

    def _forged(self, mark: Mark, good: Place, *, expected: str | None, found: str | None = None) -> Fault:
        """These bytes are not those a witness knows. Where the forger left the chain broken, that is the place."""
        level = max(self._order.level, Level.LINKS)
        end = line_end(self._file.descriptor, min(mark.length, self._ranges.size))
        seen = inspect(self._file.descriptor, good, end=end, level=level)
        if isinstance(seen, Fault):
            return seen
        problem = f"records {good.seq + 1} to {mark.seq} are not those that {mark.witness} knows"
        return Fault(good.line + 1, good.offset, problem, expected, found)

    def _beyond(self) -> Fault | None:
        """A witness knows of more than there is."""
        mark = self._ranges.next_mark()
        if mark is None or (self._hashing is not None and self._hashing.missed is not None):
            return None
        place = self._place
        problem = f"the trail is cut off: {mark.witness} knows of record {mark.seq}"
        return Fault(place.line + 1, place.offset, problem, f"{mark.length} bytes", f"{place.offset} bytes")

    # -- a last line without an end -----------------------------------------------------------------------------------

    def _without_end(self, item: Range) -> Fault | None:
        place, length = self._place, item.end - item.start
        if item.marks:
            return self._forged(item.marks[0], self._good, expected=f"a line that ends at byte {item.end}")
        if length > MAX_LINE:
            return Fault(place.line + 1, place.offset, "the line is too long", f"at most {MAX_LINE} bytes")
        if not self._file.closed:
            time.sleep(_MOMENT_S)  # a writer may be half way through it
            if self._ranges.grown(back_to=item.start):
                return None
        if self._beyond() is None and self._file.closed:
            return Fault(place.line + 1, place.offset, "a closed segment ends within a line")
        self._torn = length
        return None


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Decoding makes no cycles; looking for some after every few records would take a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

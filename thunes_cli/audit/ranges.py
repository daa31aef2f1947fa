"""Cutting a segment into ranges of whole lines that end where a witness's mark is."""

from __future__ import annotations

import os
from dataclasses import dataclass

from thunes_cli.audit.chunks import BLOCK, Level
from thunes_cli.audit.record import MAX_LINE
from thunes_cli.audit.witness import Mark, Marks

_WINDOW = 4096


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes to check at a level; ``marks`` are those at its end. ``whole``: it ends where a line does."""

    start: int
    end: int
    level: Level
    whole: bool
    marks: tuple[Mark, ...] = ()


class Ranges:
    """The ranges of one segment, in order; takes its marks on the way."""

    def __init__(self, descriptor: int, marks: Marks, *, segment: int, level: Level, trusted: int) -> None:
        self._descriptor = descriptor
        self._marks = marks
        self._segment = segment
        self._level = level
        self._trusted = trusted
        self._offset = 0
        self.size = os.fstat(descriptor).st_size

    def next(self) -> Range | None:
        """The next range, or None at the end."""
        start = self._offset
        if start >= self.size:
            return None
        mark = self.next_mark()
        until = min(mark.length, self.size) if mark is not None else self.size
        end = self._line_end(start, until, at_mark=mark is not None and mark.length == until)
        marks = []
        while (mark := self.next_mark()) is not None and mark.length == end:
            marks.append(self._marks.take())
        level = Level.SEQUENCE if end <= self._trusted else self._level
        whole = os.pread(self._descriptor, 1, end - 1) == b"\n"
        self._offset = end
        return Range(start, end, level, whole, tuple(marks))

    def next_mark(self) -> Mark | None:
        """The next mark of this segment."""
        mark = self._marks.next
        return mark if mark is not None and mark.segment == self._segment else None

    def grown(self, *, back_to: int) -> bool:
        """Whether the file is longer than it was; then the ranges go on from ``back_to``."""
        size = os.fstat(self._descriptor).st_size
        if size <= self.size:
            return False
        self.size, self._offset = size, back_to
        return True

    def _line_end(self, start: int, until: int, *, at_mark: bool) -> int:
        """A mark that is near, else the end of the last line that fits; what has no such end is taken as it is."""
        pieces = -(-(until - start) // BLOCK)  # of like size: who shares them out has an easier time
        limit = start - (start - until) // pieces
        if at_mark and limit == until:
            return limit
        for window in (_WINDOW, MAX_LINE, BLOCK):
            begin = max(start, limit - window)
            found = os.pread(self._descriptor, limit - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
        return limit

"""Who stands witness to what a trail held: checkpoints, anchors that were kept elsewhere, the ledger."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.checkpoint_file import read_notes
from thunes_cli.audit.notes import Note


@dataclass(frozen=True, slots=True)
class Mark:
    """The first ``length`` bytes of a segment end with record ``seq``; their SHA-256, or that of the last line.

    ``witness`` says in words who knows it.
    """

    segment: int
    length: int
    seq: int
    witness: str
    sha256: bytes | None = None
    line_hash: str | None = None

    @property
    def place(self) -> tuple[int, int]:
        """By which marks are ordered along the trail."""
        return self.segment, self.length


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What the home's ledger knows of its trail's end: the last record known to be in a file."""

    segment: int
    length: int
    seq: int
    line_hash: str

    def mark(self) -> Mark:
        """As a mark."""
        return Mark(self.segment, self.length, self.seq, "the ledger", line_hash=self.line_hash)


def note_mark(note: Note, witness: str) -> Mark:
    """What a note says, as a mark."""
    checkpoint = note.checkpoint
    return Mark(checkpoint.segment, checkpoint.length, checkpoint.seq, witness, sha256=checkpoint.sha256)


def checkpoint_marks(path: Path, *, count: int) -> Iterator[Mark]:
    """The first ``count`` notes of a file, each as a mark, read as they are asked for."""
    for number, placed in enumerate(read_notes(path), start=1):
        if number > count:
            return
        yield note_mark(placed.note, f"checkpoint {number}")


class Marks:
    """All marks along the trail, in its order, to be taken one after the other."""

    def __init__(self, *sources: Iterable[Mark]) -> None:
        self._merged = heapq.merge(*sources, key=lambda mark: mark.place)
        self._next: Mark | None = next(self._merged, None)

    @property
    def next(self) -> Mark | None:
        """The next one, without taking it."""
        return self._next

    def take(self) -> Mark:
        """The next one."""
        mark = self._next
        assert mark is not None
        self._next = next(self._merged, None)
        return mark

    def skip_before(self, segment: int) -> None:
        """Pass over the marks of earlier segments: those are not looked at."""
        while self._next is not None and self._next.segment < segment:
            self._next = next(self._merged, None)

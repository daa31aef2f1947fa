"""Finding records in the trail without loading it: lines are streamed, only those that may fit are parsed.

This is no validation; a line that cannot be read is counted and passed over.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from thunes_cli.audit.reading import Record, parsed
from thunes_cli.audit.segments import trail_files
from thunes_cli.ledger.outbox import Head, Pending


@dataclass(frozen=True, slots=True)
class Found:
    """Records in order of their ``seq``. ``missing_bytes``: how much shorter the file is than what was written."""

    records: list[Record] = field(default_factory=list)
    unreadable_lines: int = 0
    missing_bytes: int = 0


def find_records(
    path: Path, waiting: Collection[Pending], head: Head, *, needles: Collection[str], fits: Callable[[Record], bool]
) -> Found:
    """The records that fit: those in the files up to the durable length, then those that wait in the outbox.

    Args:
        path: the trail; its closed segments are read before it.
        waiting: the outbox, read in the same snapshot as ``head``.
        head: says how much of the open segment counts; bytes beyond are not yet, or not ours.
        needles: texts of which a fitting line holds at least one; a quick sieve before parsing.
        fits: the exact question.

    Raises:
        OSError: a file exists and cannot be read.
    """
    sieve = [needle.encode() for needle in needles]
    found = Found()
    unreadable = missing = 0
    for file, limit in trail_files(path, segment=head.segment, length=head.durable_length):
        lines, missing = _lines_of(file, limit=limit, sieve=sieve)
        for line in lines:
            record = parsed(line)
            unreadable += record is None
            if record is not None and fits(record):
                found.records.append(record)
    for item in waiting:
        record = parsed(item.line)
        if record is not None and fits(record):
            found.records.append(record)
    return replace(found, unreadable_lines=unreadable, missing_bytes=missing)


def _lines_of(path: Path, *, limit: int | None, sieve: list[bytes]) -> tuple[list[bytes], int]:
    """The lines that hold one of the texts, and how many bytes the file lacks."""
    left = sys.maxsize if limit is None else limit
    lines: list[bytes] = []
    with suppress(FileNotFoundError), path.open("rb") as stream:
        for line in stream:
            if left <= 0:
                break
            left -= len(line)
            if any(needle in line for needle in sieve):
                lines.append(line)
    return lines, 0 if limit is None else max(0, left)

"""Finding records in the trail without loading it: lines are streamed, only those that may fit are parsed.

This is no validation; a line that cannot be read is counted and passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thunes_cli.ledger.outbox import Head, Pending

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Records in order of their ``seq``. ``missing_bytes``: how much shorter the file is than what was written."""

    records: list[Record] = field(default_factory=list)
    unreadable_lines: int = 0
    missing_bytes: int = 0


def find_records(
    path: Path, waiting: Collection[Pending], head: Head, *, needles: Collection[str], fits: Callable[[Record], bool]
) -> Found:
    """The records that fit: those in the file up to its durable length, then those that wait in the outbox.

    Args:
        path: the trail.
        waiting: the outbox, read in the same snapshot as ``head``.
        head: says how much of the file counts; bytes beyond are not yet, or not ours.
        needles: texts of which a fitting line holds at least one; a quick sieve before parsing.
        fits: the exact question.

    Raises:
        OSError: the file exists and cannot be read.
    """
    sieve = [needle.encode() for needle in needles]
    records: list[Record] = []
    unreadable = 0
    left = head.durable_length
    try:
        with path.open("rb") as stream:
            for line in stream:
                if left <= 0:
                    break
                left -= len(line)
                if any(needle in line for needle in sieve):
                    record = _parsed(line)
                    unreadable += record is None
                    if record is not None and fits(record):
                        records.append(record)
    except FileNotFoundError:
        pass
    for item in waiting:
        record = _parsed(item.line)
        if record is not None and fits(record):
            records.append(record)
    return Found(records, unreadable_lines=unreadable, missing_bytes=max(0, left))


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None

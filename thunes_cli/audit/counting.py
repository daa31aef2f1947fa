"""How often each event happened: whole blocks of records are counted at once, in one pass."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from thunes_cli.audit.events import Event
from thunes_cli.audit.reading import Files, Record, parsed, time_of
from thunes_cli.clock import from_text, to_text

BLOCK = 256 * 1024
_ALWAYS = "0000"
TOO_LONG = b"\0"  # stands for a line longer than a block, which is none of a trail: unreadable, and no memory


class _Counted(msgspec.Struct, gc=False):
    event: str
    timestamp: str
    reason: str | None = None


_DECODER = msgspec.json.Decoder(_Counted)


@dataclass(slots=True)
class Counts:
    """How often each event happened, why entries were refused, and the span of the records counted."""

    events: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    records: int = 0
    unreadable: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, record: Record) -> None:
        """Count a record."""
        event = str(record.get("event"))
        self.records += 1
        self.events[event] += 1
        if event == Event.TRADE_REJECTED:
            self.reasons[str(record.get("reason"))] += 1
        moment = time_of(record)
        if moment is not None:
            self.first = self.first or moment
            self.last = moment


def count_records(files: Files, waiting: Iterable[bytes], *, since: datetime | None) -> Counts:
    """Count what is in the files and what waits, in one pass that holds a block of lines at most.

    Raises:
        OSError: a file cannot be read. One that is gone is passed over.
    """
    counts = Counts()
    for path, limit in files:
        with suppress(FileNotFoundError), path.open("rb") as stream:
            for block in _blocks(stream.fileno(), limit):
                _count_block(block, counts, since=since)
    _count_block(b"".join(waiting), counts, since=since)
    return counts


def _blocks(descriptor: int, limit: int | None) -> Iterator[bytes]:
    """A file's bytes in blocks of whole lines; what follows the last line's end is left out.

    Of a line longer than a block only something unreadable is left.
    """
    size = os.fstat(descriptor).st_size
    end, offset, carry = (size if limit is None else min(limit, size)), 0, b""
    while offset < end:
        data = os.pread(descriptor, min(BLOCK, end - offset), offset)
        if not data:
            return
        offset += len(data)
        whole, ended, rest = data.rpartition(b"\n")
        if ended:
            yield carry + whole + ended
            carry = b""
        carry = carry + rest if len(carry) + len(rest) <= BLOCK else TOO_LONG


def _count_block(block: bytes, counts: Counts, *, since: datetime | None) -> None:
    """Count the records of whole lines."""
    try:
        _count_ours(block, counts, since=_ALWAYS if since is None else to_text(since))
    except (msgspec.DecodeError, ValueError, RecursionError):
        _count_slowly(block, counts, since=since)


def _count_ours(block: bytes, counts: Counts, *, since: str) -> None:
    records = _DECODER.decode_lines(block)
    times = [record.timestamp for record in records]
    if any(not time.endswith("Z") or len(time) != len("2026-03-10T12:00:00.000Z") for time in times):
        raise ValueError(times[0])
    if times and min(times) < since:
        records = [record for record in records if record.timestamp >= since]
    if not records:
        return
    first, last = from_text(records[0].timestamp), from_text(records[-1].timestamp)
    counts.records += len(records)
    counts.events.update(Counter([record.event for record in records]))
    counts.reasons.update(str(record.reason) for record in records if record.event == Event.TRADE_REJECTED)
    counts.first = counts.first or first
    counts.last = last


def _count_slowly(block: bytes, counts: Counts, *, since: datetime | None) -> None:
    """Lines of another form, or broken ones."""
    for line in block.splitlines():
        record = parsed(line)
        if record is None:
            counts.unreadable += 1
            continue
        moment = time_of(record)
        if since is None or (moment is not None and moment >= since):
            counts.add(record)

"""From one segment of a trail to the next: which files there are, and whether each continues the one before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from thunes_cli.audit.chunks import Fault, Place
from thunes_cli.audit.events import Event
from thunes_cli.audit.lines import LineFault, Record, check_beginning, parse_line
from thunes_cli.audit.record import MAX_LINE
from thunes_cli.audit.report import FirstBad
from thunes_cli.audit.scan import Scanned, SegmentFile
from thunes_cli.audit.segments import closed_segments

Before = tuple[SegmentFile, Scanned]


def first_line(path: Path) -> bytes:
    """The first line of a file, as far as a line may reach."""
    with path.open("rb") as stream:
        return stream.readline(MAX_LINE + 1)


def open_segments(trail: Path, *, only: int | None) -> Iterator[SegmentFile]:
    """The segments of a trail in order, each opened for the caller to close; or only the closed one of that number.

    A rotation may happen meanwhile: the open segment is looked for last, and closed ones that appeared come before.

    Raises:
        FileNotFoundError: there is no file at all.
    """
    last = 0
    while True:
        for number, path in closed_segments(trail):
            if number > last and (only is None or number == only):
                yield SegmentFile(number, path, _open(path), closed=True)
                last = number
        if only is not None:
            return
        try:
            descriptor = _open(trail)
        except FileNotFoundError:
            if _rotated(trail, last):
                continue
            if last == 0:
                raise
            return  # rotated a moment ago: nothing was written since
        if _rotated(trail, last):
            os.close(descriptor)
            continue
        yield SegmentFile(_number_of(descriptor, after=last), trail, descriptor, closed=False)
        return


def _rotated(trail: Path, last: int) -> bool:
    """Whether segments were closed since they were listed."""
    return any(number > last for number, _ in closed_segments(trail))


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _number_of(descriptor: int, *, after: int) -> int:
    """Which segment an open file says it is; one that does not say must be the next."""
    line = os.pread(descriptor, MAX_LINE + 1, 0).partition(b"\n")[0]
    try:
        record = parse_line(line + b"\n", deep=False)
    except LineFault:
        return after + 1
    number = record.get("segment")
    if record["event"] == Event.SEGMENT_STARTED and type(number) is int and number > 1:
        return number
    return 1 if after == 0 else after + 1


def enter_segment(file: SegmentFile, before: Before | None) -> tuple[Place, FirstBad | None]:
    """Where the check of a segment starts, once its first record is a fitting one."""
    unknown = Place(before[1].place.seq if before is not None else 0, None)
    line = os.pread(file.descriptor, MAX_LINE + 1, 0)
    line = line[: line.find(b"\n") + 1] or line
    if not line.endswith(b"\n") and len(line) <= MAX_LINE:
        return unknown, None  # empty, or torn in its first line
    try:
        record = parse_line(line, deep=False)
        if file.number == 1:
            check_beginning(record)
        else:
            _check_started(record, file)
    except LineFault as fault:
        return unknown, FirstBad(file.path, Fault(1, 0, fault.problem, fault.expected, fault.found))
    bad = _not_continued(record, file, before) if before is not None else None
    return Place(record["seq"] - 1, record["prev"]), bad


def _check_started(record: Record, file: SegmentFile) -> None:
    if record["event"] != Event.SEGMENT_STARTED:
        raise LineFault("a later segment must say so", expected=Event.SEGMENT_STARTED, found=record["event"])
    if record.get("segment") != file.number:
        expected, found = f"segment {file.number}", f"segment {record.get('segment')}"
        raise LineFault("another segment than its place among the files", expected=expected, found=found)


def _not_continued(record: Record, file: SegmentFile, before: Before) -> FirstBad | None:
    earlier, scanned = before
    end = scanned.place
    if record.get("predecessor_bytes") != end.offset or record.get("predecessor_sha256") != _hex(scanned.sha256):
        problem = f"not the segment that was closed: {file.path.name} knows another"
        expected = f"{record.get('predecessor_bytes')} bytes, SHA-256 {record.get('predecessor_sha256')}"
        found = f"{end.offset} bytes, SHA-256 {_hex(scanned.sha256)}"
        return FirstBad(earlier.path, Fault(end.line + 1, end.offset, problem, expected, found))
    if record["seq"] != end.seq + 1:
        fault = Fault(1, 0, "the sequence breaks", f"seq {end.seq + 1}", f"seq {record['seq']}")
        return FirstBad(file.path, fault)
    if record["prev"] != end.prev:
        return FirstBad(file.path, Fault(1, 0, "prev is not the hash of the line before", end.prev, record["prev"]))
    return None


def _hex(digest: bytes | None) -> str:
    return "" if digest is None else digest.hex()

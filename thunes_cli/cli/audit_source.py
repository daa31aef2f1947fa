"""Which trail an ``audit`` command reads: the home's, with what its ledger knows, or a file on its own."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from thunes_cli.audit.segments import checkpoint_path, closed_segments, public_key_path, trail_files, trail_of
from thunes_cli.cli.call import Call
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Problem
from thunes_cli.clock import utc_now
from thunes_cli.config.home import TRAIL, require_home
from thunes_cli.errors import ConfigError, IntegrityError, NotFound, Unavailable
from thunes_cli.ledger.outbox import Head, outbox_size, pending, read_head
from thunes_cli.ledger.segments import Segment, read_segment

_COMPRESSED = {b"\x1f\x8b\x08": "zcat", b"\x28\xb5\x2f\xfd": "zstdcat", b"\xfd7zXZ\0": "xzcat", b"BZh": "bzcat"}


class Known(NamedTuple):
    """What the ledger knows: the head, the segment closed last, the lines that wait, and market time."""

    head: Head
    closed: Segment | None
    waiting: list[bytes]
    now: datetime


@dataclass(frozen=True, slots=True)
class TrailSource:
    """A trail's files in order, each with how many bytes count (None: all), and lines that are in none yet.

    ``known`` is None for a file on its own, and for a home whose ledger cannot be read: then ``problems`` says so.
    """

    trail: Path
    files: list[tuple[Path, int | None]]
    waiting: list[bytes]
    now: datetime
    known: Known | None = None
    problems: tuple[Problem, ...] = ()


def trail_source(call: Call, file: Path | None) -> TrailSource:
    """The trail to read.

    Raises:
        NotFound: there is no such file (10). HomeMissing, HomeNotOurs, LedgerMissing: as for any command (10).
    """
    if file is not None:
        return _bare(file)
    trail = require_home(call.home) / TRAIL
    _require_files(trail)
    try:
        known = read_book(call, _known)
    except (IntegrityError, Unavailable, ConfigError) as error:
        # The trail is evidence of its own: a ledger that is damaged or newer is no reason not to read it.
        message = f"{error.message}; only the trail's files were read"
        return TrailSource(trail, _all_of(trail), [], utc_now(), problems=(Problem(error.code, message, error.hint),))
    files = trail_files(trail, segment=known.head.segment, length=known.head.durable_length)
    return TrailSource(trail, files, known.waiting, known.now, known=known)


def _bare(file: Path) -> TrailSource:
    trail, number = trail_of(file)
    if not file.exists():
        raise NotFound(f"there is no file {file}")
    _require_files(trail)
    with suppress(OSError), file.open("rb") as stream:
        for magic, program in _COMPRESSED.items():
            if stream.peek(len(magic)).startswith(magic):
                raise Unavailable(
                    f"{file} is compressed", hint=f"{program} {shlex.quote(str(file))} > audit_trail.jsonl"
                )
    files: list[tuple[Path, int | None]] = [(file, None)] if number is not None else _all_of(trail)
    return TrailSource(file, files, [], utc_now())


def _require_files(trail: Path) -> None:
    """A pipe under the name of a file would keep a reader waiting for ever.

    Raises:
        Unavailable: something that is read is no file (13).
    """
    if not trail.name:  # "." and "/" have none
        raise Unavailable(f"{trail} is a directory, not a file")
    for path in (*(path for path, _ in _all_of(trail)), checkpoint_path(trail), public_key_path(trail)):
        if path.exists() and not path.is_file():
            raise Unavailable(f"{path} is a directory, a pipe or a device, not a file")


def _all_of(trail: Path) -> list[tuple[Path, int | None]]:
    return [*((path, None) for _, path in closed_segments(trail)), (trail, None)]


def _known(book: Book) -> Known:
    connection = book.connection
    head = read_head(connection)
    waiting = pending(connection, after=head.durable_seq, limit=outbox_size(connection) + 1)
    return Known(head, read_segment(connection, head.segment - 1), [item.line for item in waiting], book.now)

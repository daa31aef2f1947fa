"""Which trail an ``audit`` command reads: the home's, with what its ledger knows, or a file on its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from thunes_cli.audit.segments import closed_segments, trail_files, trail_of
from thunes_cli.cli.call import Call
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Problem
from thunes_cli.clock import utc_now
from thunes_cli.config.home import TRAIL, require_home
from thunes_cli.errors import ConfigError, IntegrityError, NotFound, Unavailable
from thunes_cli.ledger.outbox import Head, outbox_size, pending, read_head
from thunes_cli.ledger.segments import Segment, read_segment


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
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    files: list[tuple[Path, int | None]] = [(file, None)] if number is not None else _all_of(trail)
    return TrailSource(file, files, [], utc_now())


def _all_of(trail: Path) -> list[tuple[Path, int | None]]:
    return [*((path, None) for _, path in closed_segments(trail)), (trail, None)]


def _known(book: Book) -> Known:
    connection = book.connection
    head = read_head(connection)
    waiting = pending(connection, after=head.durable_seq, limit=outbox_size(connection) + 1)
    return Known(head, read_segment(connection, head.segment - 1), [item.line for item in waiting], book.now)

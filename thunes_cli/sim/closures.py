"""When symbols were closed by decree (HALT, BREAK, CANCEL_ONLY …), in market time, for good.

The whole history is kept: a resting order must not be filled by what the price did while its symbol was closed,
however late anybody looks and however often the exchange was started again in between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

STATUSES = frozenset({"TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY"})


class Closure(NamedTuple):
    """From ``begin`` (included) to ``end`` (excluded; None: until further notice) the symbol had a status."""

    begin: int
    end: int | None
    status: str

    def covers(self, moment: int) -> bool:
        """Whether the symbol was closed at an instant."""
        return self.begin <= moment and (self.end is None or moment < self.end)


def open_spans(closures: Sequence[Closure], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of ``begin`` … ``end`` (both included) in which none of the closures, oldest first, was in force."""
    for each in closures:
        if each.begin > end:
            break
        if each.end is not None and each.end <= begin:
            continue
        if each.begin > begin:
            yield begin, each.begin - 1
        if each.end is None:
            return
        begin = max(begin, each.end)
    if begin <= end:
        yield begin, end


def with_status(closures: Sequence[Closure], status: str, now: int, until: int | None) -> list[Closure]:
    """The history after a symbol got a status at ``now``; what was in force ends there."""
    kept = [each if each.end is not None and each.end <= now else each._replace(end=now) for each in closures]
    kept = [each for each in kept if each.begin < now]
    return kept if status == "TRADING" else [*kept, Closure(now, until, status)]


class ClosureStore:
    """The histories of all symbols in the exchange's file."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def load(self, symbol: str) -> list[Closure]:
        """A symbol's history, oldest first."""
        query = "SELECT begin_ms, end_ms, status FROM closures WHERE symbol = ? ORDER BY begin_ms"
        return [Closure(*row) for row in self._db.execute(query, (symbol,))]

    def save(self, symbol: str, closures: Sequence[Closure]) -> None:
        """Replace a symbol's history."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("DELETE FROM closures WHERE symbol = ?", (symbol,))
            rows = [(symbol, each.begin, each.end, each.status) for each in closures]
            self._db.executemany("INSERT INTO closures VALUES (?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

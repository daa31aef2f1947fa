"""Faults that wait: for a request, for an order, or in force for some time. They are kept in the exchange's file.

A fault that was accepted takes effect even if the exchange is killed in between: a drill goes on where it was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from thunes_cli.sim.fault_kinds import FaultKind


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``remaining``: how many more times (None: any number). ``until``: wall ms (None: no end).

    ``path``: which it hits, perhaps with a method before it; one that ends in a slash stands for all below it.
    ``details``: what its kind takes.
    """

    id: int
    kind: FaultKind
    remaining: int | None
    until: int | None
    path: str
    details: dict[str, Any]

    def hits(self, method: str, path: str) -> bool:
        """Whether a request is one of those it waits for."""
        wanted_method, _, wanted_path = self.path.rpartition(" ")
        below = wanted_path.endswith("/") and path.startswith(wanted_path)
        return wanted_method in {"", method} and (below or path == wanted_path)

    def told(self) -> dict[str, Any]:
        """For people and scripts."""
        return {
            "id": self.id,
            "kind": str(self.kind),
            "remaining": self.remaining,
            "until_ms": self.until,
            "path": self.path,
        } | self.details


class Faults:
    """The faults that wait, oldest first; the oldest that fits takes effect."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        rows = db.execute("SELECT id, kind, remaining, until_ms, path, details FROM faults ORDER BY id")
        self._waiting = [
            Fault(number, FaultKind(kind), remaining, until, path, json.loads(details))
            for number, kind, remaining, until, path, details in rows
        ]

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._waiting)

    def add(
        self, kind: FaultKind, *, path: str, remaining: int | None, until: int | None, details: dict[str, Any]
    ) -> Fault:
        """Queue a fault, durably."""
        cursor = self._db.execute(
            "INSERT INTO faults (kind, remaining, until_ms, path, details) VALUES (?, ?, ?, ?, ?)",
            (str(kind), remaining, until, path, json.dumps(details)),
        )
        assert cursor.lastrowid is not None
        fault = Fault(cursor.lastrowid, kind, remaining, until, path, details)
        self._waiting.append(fault)
        return fault

    def take(self, kinds: Collection[FaultKind], method: str, path: str, wall: int) -> Fault | None:
        """The fault that hits a request, once less from now on; None almost always."""
        fault = self.find(kinds, method, path, wall)
        if fault is not None:
            self.use(fault)
        return fault

    def find(self, kinds: Collection[FaultKind], method: str, path: str, wall: int) -> Fault | None:
        """The fault that would hit a request."""
        if not self._waiting:
            return None
        self._drop_expired(wall)
        return next((each for each in self._waiting if each.kind in kinds and each.hits(method, path)), None)

    def use(self, fault: Fault) -> None:
        """It has hit."""
        if fault.remaining is not None:
            self._leave(fault, fault.remaining - 1)

    def in_force(self, kind: FaultKind, wall: int) -> Fault | None:
        """The newest fault of a kind that lasts."""
        if not self._waiting:
            return None
        self._drop_expired(wall)
        return next((each for each in reversed(self._waiting) if each.kind is kind), None)

    def clear(self) -> int:
        """Forget all of them; how many there were."""
        count = len(self._waiting)
        self._db.execute("DELETE FROM faults")
        self._waiting.clear()
        return count

    def _leave(self, fault: Fault, remaining: int) -> None:
        number = self._waiting.index(fault)
        if remaining > 0:
            self._db.execute("UPDATE faults SET remaining = ? WHERE id = ?", (remaining, fault.id))
            self._waiting[number] = replace(fault, remaining=remaining)
        else:
            self._db.execute("DELETE FROM faults WHERE id = ?", (fault.id,))
            del self._waiting[number]

    def _drop_expired(self, wall: int) -> None:
        for fault in list(self._waiting):
            if fault.until is not None and fault.until <= wall:
                self._leave(fault, 0)


class LookupLag:
    """Orders that queries do not know yet. In memory: the lag of a source that was started again is over."""

    def __init__(self) -> None:
        self._hidden: dict[tuple[str, int], tuple[int, int]] = {}

    def hide(self, symbol: str, order_id: int, *, until: int, queries: int) -> None:
        """Let an order be unknown until a wall time, and left out of so many answers."""
        self._hidden[symbol, order_id] = (until, queries)

    def hides(self, symbol: str, order_id: int, wall: int) -> bool:
        """Whether an answer leaves an order out. Each that does counts: no source lags until it is asked by name."""
        if not self._hidden:
            return False
        until, queries = self._hidden.get((symbol, order_id), (0, 0))
        if until <= wall and queries <= 0:
            self._hidden.pop((symbol, order_id), None)
            return False
        self._hidden[symbol, order_id] = (until, queries - 1)
        return True

    def forget(self) -> None:
        """Every order is known."""
        self._hidden.clear()

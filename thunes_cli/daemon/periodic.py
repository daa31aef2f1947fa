"""Jobs of network time: every so many monotonic seconds, whatever the wall clock and the market do."""

from __future__ import annotations

import time
from collections.abc import Callable


class Periodic:
    """Calls actions when they are due; a call that was held up is made once, not made up for."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._entries: list[_Entry] = []

    def add(self, every_s: float, action: Callable[[], None], *, at_once: bool = False) -> None:
        """Call ``action`` every so many seconds, for the first time now or after one interval."""
        now = self._monotonic()
        self._entries.append(_Entry(every_s, action, now if at_once else now + every_s))

    def run_due(self) -> float:
        """Make the calls that are due; returns the seconds until the next one."""
        for entry in self._entries:
            now = self._monotonic()
            if entry.due <= now:
                entry.due = max(entry.due + entry.every_s, now)
                entry.action()
        now = self._monotonic()
        return max(min((entry.due for entry in self._entries), default=now + 1.0) - now, 0.0)


class _Entry:
    __slots__ = ("action", "due", "every_s")

    def __init__(self, every_s: float, action: Callable[[], None], due: float) -> None:
        self.every_s = every_s
        self.action = action
        self.due = due

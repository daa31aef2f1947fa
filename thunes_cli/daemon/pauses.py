"""Waiting on the trading thread, for the exchange's minute to end or for its recovery, without forgetting the stops."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Pauses:
    """Waits of the one thread that trades. ``wait`` waits so many seconds; True when the operator wants to stop."""

    def __init__(self, wait: Callable[[float], bool], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wait = wait
        self._monotonic = monotonic
        self._look: Callable[[], None] | None = None
        self._every_s = 0.0
        self._looking = False

    def look_meanwhile(self, look: Callable[[], None], *, every_s: float) -> None:
        """From now on call ``look`` every so many seconds of a wait: a price and an order fit in where lists do not."""
        self._look, self._every_s = look, every_s

    def wait(self, seconds: float) -> bool:
        """Wait; True as soon as the operator wants to stop."""
        if self._look is None or self._looking:  # what is looked at may have to wait itself
            return self._wait(seconds)
        ends = self._monotonic() + seconds
        while (left := ends - self._monotonic()) > 0:
            if self._wait(min(left, self._every_s)):
                return True
            if left > self._every_s:
                self._look_once(self._look)
        return False

    def _look_once(self, look: Callable[[], None]) -> None:
        self._looking = True
        try:
            look()
        except Exception:  # noqa: BLE001 - what goes wrong there is told by its own job
            _log.exception("a look during a wait failed")
        finally:
            self._looking = False

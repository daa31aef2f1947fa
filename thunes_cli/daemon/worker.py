"""The one thread that trades: jobs run on it one after the other, in the order in which they came.

It is a daemon thread: when the operator insists on leaving at once, a step that hangs in a socket does not keep the
process alive. Whatever it leaves unfinished is what a kill -9 would leave, and is taken up at the next start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from thunes_cli.errors import ThunesError

_log = logging.getLogger(__name__)


class Worker:
    """Runs one job at a time; a job that still waits or runs is not taken a second time.

    ``on_end`` is called by the thread itself when it ends: what it opened, such as its connection, is closed there.
    """

    def __init__(self, name: str = "trading", *, on_end: Callable[[], None] = lambda: None) -> None:
        self._on_end = on_end
        self._condition = threading.Condition()
        self._waiting: deque[tuple[str, Callable[[], object]]] = deque()
        self._running: str | None = None
        self._running_since_mono = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, name: str, step: Callable[[], object]) -> bool:
        """Queue a step under its job's name; False when that job waits or runs already, or after :meth:`close`."""
        with self._condition:
            if self._closed or name == self._running or any(name == other for other, _ in self._waiting):
                return False
            self._waiting.append((name, step))
            self._condition.notify_all()
            return True

    @property
    def running(self) -> str | None:
        """The job in flight."""
        with self._condition:
            return self._running

    @property
    def busy_s(self) -> float:
        """For how many seconds the job in flight has been running; 0 when there is none."""
        with self._condition:
            return 0.0 if self._running is None else time.monotonic() - self._running_since_mono

    def close(self) -> None:
        """Take no more steps and forget those that wait; the one in flight goes on."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify_all()

    def finished(self, wait_seconds: float) -> bool:
        """Whether the step in flight has ended after :meth:`close`, waiting at most so long."""
        self._thread.join(wait_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._on_end()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                self._running, step = self._waiting.popleft()
                self._running_since_mono = started = time.monotonic()
            try:
                step()
            except ThunesError as error:  # what keeps a step from even being recorded
                _log.error("job not done: job=%s error=%s", self._running, error)
            except (Exception, SystemExit):  # noqa: BLE001 - a step reports its own failures; this is the net below
                _log.exception("job_crashed job=%s after_s=%.3f", self._running, time.monotonic() - started)
            finally:
                with self._condition:
                    self._running = None
                    self._condition.notify_all()

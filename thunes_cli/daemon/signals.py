"""Ctrl-C, SIGTERM and a terminal that goes away as requests: one asks for an orderly end, a second one for haste."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

_ASKED_BY = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequest:
    """What the operator asked for so far.

    A pipe carries it: an event's lock could be held by the very code that a signal handler interrupts.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._reader)
        os.close(self._writer)

    @property
    def stop(self) -> bool:
        """End after the step in flight."""
        return self._asked >= 1

    @property
    def hurry(self) -> bool:
        """Do not wait for the step in flight either."""
        return self._asked > 1

    def ask(self) -> None:
        """Ask once; asking again is asking for haste. May be called from a signal handler."""
        self._asked += 1
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def wait(self, seconds: float) -> bool:
        """Wait so long at most, from any thread; whether the end was asked for."""
        if not self.stop and seconds > 0:
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            poll.poll(seconds * 1000)
        return self.stop


@contextlib.contextmanager
def signals_asking(request: StopRequest, *, insisting: type[BaseException] | None = None) -> Iterator[None]:
    """Turn SIGTERM, SIGINT and SIGHUP into :meth:`StopRequest.ask` while the block runs (main thread only).

    A signal that whoever started us has switched off (``nohup``, a shell's ``&``) stays switched off.
    ``insisting`` is raised in the main thread when asked twice, by whoever has nobody to look at the request.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        request.ask()
        if request.hurry and insisting is not None:
            raise insisting

    heard = [number for number in _ASKED_BY if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

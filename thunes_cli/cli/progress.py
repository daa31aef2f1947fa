"""How far a long work is: one line on a terminal's stderr, from half a second on, gone when it is done."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from thunes_cli.cli.streams import Streams

_SILENT_S = 0.5
_EVERY_S = 0.1
_WIDTH = 30
_MIB = 1024 * 1024


class _Bar:
    """A line that is written over and over, and wiped at the end; nothing where nobody looks on."""

    def __init__(self, streams: Streams, label: str) -> None:
        self._stderr = streams.stderr if streams.stderr_is_tty else None
        self._label = label
        self._began = self._shown = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stderr is not None and self._width:
            self._write("")
            self._stderr.write("\r")
            self._stderr.flush()

    def _elapsed_s(self) -> float | None:
        """How long the work has taken, when the line is to be written anew; None: not now."""
        now = time.monotonic()
        if self._stderr is None or now - self._began < _SILENT_S or now - self._shown < _EVERY_S:
            return None
        self._shown = now
        return now - self._began

    def _draw(self, share: float, words: str) -> None:
        self._write(f"{self._label} [{'#' * round(share * _WIDTH):.<{_WIDTH}}] {share:4.0%} {words}")

    def _write(self, line: str) -> None:
        assert self._stderr is not None
        self._stderr.write("\r" + line.ljust(self._width))
        self._stderr.flush()
        self._width = len(line)


class ByteProgress(_Bar):
    """Shows bytes done of bytes in all, as :meth:`show` is told."""

    def show(self, done: int, total: int) -> None:
        """Say how far it is; most calls write nothing."""
        elapsed = self._elapsed_s()
        if elapsed is not None:
            self._draw(min(1.0, done / total) if total else 1.0, f"{done / _MIB / elapsed:.0f} MiB/s")


class RowProgress(_Bar):
    """Counts rows as they come; ``expected`` is what the ledger knows of, the exchange may list more."""

    def __init__(self, streams: Streams, label: str, *, expected: int) -> None:
        super().__init__(streams, label)
        self._expected = max(expected, 1)
        self._done = 0

    def add(self, rows: int) -> None:
        """So many rows more."""
        self._done += rows
        if self._elapsed_s() is not None:
            self._draw(self._done / max(self._expected, self._done), f"{self._done} rows")


class Waiting(_Bar):
    """Says for what, and how long, somebody is kept waiting."""

    def tick(self) -> None:
        """It is not there yet."""
        elapsed = self._elapsed_s()
        if elapsed is not None:
            self._write(f"{self._label} {elapsed:.0f} s")

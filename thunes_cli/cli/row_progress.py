"""How far a comparison is: rows read of rows expected, on a terminal's stderr, from half a second on."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from thunes_cli.cli.streams import Streams

_SILENT_S = 0.5
_EVERY_S = 0.1
_WIDTH = 30


class RowProgress:
    """Counts rows as they come; ``expected`` is what the ledger knows of, the exchange may list more."""

    def __init__(self, streams: Streams, label: str, *, expected: int) -> None:
        self._stderr = streams.stderr if streams.stderr_is_tty else None
        self._label = label
        self._expected = max(expected, 1)
        self._done = 0
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

    def add(self, rows: int) -> None:
        """So many rows more."""
        self._done += rows
        if self._stderr is None:
            return
        now = time.monotonic()
        if now - self._began < _SILENT_S or now - self._shown < _EVERY_S:
            return
        self._shown = now
        expected = max(self._expected, self._done)
        share = self._done / expected
        self._write(f"{self._label} [{'#' * round(share * _WIDTH):.<{_WIDTH}}] {share:4.0%} {self._done} rows")

    def _write(self, line: str) -> None:
        assert self._stderr is not None
        self._stderr.write("\r" + line.ljust(self._width))
        self._stderr.flush()
        self._width = len(line)

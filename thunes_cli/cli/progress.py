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


class ByteProgress:
    """Shows bytes done of bytes in all, as :meth:`show` is told."""

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

    def show(self, done: int, total: int) -> None:
        """Say how far it is; most calls write nothing."""
        if self._stderr is None:
            return
        now = time.monotonic()
        if now - self._began < _SILENT_S or now - self._shown < _EVERY_S:
            return
        self._shown = now
        share = min(1.0, done / total) if total else 1.0
        bar = "#" * round(share * _WIDTH)
        rate = done / _MIB / (now - self._began)
        self._write(f"{self._label} [{bar:.<{_WIDTH}}] {share:4.0%} {rate:.0f} MiB/s")

    def _write(self, line: str) -> None:
        assert self._stderr is not None
        self._stderr.write("\r" + line.ljust(self._width))
        self._stderr.flush()
        self._width = len(line)

"""Where a daemon's log goes: stderr, and ``<home>/thunes.log``, rotating, readable by its owner only.

Lines are made for grep: ``time level logger: what: key=value ...``, or one JSON object a line.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from thunes_cli.clock import to_text
from thunes_cli.config.secrets import RedactingFilter, Secret

LARGEST_BYTES = 10 * 1024 * 1024
KEPT = 5
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_QUIET = ("apscheduler", "asyncio", "urllib3", "requests", "binance", "aiohttp", "tzlocal", "httpx", "httpcore")


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        head, _, rest = text.partition("\n")  # a message from outside must not be able to forge a line
        return head if not rest else head + "\n" + "\n".join(f"    {line}" for line in rest.splitlines())

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the base's name
        del datefmt
        return _time(record)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "ts": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None)
        if trace:
            document["traceback"] = trace
        return json.dumps(document)


def _time(record: logging.LogRecord) -> str:
    return to_text(datetime.fromtimestamp(record.created, tz=UTC))


class _ForJournal(logging.Formatter):
    """Another formatter's lines with the priority that the journal reads from them (sd-daemon(3))."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in self._inner.format(record).splitlines())


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream goes to systemd's journal, as ``JOURNAL_STREAM`` says (device and inode)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            self._stay_with_the_name()
        super().emit(record)

    def _stay_with_the_name(self) -> None:
        """Somebody may have moved the file away, or removed it: go on in a new one of its name."""
        if self.stream is None:
            return
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(Path(self.baseFilename).stat(), os.fstat(self.stream.fileno())):
                return
        self.stream.close()
        self.stream = None
        self.stream = self._open()

    def _open(self) -> Any:
        return open(
            self.baseFilename,
            self.mode,
            encoding="utf-8",
            errors="backslashreplace",
            opener=lambda name, flags: os.open(name, flags | os.O_CLOEXEC, 0o600),
        )

    def close(self) -> None:
        """What a full disk did not take cannot be written now either, and is no failure of whoever ends."""
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """A full disk must not fill stderr with tracebacks: stderr has the record itself."""


def _formatter(log_format: str) -> logging.Formatter:
    if log_format == "json":
        return _JsonFormatter()
    return _TextFormatter("%(asctime)s %(levelname)-8s %(name)s: %(message)s")


@contextlib.contextmanager
def logging_to(
    log_file: Path,
    *,
    level: str,
    log_format: str,
    secrets: Sequence[Secret],
    stderr: TextIO | None,
    stderr_level: str = "DEBUG",
    journal: bool = False,
    also: Sequence[logging.Handler] = (),
) -> Iterator[RedactingFilter]:
    """Send log records to stderr and the file while the block runs; then everything is as it was.

    Args:
        log_file: the home's ``thunes.log``; when it cannot be opened, stderr says so and is all there is.
        level: DEBUG, INFO, WARNING or ERROR.
        log_format: ``text`` or ``json``.
        secrets: taken out of everything that is written; more can be added to the filter that is yielded.
        stderr: None where something else shows what happens (a live view).
        stderr_level: what is left out there although the file has it.
        journal: stderr is systemd's journal, which reads a line's priority from its beginning.
        also: handlers that get the same lines.
    """
    redact = RedactingFilter(secrets)
    handlers: list[logging.Handler] = list(also)
    to_stderr = None if stderr is None else logging.StreamHandler(stderr)
    if to_stderr is not None:
        to_stderr.setLevel(stderr_level)
        handlers.append(to_stderr)
    problem = None
    try:
        handlers.append(_PrivateRotatingFile(log_file, maxBytes=LARGEST_BYTES, backupCount=KEPT))
    except OSError as error:
        problem = f"{log_file}: {error.strerror}"
    for handler in handlers:
        handler.setFormatter(_formatter(log_format))
        handler.addFilter(redact)
    if journal and to_stderr is not None:
        to_stderr.setFormatter(_ForJournal(_formatter(log_format)))
    root = logging.getLogger()
    before = root.level
    quiet = {name: logging.getLogger(name).level for name in _QUIET}
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    root.setLevel(level)
    for handler in handlers:
        root.addHandler(handler)
    try:
        if problem is not None:
            logging.getLogger(__name__).warning("no log file: %s", problem)
        yield redact
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(before)
        for name, old in quiet.items():
            logging.getLogger(name).setLevel(old)

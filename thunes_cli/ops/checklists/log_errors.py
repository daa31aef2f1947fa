"""How often the home's log tells of an error: text or JSON, rotated files included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from thunes_cli.clock import from_text

_BAD = frozenset({"ERROR", "CRITICAL"})
_COLUMNS = 3
_TIME = 24  # characters of a time with milliseconds


def count_errors(log: Path, *, since: datetime) -> int | None:
    """Lines of ERROR and CRITICAL since a wall time; None where there is no log.

    A line that cannot be read is nothing that can be counted. Critical lines that only repeat an alert do not count:
    they are told as alerts.
    """
    files = [path for path in (log, *sorted(log.parent.glob(f"{log.name}.*"))) if path.is_file()]
    if not files:
        return None
    return sum(1 for path in files if path.stat().st_mtime >= since.timestamp() for _ in _bad_lines(path, since))


def _bad_lines(path: Path, since: datetime) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            at, level, source = _json(line) if line.startswith("{") else _text(line)
            if level in _BAD and at is not None and at >= since and "log_notifier" not in source:
                yield line


def _text(line: str) -> tuple[datetime | None, str, str]:
    parts = line.split(maxsplit=3)
    if len(parts) < _COLUMNS or len(parts[0]) != _TIME:
        return None, "", ""
    return _moment(parts[0]), parts[1], parts[2]


def _json(line: str) -> tuple[datetime | None, str, str]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None, "", ""
    if not isinstance(document, dict):
        return None, "", ""
    return _moment(str(document.get("ts", ""))), str(document.get("level", "")), str(document.get("logger", ""))


def _moment(text: str) -> datetime | None:
    try:
        return from_text(text)
    except ValueError:
        return None

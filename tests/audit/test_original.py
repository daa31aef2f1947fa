"""Trails of the original system: what can be wrong with a file that has no chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from thunes_cli.audit.report import Mode, Report
from thunes_cli.audit.validation import Request, validate

LINE = b'{"event": "TRADE_REJECTED", "timestamp": "2025-06-01T12:00:00.123456", "reason": "cool_down_active"}\n'


def look(path: Path, content: bytes, *, deep: bool = False) -> Report:
    path.write_bytes(content)
    return validate(Request(path, deep=deep))


@pytest.mark.parametrize("deep", [False, True], ids=["quick", "deep"])
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"event": "TRADE_REJECTED", "timestamp": "tomorrow"}\n', "timestamp is no time"),
        (b'{"event": "TRADE_REJECTED", "timestamp": 1748779200}\n', "timestamp is missing or no text"),
        (b'{"timestamp": "2025-06-01T12:00:00"}\n', "event is missing or no text"),
        (b'{"event": "TRADE_REJECTED", "timestamp": "2025-06-01T12:00:00", "seq": 7}\n', "a record of another format"),
        (b'["TRADE_REJECTED", "2025-06-01T12:00:00"]\n', "not a JSON object"),
        (b"\n", "an empty line"),
        (LINE[:-2] + b', "more": "' + b"x" * 300_000 + b'"}\n', "the line is too long"),
    ],
    ids=["no time", "a number for a time", "no event", "one of ours", "no object", "empty", "longer than a block"],
)
def test_a_line_that_is_none(tmp_path: Path, line: bytes, problem: str, *, deep: bool) -> None:
    """It is named by its line and its first byte; what follows is not looked at."""
    report = look(tmp_path / "trail.jsonl", LINE * 2 + line + LINE, deep=deep)

    assert report.mode is Mode.ORIGINAL
    assert report.records == 2
    assert report.first_bad is not None
    fault = report.first_bad.fault
    assert (fault.line, fault.offset, fault.problem) == (3, 2 * len(LINE), problem)


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    """Readers of JSON do not agree on which counts: a deep look says so, a quick one reads on."""
    twice = LINE[:-2] + b', "reason": "kill_switch_active"}\n'

    quick, deep = (look(tmp_path / "trail.jsonl", LINE + twice, deep=deep) for deep in (False, True))

    assert (quick.valid, quick.records) == (True, 2)
    assert deep.first_bad is not None
    assert (deep.first_bad.fault.line, deep.first_bad.fault.problem) == (2, "a key stands twice")


@pytest.mark.parametrize("end", [LINE[:40], b"x" * 100_000], ids=["half a line", "much of one"])
def test_an_end_that_is_no_whole_line(tmp_path: Path, end: bytes) -> None:
    """An interrupted write, perhaps: told, not accused; how much of it there is, too."""
    report = look(tmp_path / "trail.jsonl", LINE * 3 + end)

    assert (report.valid, report.records, report.torn_bytes) == (True, 3, len(end))
    assert [remark.code for remark in report.remarks if remark.attention] == ["torn_tail"]


def test_an_end_that_was_never_a_line(tmp_path: Path) -> None:
    """A megabyte without a line's end is no interrupted write."""
    report = look(tmp_path / "trail.jsonl", LINE + b"x" * 1_000_000)

    assert report.first_bad is not None
    assert (report.first_bad.fault.line, report.first_bad.fault.problem) == (2, "the line is too long")

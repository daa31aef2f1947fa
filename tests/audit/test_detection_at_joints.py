"""The detection table where ranges, witnesses and files meet: the place that is named is the right one there too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forgeries import CHAIN, DEEP, MODES
from trail_home import TrailHome, edit, lines_of, rechain, write_lines, write_trail

from thunes_cli.audit.chunks import Level
from thunes_cli.audit.ranges import Ranges
from thunes_cli.audit.validation import Request, validate
from thunes_cli.audit.witness import Marks

BARE = pytest.mark.parametrize("how", [CHAIN, DEEP], ids=["chain", "deep"])


@pytest.mark.parametrize("deep", [False, True], ids=["chain", "deep"])
@pytest.mark.parametrize(
    ("seq", "prev", "problem"),
    [
        (1, "", "the sequence breaks"),
        (0, "a" * 64, "not the record that was written"),
    ],
    ids=["records left out", "chained to something else"],
)
def test_two_ranges_in_order_by_themselves(tmp_path: Path, seq: int, prev: str, problem: str, *, deep: bool) -> None:
    """What is read in one piece is sound, and so is the next piece; they do not join, and the place is named."""
    path = tmp_path / "audit_trail.jsonl"
    write_trail(path, 2000, padding="x" * 200)
    with path.open("rb") as stream:
        first = Ranges(stream.fileno(), Marks(), segment=1, level=Level.DEEP, trusted=0).next()
    assert first is not None
    lines = lines_of(path)
    at = path.read_bytes()[: first.end].count(b"\n")
    record = json.loads(lines[at])
    record |= {"seq": record["seq"] + seq, "prev": prev or record["prev"]}
    lines[at] = json.dumps(record, separators=(",", ":")).encode()
    rechain(lines, first=at + 1)
    write_lines(path, lines)

    bad = validate(Request(path, deep=deep)).first_bad

    assert bad is not None
    assert bad.fault.line == (at + 1 if seq else at)
    assert bad.fault.problem.startswith(problem)


@BARE
@pytest.mark.parametrize("spoilt", [None, b"garbage"], ids=["a sound successor", "a successor that is none"])
def test_which_of_two_neighbours_was_changed(home: TrailHome, how: dict[str, Any], spoilt: bytes | None) -> None:
    """The earlier one, if the later one's own successor vouches for it; of a successor that is no record none does."""

    def forge(lines: list[bytes]) -> None:
        lines[6] = lines[6].replace(b"duplicate_position", b"kill_switch_active")
        lines[8] = spoilt or lines[8]

    home.notes.unlink()
    edit(home.closed, forge)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.closed, 7 if spoilt is None else 8)


@MODES
def test_a_witness_of_another_record_at_the_same_byte(home: TrailHome, how: dict[str, Any]) -> None:
    """Length and hash agree, its number does not: this is not the trail that the ledger knows."""
    view = home.ledger_view()

    bad = home.look(**how, ledger=replace(view, seq=view.seq + 1)).first_bad

    assert bad is not None
    assert bad.file == home.trail
    assert (bad.fault.expected, bad.fault.found) == (f"seq {view.seq + 1} at its end", f"seq {view.seq}")


@BARE
def test_a_closed_segment_that_ends_within_a_line(home: TrailHome, how: dict[str, Any]) -> None:
    """Nobody writes to it any more: that is no interrupted write."""
    home.notes.unlink()
    with home.closed.open("ab") as stream:
        stream.write(b'{"v":1,"seq":')

    bad = home.look(**how, whole=False).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.closed, len(lines_of(home.closed)) + 1)
    assert bad.fault.problem == "a closed segment ends within a line"


@BARE
def test_a_beginning_that_names_something_before_it(home: TrailHome, how: dict[str, Any]) -> None:
    """The first record of a trail continues nothing, whatever is chained to it."""

    def forge(lines: list[bytes]) -> None:
        lines[0] = lines[0].replace(b"0" * 64, b"a" * 64)
        rechain(lines, first=1)

    home.notes.unlink()
    edit(home.closed, forge)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.closed, 1)
    assert (bad.fault.problem, bad.fault.found) == ("the trail does not begin here", "a" * 64)


# -- only a part of it -----------------------------------------------------------------------------------------------


def test_later_segments_alone(home: TrailHome, tmp_path: Path) -> None:
    """Without the earlier files: told, not accused; checkpoints and keys count for what is there."""
    copy = home.copy(tmp_path / "copy")
    (copy.parent / home.closed.name).unlink()

    for how in ({}, {"keys": home.keys}, {"keys": home.keys, "deep": True}):
        report = validate(Request(copy, **how))

        assert (report.valid, report.segments, report.first_seq) == (True, 1, 24)
        assert [(remark.code, remark.attention) for remark in report.remarks] == [("begins_later", True)]
        assert "begins with segment 2" in report.remarks[0].message
    edit(copy, lambda lines: lines.__setitem__(5, lines[5].replace(b"duplicate", b"forgedabc")))
    assert validate(Request(copy, keys=home.keys)).first_bad is not None


def test_no_file_at_all(tmp_path: Path) -> None:
    """There is nothing to say of it."""
    with pytest.raises(FileNotFoundError):
        validate(Request(tmp_path / "audit_trail.jsonl"))


def test_files_that_are_called_nearly_like_it(home: TrailHome) -> None:
    """An operator's copies beside a trail are none of its segments."""
    for name in ("old", "000000", "0000001", "12345", "000001-000002", "000001.bak"):
        (home.path / f"audit_trail-{name}.jsonl").write_bytes(b"somebody's\n")

    report = home.look(ledger=home.ledger_view())

    assert (report.valid, report.segments) == (True, 2)

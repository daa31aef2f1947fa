"""The detection table: what a forger may do to a trail, and where each validation finds it."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import Any

import pytest
from forgeries import FORGED, FORGERIES, MODES, rewrite_chain
from trail_home import TrailHome, edit, lines_of, rechain, write_lines

from thunes_cli.audit.trail import DrainOutcome


@MODES
@FORGED
def test_forged_under_a_checkpoint(home: TrailHome, name: str, how: dict[str, Any]) -> None:
    """In lines that a signed checkpoint covers: every mode names the file, the line and its first byte."""
    forgery = FORGERIES[name]
    edit(home.closed, forgery.change)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.closed
    assert bad.fault.line == forgery.line
    assert forgery.problem in bad.fault.problem
    assert bad.fault.offset == sum(len(line) + 1 for line in lines_of(home.closed)[: bad.fault.line - 1])


@MODES
@FORGED
def test_forged_without_a_checkpoint(home: TrailHome, name: str, how: dict[str, Any]) -> None:
    """In a trail that was never signed: the chain alone shows it, in a bare copy as well."""
    shutil.rmtree(home.path / "other", ignore_errors=True)
    bare = TrailHome(home.path / "other")
    bare.record(20)
    edit(bare.trail, FORGERIES[name].change)

    report = bare.look(keys=(), whole=False, deep=how.get("deep", False))
    bare.close()

    assert report.first_bad is not None
    assert report.first_bad.file == bare.trail
    assert report.first_bad.fault.line == FORGERIES[name].line


@pytest.mark.parametrize("name", ["duplicate JSON key", "CRLF once", "invalid UTF-8", "over-long line"])
def test_form_matters_even_with_a_sound_chain(home: TrailHome, name: str) -> None:
    """A writer that hashes bad lines faithfully is caught by what a line must be."""
    bare = TrailHome(home.path / "other")
    bare.record(20)
    lines = lines_of(bare.trail)
    FORGERIES[name].change(lines)
    for index in range(7, 20):
        digest = hashlib.sha256(lines[index - 1] + b"\n").hexdigest().encode()
        lines[index] = lines[index].replace(json.loads(lines[index])["prev"].encode(), digest)
    write_lines(bare.trail, lines)

    bad = bare.look(keys=(), deep=True).first_bad
    bare.close()

    assert bad is not None
    assert (bad.file, bad.fault.line) == (bare.trail, 7)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":7,', b'"seq": 7,'),
        (b'"number":6', b'"number":6.5'),
        (b'"number":6', b'"number":6e0'),
        (b'"number":6', b'"number":[6]'),
        (b'"number":6', b'"number":-0'),
        (b'"number":6', b'"number":1e5'),
        (b'"number":6', b'"number":1.0'),
        (b'"number":6', b'"number":NaN'),
        (b'"number":6', b'"number":' + b"9" * 5000),
        (b'"seq":7,', b'"seq":7,"seq":7,'),
        (b'"seq":7,', b'"seq":7.0,'),
        (b"duplicate_position", rb"\ud83d\ude00"),
        (b"duplicate_position", rb"\ud83d"),
        (b"duplicate_position", rb"\/"),
        (b"}", b"} "),
        (b'{"v"', b' {"v"'),
        (b"}", b"}\0"),
        (b'"v":1,"seq":7,', b'"seq":7,"v":1,'),
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v":2'),
        (b"2026-03-10T12:00:00.000Z", b"2026-03-10T12:00:00.000000Z"),
        (b"2026-03-10T12:00:00.000Z", b"2026-13-10T12:00:00.000Z"),
        (b"TRADE_REJECTED", b"trade rejected"),
        (b"duplicate_position", rb"\u0064uplicate_position"),
        (b'"reason":"duplicate_position",', b""),
    ],
    ids=[
        *("space", "float", "exponent", "nested", "minus zero", "1e5", "1.0", "NaN", "huge", "seq twice", "seq float"),
        *("escaped pair", "half a pair", "escaped slash", "space behind", "space before", "NUL behind"),
        *("order", "true", "version", "micros", "month", "name", "escape", "ok"),
    ],
)
def test_canonical_form(home: TrailHome, old: bytes, new: bytes) -> None:
    """One spelling for one record: deep finds any other, in an otherwise sound chain; other facts are nobody's lie."""
    bare = TrailHome(home.path / "other")
    bare.record(20)
    lines = lines_of(bare.trail)
    lines[6] = lines[6].replace(old, new)
    for index in range(7, 20):
        digest = hashlib.sha256(lines[index - 1] + b"\n").hexdigest().encode()
        lines[index] = lines[index].replace(json.loads(lines[index])["prev"].encode(), digest)
    write_lines(bare.trail, lines)

    report = bare.look(keys=(), deep=True)
    bare.close()

    assert report.valid is (new == b"")
    if report.first_bad is not None:
        assert report.first_bad.fault.line == 7


@MODES
def test_truncated_at_a_line(home: TrailHome, how: dict[str, Any]) -> None:
    """Cut below a checkpoint: the checkpoint knows of more. Cut behind the last one: the ledger does."""
    edit(home.trail, lambda lines: lines.__delitem__(slice(10, None)))

    bad = home.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.trail, 11)
    assert "cut off" in bad.fault.problem


def test_truncated_behind_the_last_checkpoint(home: TrailHome) -> None:
    """Only the ledger, or an anchor, knows of records that no checkpoint covers."""
    view = home.ledger_view()
    edit(home.trail, lambda lines: lines.__delitem__(slice(-2, None)))

    assert home.look().valid
    bad = home.look(ledger=view).first_bad

    assert bad is not None
    assert bad.fault.line == 22
    assert "the ledger knows of record 46" in bad.fault.problem


@MODES
def test_truncated_within_a_line(home: TrailHome, how: dict[str, Any]) -> None:
    """Half a line at the end: below a checkpoint, or below what the ledger knows, it is a cut."""
    data = home.trail.read_bytes()
    home.trail.write_bytes(data[: data.index(b'"seq":33') + 30])

    bad = home.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.trail, 10)
    assert home.look(keys=(), ledger=home.ledger_view()).first_bad is not None


def test_truncated_within_the_last_line(home: TrailHome) -> None:
    """Alone it may be a crash: told, not accused. The ledger knows better."""
    view = home.ledger_view()
    home.trail.write_bytes(home.trail.read_bytes()[:-10])

    report = home.look()

    assert report.valid
    assert report.torn_bytes > 100
    assert [remark.code for remark in report.remarks if remark.attention] == ["torn_tail"]
    assert home.look(ledger=view).first_bad is not None


@MODES
def test_dropped_segment(home: TrailHome, how: dict[str, Any]) -> None:
    """A home's trail begins with its first segment."""
    home.closed.unlink()

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.closed
    assert "missing" in bad.fault.problem


def test_dropped_open_segment(home: TrailHome) -> None:
    """Without the newest segment the rest is consistent; checkpoints and ledger know of it."""
    view = home.ledger_view()
    home.trail.unlink()

    bad = home.look().first_bad
    unsigned = home.look(keys=(), ledger=view).first_bad

    assert bad is not None
    assert "cut off" in bad.fault.problem
    assert unsigned is not None


def test_dropped_segment_in_the_middle(home: TrailHome) -> None:
    """A gap shows in any copy."""
    home.notary.rotate(why="operator")
    home.record(3)
    (home.path / "audit_trail-000002.jsonl").unlink()

    bad = home.look(whole=False, keys=()).first_bad

    assert bad is not None
    assert bad.file.name == "audit_trail-000002.jsonl"


@MODES
def test_swapped_segments(home: TrailHome, how: dict[str, Any]) -> None:
    """A segment says which one it is."""
    home.notary.rotate(why="operator")
    second, aside = home.path / "audit_trail-000002.jsonl", home.path / "aside"
    home.closed.rename(aside)
    second.rename(home.closed)
    aside.rename(second)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.closed


@MODES
def test_tail_rewritten_with_a_recomputed_chain(home: TrailHome, how: dict[str, Any]) -> None:
    """A consistent forgery of what a checkpoint covers: its hash is another."""
    edit(home.trail, rewrite_chain)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.trail
    assert "are not those that checkpoint" in bad.fault.problem


def test_tail_rewritten_behind_the_last_checkpoint(home: TrailHome) -> None:
    """Behind the last checkpoint the ledger's hash of the last line, or a later anchor, shows it."""
    view = home.ledger_view()

    def forge(lines: list[bytes]) -> None:
        lines[20] = lines[20].replace(b"duplicate_position", b"kill_switch_active")
        rechain(lines, first=21)

    edit(home.trail, forge)

    assert home.look().valid
    bad = home.look(ledger=view).first_bad
    assert bad is not None
    assert "are not those that the ledger knows" in bad.fault.problem


@MODES
def test_last_line_edited_then_appended_to(home: TrailHome, how: dict[str, Any]) -> None:
    """The writer itself notices first and writes nothing; had it gone on, the next record would tell."""
    sound = home.trail.read_bytes()
    edit(home.trail, lambda lines: lines.__setitem__(-1, lines[-1].replace(b"duplicate_position", b"forged")))
    forged = home.trail.read_bytes()
    home.record(1)

    assert home.journal.drain() is DrainOutcome.TAMPERED
    assert home.trail.read_bytes() == forged

    home.trail.write_bytes(sound)
    assert home.journal.drain() is DrainOutcome.CLEAN
    edit(home.trail, lambda lines: lines.__setitem__(-2, lines[-2].replace(b"duplicate_position", b"forged")))
    bad = home.look(**how).first_bad
    assert bad is not None
    assert bad.fault.line == 23

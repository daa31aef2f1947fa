"""Where one segment ends and the next begins: with no checkpoint and no ledger, the files alone must tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from forgeries import rewrite_chain
from trail_home import TrailHome, edit, rechain

BARE: dict[str, Any] = {"keys": (), "whole": False}
MODES = pytest.mark.parametrize("how", [BARE, BARE | {"deep": True}], ids=["chain", "deep"])
Forgery = Callable[[list[bytes]], None]


@pytest.fixture
def bare(home: TrailHome) -> TrailHome:
    """What nobody signed."""
    home.notes.unlink()
    return home


def says(**facts: Any) -> Forgery:
    """The first record says something else, and everything after it is chained to that."""

    def forge(lines: list[bytes]) -> None:
        lines[0] = json.dumps(json.loads(lines[0]) | facts, separators=(",", ":")).encode()
        rechain(lines, first=1)

    return forge


@MODES
def test_they_join(bare: TrailHome, how: dict[str, Any]) -> None:
    """As they were written they are one trail."""
    report = bare.look(**how)

    assert report.valid
    assert report.first_bad is None


@MODES
@pytest.mark.parametrize("forge", [rewrite_chain, lambda lines: lines.pop()], ids=["rewritten", "cut off at its end"])
def test_a_closed_segment_in_order_by_itself(bare: TrailHome, forge: Forgery, how: dict[str, Any]) -> None:
    """A consistent forgery of it is not the file that its successor was begun after."""
    edit(bare.closed, forge)

    bad = bare.look(**how).first_bad

    assert bad is not None
    assert bad.file == bare.closed
    assert "not the segment that was closed" in bad.fault.problem


@MODES
@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        pytest.param({"event": "TRADE_REJECTED"}, "a later segment must say so", id="no beginning"),
        pytest.param({"seq": 99}, "the sequence breaks", id="records left out"),
        pytest.param({"prev": "a" * 64}, "prev is not the hash of the line before", id="chained to something else"),
    ],
)
def test_a_beginning_that_does_not_follow(
    bare: TrailHome, facts: dict[str, Any], problem: str, how: dict[str, Any]
) -> None:
    """Whatever comes after it is chained to it faithfully."""
    edit(bare.trail, says(**facts))

    bad = bare.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (bare.trail, 1)
    assert problem in bad.fault.problem


@MODES
def test_a_closed_segment_that_bears_another_number(home: TrailHome, how: dict[str, Any]) -> None:
    """Its name and what it says of itself must agree."""
    home.notary.rotate(why="operator")
    home.notes.unlink()
    second = home.path / "audit_trail-000002.jsonl"
    edit(second, says(segment=5))

    bad = home.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (second, 1)
    assert "another segment than its place" in bad.fault.problem


@MODES
def test_a_beginning_in_the_middle(bare: TrailHome, how: dict[str, Any]) -> None:
    """Two segments in one file are no segment, however well they are chained."""
    first = bare.trail.read_bytes().split(b"\n")[0]

    def forge(lines: list[bytes]) -> None:
        lines.insert(3, first)
        rechain(lines, first=3)

    edit(bare.trail, forge)

    bad = bare.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (bare.trail, 4)
    assert "a segment begins in the middle of a file" in bad.fault.problem

"""Files of the home appear whole, private, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from thunes_cli.config.home import create_home
from thunes_cli.config.private_file import write_private_file


def test_the_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """It may hold keys."""
    old = os.umask(0)
    try:
        write_private_file(tmp_path / "a", "x")
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_replaced_file_becomes_private(tmp_path: Path) -> None:
    """The mode of what was there does not carry over."""
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o644)

    write_private_file(tmp_path / "a", b"new")

    assert (tmp_path / "a").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    """A directory in the way: nothing is lost and no draft stays behind."""
    (tmp_path / "a").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_private_file(tmp_path / "a", "x")

    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_draft_left_by_a_crash_does_not_make_a_home_somebody_elses(tmp_path: Path) -> None:
    """It is named after the file it was to become."""
    (tmp_path / ".env.x1y2z3.new").touch()
    (tmp_path / "thunes.db.x1y2z3.new").touch()

    create_home(tmp_path)

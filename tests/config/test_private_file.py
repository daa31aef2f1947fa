"""Files of the home appear whole, private, or not at all."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from thunes_cli.config.home import create_home
from thunes_cli.config.private_file import remove_drafts, write_new_private_file, write_private_file


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
    tmp_path.chmod(0o755)
    (tmp_path / ".env.x1y2z3.new").touch()
    (tmp_path / "thunes.db.x1y2z3.new").touch()

    create_home(tmp_path)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700  # it was taken, and made private


# -- writers that were killed ----------------------------------------------------------------------------------------


def _killed_while_writing(path: Path, *, go_on: bool = False) -> int:
    """A process that is killed, or stopped, between the last byte on the disk and the new name."""
    pid = os.fork()
    if pid == 0:
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGSTOP if go_on else signal.SIGKILL)
        write_private_file(path, "a secret")
        os._exit(0)
    os.waitpid(pid, os.WUNTRACED)
    return pid


def drafts(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir() if entry.name.endswith(".new")]


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    """It holds the secret; what only looks like it stays."""
    path = tmp_path / ".env"
    path.write_text("old")
    (tmp_path / ".env.tomorrow.new").write_text("the operator's own")
    _killed_while_writing(path)
    _killed_while_writing(tmp_path / "other")
    assert len(drafts(tmp_path)) == 3
    assert path.read_text() == "old"

    write_private_file(path, "new")

    assert path.read_text() == "new"
    assert sorted(name.partition(".draft-")[0] for name in drafts(tmp_path)) == [".env.tomorrow.new", "other"]
    assert remove_drafts(tmp_path) == 1
    assert drafts(tmp_path) == [".env.tomorrow.new"]


def test_a_draft_that_is_being_written_stays(tmp_path: Path) -> None:
    """Its writer is alive and may yet give it its name; once it is dead the draft is nobody's."""
    path = tmp_path / ".env"
    pid = _killed_while_writing(path, go_on=True)

    assert remove_drafts(tmp_path) == 0
    assert len(drafts(tmp_path)) == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    assert remove_drafts(tmp_path) == 1


def test_many_writers_and_sweepers_at_once(tmp_path: Path) -> None:
    """Nobody takes a living writer's draft away, and the file is always one whole text."""
    path = tmp_path / ".env"
    texts = ["a" * 4000, "b" * 4000]
    children = []
    for text in texts * 2:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for _ in range(40):
                    write_private_file(path, text)
                    remove_drafts(tmp_path)
                    assert path.read_text() in texts
                code = 0
            finally:
                os._exit(code)
        children.append(pid)

    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]

    assert ends == [0, 0, 0, 0]
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]


def test_a_new_file_takes_nobodys_place(tmp_path: Path) -> None:
    """What is there stays, and no draft does; neither of a writer that was killed before it gave the file its name."""
    path = tmp_path / "key.pem"
    pid = os.fork()
    if pid == 0:
        os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        write_new_private_file(path, "a secret")
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(drafts(tmp_path)) == 1

    write_new_private_file(path, "first")
    with pytest.raises(FileExistsError):
        write_new_private_file(path, "second")

    assert path.read_text() == "first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]

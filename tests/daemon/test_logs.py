"""What the log looks like, where it goes, and what never gets into it."""

from __future__ import annotations

import io
import json
import logging
import re
import stat

import pytest

from thunes_cli.config.secrets import Secret
from thunes_cli.daemon import logs
from thunes_cli.daemon.logs import logging_to

LOGGER = "thunes_cli.daemon.loop"


def write(tmp_path, log_format="text", level="INFO"):
    """A few lines of every kind; returns what stderr and the file got."""
    stderr = io.StringIO()
    with logging_to(
        tmp_path / "thunes.log", level=level, log_format=log_format, secrets=[Secret("s3cret-key")], stderr=stderr
    ):
        logging.getLogger(LOGGER).info("daemon ready: mode=%s", "trading")
        logging.getLogger(LOGGER).warning("odd answer: text=%s", "first\nsecond s3cret-key")
        try:
            int("signature of s3cret-key")
        except ValueError:
            logging.getLogger(LOGGER).exception("job failed: job=x")
        logging.getLogger("apscheduler.scheduler").warning("chatter")
    return stderr.getvalue(), (tmp_path / "thunes.log").read_text()


def test_text_lines_are_made_for_grep(tmp_path):
    """Time, level, logger, message; a message from outside cannot forge a line of its own."""
    stderr, file = write(tmp_path)

    assert stderr == file
    lines = file.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO     \S+: daemon ready: mode=trading", lines[0])
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) or line.startswith("    ") for line in lines)
    assert "ValueError" in file


def test_json_lines_are_one_object_each(tmp_path):
    """The same facts for machines, the traceback included."""
    _, file = write(tmp_path, log_format="json")

    documents = [json.loads(line) for line in file.splitlines()]
    assert [document["level"] for document in documents] == ["INFO", "WARNING", "ERROR"]
    assert documents[0]["message"] == "daemon ready: mode=trading"
    assert "ValueError" in documents[2]["traceback"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secrets_get_nowhere(tmp_path, log_format):
    """Neither from a message, nor an argument, nor a traceback, into neither stderr nor the file."""
    assert not any("s3cret-key" in text for text in write(tmp_path, log_format))


def test_chatter_of_libraries_is_left_out(tmp_path):
    """Only their errors are ours."""
    assert "chatter" not in write(tmp_path)[1]


def test_levels_are_obeyed(tmp_path):
    """LOG_LEVEL=ERROR leaves errors alone."""
    assert write(tmp_path, level="ERROR")[0].count("daemon ready") == 0


def test_the_file_is_private_and_rotates(tmp_path, monkeypatch):
    """Owner only, the rotated ones too; a bounded number of bounded files."""
    monkeypatch.setattr(logs, "LARGEST_BYTES", 2000)

    with logging_to(tmp_path / "thunes.log", level="INFO", log_format="text", secrets=[], stderr=None):
        for number in range(400):
            logging.getLogger(LOGGER).info("line: number=%d", number)

    files = sorted(tmp_path.glob("thunes.log*"))
    assert len(files) == logs.KEPT + 1
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert all(file.stat().st_size <= 2000 for file in files)


@pytest.mark.parametrize("action", ["moved", "removed"])
def test_a_file_that_was_taken_away_is_made_anew(tmp_path, action):
    """Whoever moves or deletes the log does not keep the next line from being in a file of its name."""
    path = tmp_path / "thunes.log"
    with logging_to(path, level="INFO", log_format="text", secrets=(), stderr=None):
        logging.getLogger("x").info("before")
        path.rename(tmp_path / "old.log") if action == "moved" else path.unlink()
        logging.getLogger("x").info("after")

    assert path.read_text().endswith("x: after\n")
    assert "before" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if action == "moved":
        assert (tmp_path / "old.log").read_text().endswith("x: before\n")


def test_without_a_file_stderr_goes_on(tmp_path):
    """A log file that cannot be opened is said and survived."""
    stderr = io.StringIO()

    with logging_to(tmp_path / "absent" / "x", level="INFO", log_format="text", secrets=[], stderr=stderr):
        logging.getLogger(LOGGER).info("daemon ready")

    assert "no log file" in stderr.getvalue()
    assert "daemon ready" in stderr.getvalue()


def test_afterwards_logging_is_as_it_was(tmp_path):
    """Handlers and levels are put back: the frame may run other commands in the same process."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("apscheduler").level)

    write(tmp_path, level="DEBUG")

    assert (list(root.handlers), root.level, logging.getLogger("apscheduler").level) == before


def test_a_disk_that_is_full_when_it_ends(tmp_path):
    """What the file could not take goes to stderr; ending is no failure, and hides no other one."""
    (tmp_path / "thunes.log").symlink_to("/dev/full")
    stderr = io.StringIO()

    with (
        pytest.raises(RuntimeError, match="what really happened"),
        logging_to(tmp_path / "thunes.log", level="INFO", log_format="text", secrets=[], stderr=stderr),
    ):
        logging.getLogger(LOGGER).critical("the disk is full")
        raise RuntimeError("what really happened")

    assert "the disk is full" in stderr.getvalue()

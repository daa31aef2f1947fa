"""The ends of a process: pipes that close, full disks, Ctrl-C, and bugs of ours."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from frame import PROGRAM, clean_environ, invoke, on_terminal, spawn

SECRET = "a-secret-of-the-operator"


def test_reader_that_goes_away() -> None:
    """A broken pipe is quiet and 141: ``thunes … | head`` is no failure worth a word."""
    process = spawn("things", "break", "--why", "stream")
    assert process.stdout is not None
    assert process.stderr is not None

    process.stdout.readline()
    process.stdout.close()

    assert process.wait(30) == 141
    assert process.stderr.read() == b""


def test_reader_that_was_never_there() -> None:
    """The same when the answer is written in one go."""
    reading, writing = os.pipe()
    os.close(reading)

    process = spawn("look", "--json", stdout=writing)
    os.close(writing)

    assert process.stderr is not None
    assert process.wait(30) == 141
    assert process.stderr.read() == b""


def test_broken_socket_is_not_a_broken_pipe() -> None:
    """A broken connection elsewhere, while stdout is fine, is not mistaken for the reader's wish."""
    process = spawn("things", "break", "--why", "socket")

    _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert b"BrokenPipeError" in err


def test_full_disk_behind_a_redirection() -> None:
    """An answer that cannot be written is not success."""
    with Path("/dev/full").open("wb") as full:
        process = spawn("look", stdout=full.fileno())
        _, err = process.communicate(timeout=30)

    assert process.returncode == 13
    assert err == b"thunes: the answer could not be written; No space left on device\n"


def test_closed_streams() -> None:
    """A caller that closed all three streams still gets the exit code."""
    script = 'exec "$0" -c "$1" look <&- >&- 2>&-'

    code = subprocess.run(["sh", "-c", script, sys.executable, PROGRAM], env=clean_environ(), check=False).returncode

    assert code == 0


def test_locale_without_unicode() -> None:
    """A locale that cannot show a character gets an escape, not a traceback."""
    process = spawn("look", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    out, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, b"")
    assert b"\\xc9TH" in out


def test_interrupt_at_a_question() -> None:
    """Ctrl-C at a question is 130, and nothing was done."""
    terminal = on_terminal("things", "change")

    terminal.until("[y/N]")
    terminal.type("\x03")

    assert terminal.wait() == 130
    assert "done" not in terminal.text


def test_interrupt_signal() -> None:
    """SIGINT from elsewhere ends a command in the same way."""
    process = spawn("things", "break", "--why", "wait")
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"thunes: interrupted\n")


def test_bug_is_one_line(tmp_path: Path) -> None:
    """A bug shows one line with type and place; the traceback is in the home's log, without any secret."""
    outcome = invoke("things", "break", "--why", "bug", THUNES_HOME=str(tmp_path), BINANCE_API_SECRET=SECRET)

    log = tmp_path / "thunes.log"
    assert (outcome.code, outcome.out) == (1, "")
    first, second = outcome.err.splitlines()
    assert first.startswith("thunes: internal error (a bug): ZeroDivisionError at ")
    assert second == f"  hint: the traceback is in {log}"
    assert "could not sign with ***" in log.read_text()
    assert SECRET not in outcome.err + log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_no_bug(tmp_path: Path) -> None:
    """Wherever it strikes: what could not be written, and where to look; 13, and no traceback anywhere."""
    ledger = invoke("things", "break", "--why", "full ledger", THUNES_HOME=str(tmp_path))
    disk = invoke("things", "break", "--why", "full disk", THUNES_HOME=str(tmp_path))

    assert (ledger.code, disk.code) == (13, 13)
    assert ledger.err.splitlines() == [
        f"thunes: the ledger {tmp_path}/thunes.db cannot be read or written: database or disk is full",
        f"  hint: try again; if it stays so, look at the disk: df -h {shlex.quote(str(tmp_path))}",
    ]
    assert disk.err == "thunes: No space left on device\n  hint: look at the disk: dmesg, df -h\n"
    assert list(tmp_path.iterdir()) == []


def test_bug_without_a_home(tmp_path: Path) -> None:
    """Without a home nothing is created; ``THUNES_DEBUG=1`` shows the traceback, still without secrets."""
    home = tmp_path / "none"

    quiet = invoke("things", "break", "--why", "bug", THUNES_HOME=str(home), BINANCE_API_SECRET=SECRET)
    loud = invoke("things", "break", "--why", "bug", THUNES_HOME=str(home), BINANCE_API_SECRET=SECRET, THUNES_DEBUG="1")

    assert not home.exists()
    assert "Traceback" not in quiet.err
    assert "could not sign with ***" in loud.err
    assert SECRET not in loud.err


def test_secrets_of_the_settings_file_are_kept_too(tmp_path: Path) -> None:
    """A secret that only stands in the home's ``.env`` is blanked as well."""
    (tmp_path / ".env").write_text(f'BINANCE_API_SECRET="{SECRET}"\nTELEGRAM_BOT_TOKEN=123:abc\n')

    invoke("things", "break", "--why", "bug", THUNES_HOME=str(tmp_path), BINANCE_API_SECRET=SECRET)

    assert SECRET not in (tmp_path / "thunes.log").read_text()


@pytest.mark.parametrize("arguments", [("--json",), ()], ids=["json", "text"])
def test_answer_that_cannot_be_written_is_a_bug(arguments: tuple[str, ...]) -> None:
    """A result that is no valid JSON or no valid table is reported like any bug, in the format asked for."""
    outcome = invoke(*arguments, "things", "break", "--why", "unwritable")

    assert outcome.code == 1
    report = json.loads(outcome.out)["problems"][0]["message"] if arguments else outcome.err
    assert "internal error (a bug)" in report


def test_module_entry_point() -> None:
    """``python -m thunes_cli`` is the command: it works where a script's first line cannot hold the path."""
    done = subprocess.run(
        [sys.executable, "-m", "thunes_cli", "--version"], env=clean_environ(), capture_output=True, check=True
    )

    assert done.stdout.startswith(b"thunes ")


def test_ctrl_c_in_a_callback_of_the_interpreter_is_not_lost() -> None:
    """Python drops what is raised there and prints it; it comes again where the command can end."""
    program = """
import sys
from thunes_cli.cli.main import _again
sys.unraisablehook = _again
class Callback:
    def __del__(self):
        raise KeyboardInterrupt
try:
    Callback()
    while True:
        pass
except KeyboardInterrupt:
    print("ended")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")

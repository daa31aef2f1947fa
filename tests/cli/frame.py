"""Running the frame over its sample commands: in this process, in another one, or on a real terminal."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from sample_commands import ENTRIES

from thunes_cli.cli.app import run
from thunes_cli.cli.streams import Streams

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from thunes_cli.cli.app import run
from sample_commands import ENTRIES
sys.exit(run(sys.argv[1:], entries=ENTRIES))
"""
_DEADLINE_S = 30
# Ctrl-C reaches the program only if the terminal is its controlling one. (pty.fork would do it, but this process may
# have threads, and a fork of those can deadlock.)
_ON_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Outcome(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str


def invoke(*arguments: str, **environ: str) -> Outcome:
    """Run in this process, with text streams and an environment that holds nothing but ``environ``."""
    streams = Streams(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    code = run(arguments, entries=ENTRIES, environ={"HOME": "/nonexistent"} | environ, streams=streams)
    return Outcome(code, streams.stdout.getvalue(), streams.stderr.getvalue())


def clean_environ(**more: str) -> dict[str, str]:
    """This process's environment without anything that would change an answer."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THUNES_") and name != "NO_COLOR"}
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return kept | {"PYTHONPATH": path, "COLUMNS": "100", "TERM": "xterm"} | more


def spawn(*arguments: str, stdout: int = subprocess.PIPE, **environ: str) -> subprocess.Popen[bytes]:
    """Start a process of its own, its streams being pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=clean_environ(**environ),
    )


class Terminal:
    """A program on a terminal of its own; what it printed so far is in ``text``."""

    def __init__(self, command: list[str], **environ: str) -> None:
        self.text = ""
        self._fd, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _ON_ITS_TERMINAL, *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=clean_environ(**environ),
            start_new_session=True,
        )
        os.close(terminal)

    def until(self, wanted: str) -> str:
        """Read until ``wanted`` was printed; returns what was printed since the last call."""
        start = len(self.text)
        deadline = time.monotonic() + _DEADLINE_S
        while wanted not in self.text[start:]:
            assert time.monotonic() < deadline, f"{wanted!r} never came; got {self.text[start:]!r}"
            if not self._read():
                raise AssertionError(f"it ended without {wanted!r}; got {self.text[start:]!r}")
        return self.text[start:]

    def type(self, text: str) -> None:
        """Type keys."""
        os.write(self._fd, text.encode())

    def wait(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + _DEADLINE_S
        while self._read():
            assert time.monotonic() < deadline, f"it did not end; got {self.text!r}"
        os.close(self._fd)
        return self._process.wait(_DEADLINE_S)

    def close(self) -> None:
        """Hang up."""
        os.close(self._fd)
        self._process.wait(_DEADLINE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._fd], [], [], 1)
        if not ready:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux: the other side of the terminal is closed
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


def on_terminal(*arguments: str, **environ: str) -> Terminal:
    """Start the frame on a terminal."""
    return Terminal([sys.executable, "-c", PROGRAM, *arguments], **environ)

"""The three standard streams and what can be done with them; handed to commands instead of ``sys``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TextIO


def _is_tty(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


class Streams(NamedTuple):
    """Standard streams; ``colour`` says whether stdout may carry it (a terminal, no ``NO_COLOR``, not dumb)."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    colour: bool = False

    @property
    def stdout_is_tty(self) -> bool:
        """Whether a person reads the answer."""
        return _is_tty(self.stdout)

    @property
    def stderr_is_tty(self) -> bool:
        """Whether a person sees progress and questions."""
        return _is_tty(self.stderr)

    @property
    def can_prompt(self) -> bool:
        """Whether a question can be seen and answered: questions go to stderr, answers come from stdin."""
        return _is_tty(self.stdin) and self.stderr_is_tty


def _nowhere() -> TextIO:
    return Path(os.devnull).open("r+", encoding="utf-8")


def process_streams(environ: Mapping[str, str]) -> Streams:
    """The streams of this process.

    A stream that was closed by the caller (``>&-``) is replaced by nothing; text that the locale cannot show is
    written as escapes rather than ending the command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    stdout = sys.stdout or _nowhere()
    return Streams(
        stdin=sys.stdin or _nowhere(),
        stdout=stdout,
        stderr=sys.stderr or _nowhere(),
        colour=_is_tty(stdout) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb",
    )

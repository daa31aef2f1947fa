"""The console script: as little as possible, so that everything else is inside its ``try``."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``thunes`` command and return its exit code."""
    gc.disable()  # importing makes no garbage but triggers a dozen searches for it, 10 ms of a status command's 90
    try:
        from thunes_cli.cli.app import run

        code = run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # while importing, or while reporting another error
        code = 130
    if arguments is None:
        _leave()
    return code


def _leave() -> None:
    """The answer is out and only the interpreter's own end is left: Ctrl-C may cut it short, without a traceback."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)

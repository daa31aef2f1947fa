"""The console script: as little as possible, so that everything else is inside its ``try``."""

from __future__ import annotations

import _thread
import gc
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``thunes`` command and return its exit code."""
    if arguments is None:
        sys.unraisablehook = _again
    gc.disable()  # importing makes no garbage but triggers a dozen searches for it, 10 ms of a status command's 90
    try:
        from thunes_cli.cli.app import run

        code = run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # while importing, or while reporting another error
        code = 130
    if arguments is None:
        _leave()
    return code


def _again(lost: sys.UnraisableHookArgs) -> None:
    """Ctrl-C that fell into a callback of the import machinery comes again, where it can be caught."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_thread.interrupt_main, ())  # from here it would be dropped like the first
    else:
        sys.__unraisablehook__(lost)


def _leave() -> None:
    """The answer is out and only the interpreter's own end is left: Ctrl-C may cut it short, without a traceback."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)

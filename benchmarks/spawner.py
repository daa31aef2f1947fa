"""Runs programs and tells what each cost. A process of its own, kept tiny.

On Linux a program's peak memory begins at the peak of the process that spawned it, so whoever spawns must be smaller
than anything measured: this file is run with ``-I -S`` and imports next to nothing.

stdin: one command a line, its words separated by tabs. stdout: ``seconds kibibytes exit-code`` for each.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Serve until stdin ends."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, nowhere, descriptor) for descriptor in (0, 1, 2)]
    for line in sys.stdin:
        words = line.rstrip("\n").split("\t")
        started = time.perf_counter()
        pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - started
        print(f"{seconds:.6f} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()

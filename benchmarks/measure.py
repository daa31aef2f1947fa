"""Measuring commands side by side, so that a busy moment of the machine hits all of them alike."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Case:
    """One command line; ``exits`` are the codes with which it may end."""

    name: str
    command: tuple[str, ...]
    exits: frozenset[int] = frozenset({0})


@dataclass(slots=True)
class Cost:
    """What the runs of one command took: wall seconds and peak MiB."""

    seconds: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)

    @property
    def wall_ms(self) -> float:
        """The median."""
        return median(self.seconds) * 1000

    @property
    def quickest_ms(self) -> float:
        """The least disturbed run."""
        return min(self.seconds) * 1000

    @property
    def peak_mib(self) -> float:
        """The worst."""
        return max(self.mebibytes)


def measure(cases: Sequence[Case], *, rounds: int, environ: Mapping[str, str]) -> dict[str, Cost]:
    """Run every case once to warm the caches, then all of them in turn, round after round.

    Raises:
        RuntimeError: a command ended otherwise than it may.
    """
    costs = {case.name: Cost() for case in cases}
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("spawner.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(environ),
    ) as spawner:
        for number in range(rounds + 1):
            for case in cases:
                seconds, mebibytes = _run(spawner, case)
                if number:
                    costs[case.name].seconds.append(seconds)
                    costs[case.name].mebibytes.append(mebibytes)
    return costs


def _run(spawner: subprocess.Popen[str], case: Case) -> tuple[float, float]:
    assert spawner.stdin is not None
    assert spawner.stdout is not None
    spawner.stdin.write("\t".join(case.command) + "\n")
    spawner.stdin.flush()
    seconds, kibibytes, code = spawner.stdout.readline().split()
    if int(code) not in case.exits:
        message = f"{case.name} ended with {code}: {' '.join(case.command)}"
        raise RuntimeError(message)
    return float(seconds), int(kibibytes) / 1024

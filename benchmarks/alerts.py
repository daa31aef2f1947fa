"""How long a decision takes while Telegram hangs, next to one without Telegram: both at once, in turn."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

_BATCHES, _BATCH = 2000, 3  # so few in a row that a busy moment of the machine hits both
_WITHOUT, _HANGING = "none", "hanging"


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and figure of each measurement."""
    with ExitStack() as stack:
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))  # it connects, nobody answers
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        deciders = {
            _WITHOUT: stack.enter_context(_started(place / "decisions without", environ)),
            _HANGING: stack.enter_context(_started(place / "decisions hanging", environ, url)),
        }
        times = _in_turn(deciders)
    yield "decisions, each", str(_BATCHES * _BATCH)
    for percent in (50, 99):
        without, hanging = (_percentile(times[name], percent) for name in (_WITHOUT, _HANGING))
        yield f"decision, no Telegram: p{percent}", f"{1000 * without:.2f} ms"
        yield f"decision, Telegram hangs: p{percent}", f"{1000 * hanging:.2f} ms"
        yield f"decision, p{percent} ratio", f"{hanging / without:.2f}"


def _in_turn(deciders: Mapping[str, subprocess.Popen[str]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in deciders}
    for _ in range(_BATCHES):
        for name, decider in deciders.items():
            assert decider.stdin is not None
            assert decider.stdout is not None
            decider.stdin.write(f"{_BATCH}\n")
            decider.stdin.flush()
            times[name] += json.loads(decider.stdout.readline())
    return times


def _started(home: Path, environ: Mapping[str, str], *url: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.deciding", str(home), *url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(environ),
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == "ready"
    return process


def _percentile(times: Sequence[float], percent: int) -> float:
    return quantiles(times, n=100)[percent - 1]

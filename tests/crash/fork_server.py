"""Starting commands of ``thunes`` as real processes without paying for their imports each time, and killing them.

The server imports the command once and forks it for every run: a process of its own with its own pid, connections and
files, that can be killed like any other. Run as a script it is that server; :class:`Spawner` is the client.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_PRELOADED = (
    "thunes_cli.cli.parsing",
    "thunes_cli.cli.run",
    "thunes_cli.cli.exchange_link",
    "thunes_cli.cli.starting",
    "thunes_cli.config.load",
    "thunes_cli.config.settings",
    "thunes_cli.daemon.loop",
    "thunes_cli.daemon.once",
    "thunes_cli.daemon.scheduling",
    "thunes_cli.exchange.binance_client",
    "thunes_cli.exchange.breaker_storage",
    "thunes_cli.market.strategies",
)


@dataclass(frozen=True)
class Killing:
    """When a run is killed.

    ``at``: the number of the event (see ``sabotage``) at which it kills itself, counted from 1. ``on``: an event's
    name; the run is killed from outside ``delay_s`` after that event's ``nth`` occurrence; or, with ``stop``, it stops
    there (SIGSTOP) until somebody lets it go on.
    """

    at: int | None = None
    on: str | None = None
    nth: int = 1
    delay_s: float = 0.0
    stop: bool = False


ALIVE = Killing()


@dataclass(frozen=True)
class Run:
    """One run of the command. ``lose``: answers to orders that the network loses (see ``sabotage``)."""

    words: tuple[str, ...]
    environ: dict[str, str] = field(default_factory=dict)
    killing: Killing = ALIVE
    lose: str = ""
    source: str = ""
    quick_proofs: bool = True
    output: str = os.devnull


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code (negative: the signal), and the events it came by, in order."""

    code: int
    events: tuple[str, ...]
    seconds: float


class Spawner:
    """A fork server and the pipe to it. Not for concurrent use: one run after the other."""

    def __init__(self, directory: Path) -> None:
        self._trace = directory / f"events-{os.urandom(4).hex()}"
        environ = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "fork_server.py")],
            cwd=_HERE.parents[1],
            env=environ | {"HOME": "/nonexistent", "PYTHONPATH": f"{_HERE.parents[1]}:{_HERE}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def run(self, run: Run) -> Ended:
        """Run to the end, whichever end that is."""
        answer = self._ask(asdict(run) | {"trace": str(self._trace)})
        return Ended(answer["code"], _events(self._trace), answer["seconds"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the fork server died"
        return json.loads(line)

    def burst(self, runs: Sequence[Run]) -> list[Ended]:
        """Runs that start at the same moment; each to its end. None of them is killed."""
        traces = [self._trace.with_name(f"{self._trace.name}-{number}") for number in range(len(runs))]
        asked = [asdict(run) | {"trace": str(trace)} for run, trace in zip(runs, traces, strict=True)]
        answer = self._ask({"burst": asked})
        ended = []
        for code, trace in zip(answer["codes"], traces, strict=True):
            ended.append(Ended(code, _events(trace), answer["seconds"]))
            trace.unlink()
        return ended

    @contextmanager
    def stopped(self, run: Run) -> Iterator[int]:
        """A run that has stopped where its killing says, by its pid; it goes on, to its end, after the block."""
        self._trace.unlink(missing_ok=True)
        with ThreadPoolExecutor(max_workers=1) as pool:
            ending = pool.submit(self.run, run)
            pid = self._await_stop(ending)
            try:
                yield pid
            finally:
                os.kill(pid, signal.SIGCONT)
                ending.result(60)

    def _await_stop(self, ending: Future[Ended]) -> int:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not ending.done():
            time.sleep(0.01)
            found = re.search(r"^pid\.(\d+)$", self._trace.read_text() if self._trace.exists() else "", re.MULTILINE)
            if found and Path(f"/proc/{found[1]}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return int(found[1])
        raise AssertionError(f"it did not stop: {ending.result(1)}")

    def close(self) -> None:
        """End the server."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._trace.unlink(missing_ok=True)


def _events(trace: Path) -> tuple[str, ...]:
    return tuple(event for event in trace.read_text().split() if not event.startswith("pid."))


# -- the server ----------------------------------------------------------------------------------------------------


def _serve() -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    _answer("ready")
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.monotonic()
        told = {"codes": _fork_all(asked["burst"])} if "burst" in asked else {"code": _fork(asked)}
        _answer(json.dumps(told | {"seconds": round(time.monotonic() - began, 4)}))


def _answer(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _fork_all(asked: list[dict[str, Any]]) -> list[int]:
    children = [_start(each) for each in asked]
    for _, listening in children:
        os.close(listening)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in children]


def _fork(asked: dict[str, Any]) -> int:
    pid, listening = _start(asked)
    try:
        _kill_in_time(pid, listening, float(asked["killing"]["delay_s"]))
    finally:
        os.close(listening)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _start(asked: dict[str, Any]) -> tuple[int, int]:
    """A child, and the pipe on which it gives the sign to be killed."""
    trace = os.open(asked["trace"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    listening, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(listening)
        _child(asked, trace=trace, telling=telling)
    os.close(telling)
    os.close(trace)
    return pid, listening


def _kill_in_time(pid: int, listening: int, delay_s: float) -> None:
    """Kill the child so long after it gave the sign; it gives none when it is to live."""
    select.select([listening], [], [])
    if not os.read(listening, 1):
        return
    if delay_s > 0:
        time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)


def _child(asked: dict[str, Any], *, trace: int, telling: int) -> None:
    code = 70
    try:
        output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(output, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(asked["environ"])
        os.write(trace, f"pid.{os.getpid()}\n".encode())
        from sabotage import Events, sabotage  # noqa: PLC0415 - only the child needs it

        events = Events(trace, telling, Killing(**asked["killing"]))
        sabotage(events, lose=asked["lose"], source=asked["source"], quick_proofs=asked["quick_proofs"])
        from thunes_cli.cli.main import main  # noqa: PLC0415 - as above

        code = main(asked["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - nothing of the server may go on in the child
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()

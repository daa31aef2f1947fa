"""A daemon against a running simulator: from its start to its first completed check, and what it weighs."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.looking import THUNES

_DEADLINE_S = 60.0
_SETTLE_S = 10.0
_POLL_S = 0.005
_STRANGERS = 15


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and figure of each measurement."""
    home = place / "daemon home"
    with _simulator(environ, home.with_name("simulator")) as connection:
        subprocess.run([THUNES, "--home", str(home), "init"], env=dict(environ), check=True, capture_output=True)
        started = time.perf_counter()
        with running_daemon(home, {**environ, **connection}) as daemon:
            wait_for_check(home, daemon)
            yield "thunes run: start to first signal check", f"{time.perf_counter() - started:.2f} s"
            time.sleep(_SETTLE_S)
            now, peak = memory(daemon.pid)
            yield f"thunes run: resident after {_SETTLE_S:.0f} s", f"{now:.0f} MiB"
            yield "thunes run: peak", f"{peak:.0f} MiB"
            waits = sorted(_wait_for_stranger(home, connection["BINANCE_REST_URL"]) for _ in range(_STRANGERS))
            yield "somebody else's order to its alert, median", f"{1000 * waits[len(waits) // 2]:.0f} ms"
            yield "somebody else's order to its alert, slowest", f"{1000 * waits[-1]:.0f} ms"


def _wait_for_stranger(home: Path, rest_url: str) -> float:
    """Seconds from the order that somebody else makes to the alert about it in the ledger."""
    query = "SELECT count(*) FROM reconcile_findings WHERE kind = 'external_order'"
    with contextlib.closing(sqlite3.connect(f"{(home / 'thunes.db').as_uri()}?mode=ro", uri=True)) as ledger:
        before = ledger.execute(query).fetchone()[0]
        requests.post(f"{rest_url}/sim/fault", json={"kind": "stranger_order"}, timeout=10).raise_for_status()
        made = time.perf_counter()
        while ledger.execute(query).fetchone()[0] == before:
            if time.perf_counter() - made > _DEADLINE_S:
                message = "nobody was told of somebody else's order"
                raise RuntimeError(message)
            time.sleep(_POLL_S)
        return time.perf_counter() - made


@contextmanager
def _simulator(environ: Mapping[str, str], home: Path) -> Iterator[dict[str, str]]:
    """A simulator, and the settings with which a home finds it."""
    command = [THUNES, "--home", str(home), "sim", "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(environ))
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield {
            "BINANCE_REST_URL": told["rest_url"],
            "BINANCE_API_KEY": told["api_key"],
            "BINANCE_API_SECRET": told["api_secret"],
        }
    finally:
        process.terminate()
        process.wait(_DEADLINE_S)
        process.stdout.close() if process.stdout else None


@contextmanager
def running_daemon(home: Path, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """``thunes run``, ended with the block."""
    process = subprocess.Popen(
        [THUNES, "--home", str(home), "run"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_DEADLINE_S)


def wait_for_check(home: Path, daemon: subprocess.Popen[bytes]) -> None:
    """Wait for a daemon's first completed signal check.

    Raises:
        RuntimeError: there was none, or the daemon ended.
    """
    ledger = sqlite3.connect(f"{(home / 'thunes.db').as_uri()}?mode=ro", uri=True)
    try:
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            query = "SELECT count(*) FROM job_runs WHERE job = 'signal_check' AND outcome = 'ok'"
            if ledger.execute(query).fetchone()[0]:
                return
            if daemon.poll() is not None:
                message = f"the daemon ended with {daemon.returncode}"
                raise RuntimeError(message)
            time.sleep(_POLL_S)
    finally:
        ledger.close()
    message = f"no signal check within {_DEADLINE_S:.0f} s"
    raise RuntimeError(message)


def memory(pid: int) -> tuple[float, float]:
    """Resident now and at most, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024

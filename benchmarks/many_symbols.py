"""A whole daemon of three hundred symbols: its start, a minute of its life, and what it asks of the exchange."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import requests

from benchmarks.daemon import memory, running_daemon, wait_for_check
from benchmarks.looking import THUNES
from thunes_cli.sim.options import SimOptions

_COUNT = 300
_MINUTE_S = 60.0
_AFTER_S = 5.0
_DEADLINE_S = 60.0
_LOOKS = 9


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and figure of each measurement."""
    home, symbols = place / "many home", tuple(f"C{number:03d}USDT" for number in range(_COUNT))
    settings = {"SYMBOLS": ",".join(symbols), "DEFAULT_TIMEFRAME": "1m", "SIGNAL_INTERVAL_SECONDS": "60"}
    name = f"{_COUNT} symbols"
    with _exchange(place / "many exchange", symbols) as connection:
        rest_url = connection["BINANCE_REST_URL"]
        _wait_for_a_new_minute()
        own = {**environ, **settings, **connection}
        subprocess.run([THUNES, "--home", str(home), "init"], env=dict(environ), check=True, capture_output=True)
        before, started = _used_weight(rest_url), time.perf_counter()
        with running_daemon(home, own) as daemon:
            wait_for_check(home, daemon)
            yield f"{name}: start to first signal check", f"{time.perf_counter() - started:.1f} s"
            yield f"{name}: request weight of the start", str(_used_weight(rest_url) - before)
            cpu, began = _cpu_s(daemon.pid), time.perf_counter()
            _wait_for_a_new_minute()
            time.sleep(_AFTER_S)
            share = (_cpu_s(daemon.pid) - cpu) / (time.perf_counter() - began)
            yield f"{name}: processor, candles of a minute's end included", f"{100 * share:.1f} %"
            yield f"{name}: resident, peak", f"{memory(daemon.pid)[1]:.0f} MiB"
            yield f"{name}: a signal check of all", f"{_check_ms(home):.0f} ms"
            looks = sorted(_look_ms(home, own) for _ in range(_LOOKS))
            yield f"{name}: thunes status, median", f"{looks[len(looks) // 2]:.0f} ms"
            _wait_for_a_new_minute()
            before = _used_weight(rest_url)
            time.sleep(_MINUTE_S - _AFTER_S)
            yield f"{name}: request weight of a minute", str(_used_weight(rest_url) - before)


@contextmanager
def _exchange(directory: Path, symbols: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """A simulator with these symbols, whose past is made up already; the settings with which a home finds it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "thunes_cli.sim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(SimOptions(directory, symbols=symbols).to_json() + "\n")
    process.stdin.flush()
    told = json.loads(process.stdout.readline())
    try:
        for symbol in symbols:
            asked = {"symbol": symbol, "interval": "1m"}
            requests.get(f"{told['rest_url']}/api/v3/klines", params=asked, timeout=10).raise_for_status()
        yield {
            "BINANCE_REST_URL": told["rest_url"],
            "BINANCE_API_KEY": told["api_key"],
            "BINANCE_API_SECRET": told["api_secret"],
        }
    finally:
        process.terminate()
        process.wait(_DEADLINE_S)
        process.stdin.close()
        process.stdout.close()


def _wait_for_a_new_minute() -> None:
    """The exchange's minutes are ours: weight is counted by them, and candles end with them."""
    time.sleep(_MINUTE_S - time.time() % _MINUTE_S + 0.2)


def _used_weight(rest_url: str) -> int:
    return int(requests.get(f"{rest_url}/api/v3/ping", timeout=10).headers["X-MBX-USED-WEIGHT-1M"])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _check_ms(home: Path) -> float:
    """How long the last check took; the job's row says when it began and ended."""
    query = "SELECT started_at, ended_at FROM job_runs WHERE job = 'signal_check' ORDER BY id DESC LIMIT 1"
    with contextlib.closing(sqlite3.connect(f"{(home / 'thunes.db').as_uri()}?mode=ro", uri=True)) as ledger:
        began, ended = (datetime.fromisoformat(text) for text in ledger.execute(query).fetchone())
    return (ended - began).total_seconds() * 1000


def _look_ms(home: Path, environ: Mapping[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([THUNES, "--home", str(home), "status"], env=dict(environ), check=True, capture_output=True)
    return (time.perf_counter() - started) * 1000

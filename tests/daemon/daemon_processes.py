"""Real processes for tests: a served simulator, homes that trade on it, and the ``thunes`` command itself."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thunes_cli.clock import Clock
from thunes_cli.model import Environment
from thunes_cli.ops.homes import make_home as found_home

PATIENCE_S = 60.0
# Whatever the machine's owner has set must not reach the commands under test.
_CLEAN = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR", "SSL_CERT_FILE"}}


def wait_for(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE_S) -> Any:
    """The first true answer of ``condition``; an assertion that names ``what`` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.02)


@dataclass
class Exchange:
    """A simulator being served."""

    process: subprocess.Popen[str]
    address: dict[str, str]
    directory: Path

    def stop(self) -> None:
        """End it in order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


def serve(directory: Path, *options: str) -> Exchange:
    """Start ``thunes sim serve`` and wait for its announcement."""
    arguments = [sys.executable, "-m", "thunes_cli", "sim", "serve", "--dir", str(directory), *options]
    process = subprocess.Popen(arguments, env={**_CLEAN, "HOME": "/nonexistent"}, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line, f"the simulator ended with {process.wait()}"
    return Exchange(process, json.loads(line), directory)


@dataclass
class Home:
    """A home and the commands run on it."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, *words: str) -> list[str]:
        """The command line of ``thunes`` on this home."""
        return [sys.executable, "-m", "thunes_cli", "--home", str(self.path), *words]

    def thunes(self, *words: str, timeout: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        environ = {**_CLEAN, "HOME": str(self.path.parent), **self.environ}
        return subprocess.run(
            self.command(*words), env=environ, capture_output=True, text=True, timeout=timeout, check=False
        )

    def answer(self, *words: str) -> dict[str, Any]:
        """A command's JSON document."""
        done = self.thunes(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command that goes on; its stderr is in ``run.stderr`` beside the home."""
        with (self.path.parent / "run.stderr").open("a") as stderr:
            process = subprocess.Popen(
                self.command(*words),
                env={**_CLEAN, "HOME": str(self.path.parent), **self.environ, **environ},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.running.append(process)
        return process

    def rows(self, query: str) -> list[sqlite3.Row]:
        """Rows of the ledger."""
        connection = sqlite3.connect(f"file:{self.path / 'thunes.db'}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def checks(self) -> int:
        """How many signal checks were completed."""
        query = "SELECT count(*) FROM job_runs WHERE job = 'signal_check' AND outcome = 'ok'"
        return int(self.rows(query)[0][0])

    def start_daemon(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start ``thunes run`` and wait until it has completed a check."""
        before = self.checks()
        process = self.start("run", *words, **environ)
        wait_for(lambda: self.checks() > before or process.poll() is not None, "signal check")
        assert process.poll() is None, self.stderr
        return process

    def end(self, process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
        """Ask a process to end and return its exit code."""
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    @property
    def stderr(self) -> str:
        """What started commands said."""
        return (self.path.parent / "run.stderr").read_text()

    @property
    def log(self) -> str:
        """The home's log."""
        return (self.path / "thunes.log").read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The trail's records."""
        return [json.loads(line) for line in (self.path / "audit_trail.jsonl").read_text().splitlines()]

    def daemon_row(self) -> sqlite3.Row:
        """What the daemon says of itself."""
        return self.rows("SELECT * FROM daemon")[0]

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()


def settings_for(address: dict[str, str], **settings: str) -> str:
    """A ``.env`` that trades one-minute candles on a served simulator."""
    lines = {
        "ENVIRONMENT": "sim",
        "BINANCE_REST_URL": address["rest_url"],
        "BINANCE_API_KEY": address["api_key"],
        "BINANCE_API_SECRET": address["api_secret"],
        "DEFAULT_TIMEFRAME": "1m",
        "SIGNAL_INTERVAL_SECONDS": "60",
        "STRATEGY": "sma",
        "SMA_FAST": "3",
        "SMA_SLOW": "7",
        **settings,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def make_home(path: Path, address: dict[str, str], **settings: str) -> Home:
    """A new home on a served simulator."""
    found_home(path, environment=Environment.SIM, clock=Clock())
    home = Home(path)
    env_file = path / ".env"
    env_file.write_text(settings_for(address, **settings))
    env_file.chmod(0o600)
    return home

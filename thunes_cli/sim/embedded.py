"""The embedded exchange from outside: use the one that serves a directory, or start it as a child process.

Nothing here imports the server. The child lives exactly as long as the pipe its parent holds; whoever finds the
directory served uses that server, so several processes of one home see one market.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from thunes_cli.sim.address import Address, Announcement
from thunes_cli.sim.failure import EXIT_LOCKED, EXIT_TIMEOUT, EXIT_UNAVAILABLE, SimError
from thunes_cli.sim.options import SimOptions

LOG = "sim.log"
_NEEDED = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "COVERAGE_PROCESS_START"})
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a serving exchange. ``speed``: market seconds a wall second, 0 on a stepped market."""

    rest_url: str
    stream_url: str
    ws_api_url: str
    sapi_url: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    speed: Decimal = Decimal(1)

    @classmethod
    def of(cls, announcement: Announcement, speed: Decimal) -> Endpoint:
        """The endpoint an announcement describes."""
        return cls(
            announcement.rest_url,
            announcement.stream_url,
            announcement.ws_api_url,
            announcement.sapi_url,
            announcement.api_key,
            announcement.api_secret,
            speed,
        )


@contextlib.contextmanager
def open_embedded(directory: Path, options: SimOptions | None = None, *, spawn: bool = True) -> Iterator[Endpoint]:
    """The exchange of a directory, started if nobody serves it (unless ``spawn`` is off), ended on leaving if started.

    Raises:
        SimError: it cannot be started (bad candles or options: 78; port in use, not served: 13; no answer in time: 14).
    """
    with EmbeddedExchange(directory, options, spawn=spawn) as exchange:
        yield exchange.ensure()


class EmbeddedExchange:
    """A handle on a directory's exchange, whoever serves it.

    A server that another process had started ends with that process; :meth:`ensure` then starts our own, on the same
    port if it is free, with the same key, where the market stood.
    """

    def __init__(
        self,
        directory: Path,
        options: SimOptions | None = None,
        *,
        spawn: bool = True,
        timeout_s: float = _START_SECONDS,
    ) -> None:
        self._directory = directory
        self._options = replace(options or SimOptions(directory), directory=directory)
        self._spawn = spawn
        self._timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None
        self._endpoint: Endpoint | None = None

    def __enter__(self) -> Self:
        self.ensure()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the server if it is our child."""
        return self._child.pid if self._child is not None else None

    def ensure(self) -> Endpoint:
        """The endpoint of a server that serves right now; started if need be.

        Raises:
            SimError: see :func:`open_embedded`.
        """
        if self._child is not None and self._child.poll() is None and self._endpoint is not None:
            return self._endpoint
        self.close()
        deadline = time.monotonic() + self._timeout_s
        while True:
            address = Address.read(self._directory)
            if address is not None and address.answers():
                self._endpoint = Endpoint.of(address.announcement, address.speed)
                return self._endpoint
            if not self._spawn:
                message = f"the simulator in {self._directory} is not running"
                raise SimError(message, "thunes run starts it", code="sim_not_running", exit_code=EXIT_UNAVAILABLE)
            try:
                self._endpoint = self._start(deadline)
            except SimError as error:
                # Somebody else was quicker; its address will be there in a moment.
                if error.exit_code != EXIT_LOCKED or time.monotonic() >= deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return self._endpoint

    def close(self) -> None:
        """Let go of the server; our own child ends, and is waited for. Safe to call twice."""
        child, self._child, self._endpoint = self._child, None, None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if child is not None:
            _reap(child)

    def _start(self, deadline: float) -> Endpoint:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        reading, writing = os.pipe()
        log_path = self._directory / LOG
        try:
            with os.fdopen(_open_log(log_path), "ab") as log:
                offset = os.fstat(log.fileno()).st_size
                child = subprocess.Popen(  # no secrets in argv: options and keys go through pipes
                    [sys.executable, "-P", "-m", "thunes_cli.sim"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    pass_fds=(reading,),
                    env=_plain_environment(),
                    start_new_session=True,  # Ctrl-C is for the parent; the child ends when the pipe closes
                )
        except OSError as error:
            os.close(writing)
            message = f"the simulator cannot be started: {error}"
            raise SimError(message, code="sim_start", exit_code=EXIT_UNAVAILABLE) from error
        finally:
            os.close(reading)
        self._child, self._lifeline = child, writing
        try:
            line = self._first_line(child, replace(self._options, parent_fd=reading), deadline)
        except BaseException:
            self.close()
            raise
        said = json.loads(line) if line else _crashed(child.wait(), _tail(log_path, offset))
        if "error" in said:
            self.close()
            raise SimError(**said["error"])
        assert child.stdout is not None
        child.stdout.close()
        speed = Decimal(0) if self._options.step else self._options.speed
        return Endpoint.of(Announcement(**said), speed)

    @staticmethod
    def _first_line(child: subprocess.Popen[bytes], options: SimOptions, deadline: float) -> bytes:
        """Hand over the options and wait for the announcement; empty when the child ended without one."""
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(options.to_json().encode() + b"\n")
            child.stdin.close()
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([child.stdout], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                message = "the simulator did not start in time"
                raise SimError(message, f"see {options.directory / LOG}", code="sim_start", exit_code=EXIT_TIMEOUT)
            chunk = os.read(child.stdout.fileno(), 65_536)
            if not chunk:
                return b""
            line += chunk
        return line


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Wait for a child whose pipe is closed; insist if it does not hear."""
    for insist in (None, child.terminate, child.kill):
        if insist is not None:
            insist()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_SECONDS)
            break
    if child.stdout is not None:
        child.stdout.close()


def _plain_environment() -> dict[str, str]:
    """What a program needs to run, and none of the secrets that ours may have been given."""
    needed = {
        name: value for name, value in os.environ.items() if name in _NEEDED or name.startswith(("LC_", "PYTHON"))
    }
    return needed | {"SSL_CERT_FILE": os.devnull}  # loading certificates takes a tenth of the start


def _open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _crashed(status: int, last_words: str) -> dict[str, Any]:
    """What is known of a child that ended without a word of its own."""
    message = f"the simulator ended with status {status}" + (f": {last_words}" if last_words else "")
    return {"error": {"message": message, "code": "sim_start", "exit_code": EXIT_UNAVAILABLE}}


def _tail(path: Path, offset: int) -> str:
    """The last line written to the log since ``offset``."""
    with path.open("rb") as log:
        log.seek(offset)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""

"""What is left of a crash: ``<home>/crashes/<time>/`` with the traceback, the log's last lines and the ledger's facts.

An exception is recorded by the process that dies of it. A process that is killed cannot: its threads' stacks are
written down by ``faulthandler`` when the signal can be caught (systemd's watchdog sends SIGABRT), and the next start
makes the record. Nothing secret is in it: every text goes through the redactor.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import shutil
import sqlite3
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from thunes_cli.clock import to_text
from thunes_cli.config.home import CRASHES, LOG
from thunes_cli.config.private_file import write_private_file
from thunes_cli.ledger import controls, orders, outbox, positions
from thunes_cli.ledger.daemon import read_daemon
from thunes_cli.model import plain

_log = logging.getLogger(__name__)

KEPT = 20
_STACKS = ".stacks"
_TAIL_LINES, _TAIL_BYTES = 200, 256 * 1024
_STAMP = "%Y%m%dT%H%M%SZ"

Redact = Callable[[str], str]


class StackWatch:
    """While it is on, a signal that ends the process leaves every thread's stack behind."""

    def __init__(self, home: Path) -> None:
        self._path = home / CRASHES / _STACKS
        self._file: IO[str] | None = None

    def begin(self) -> None:
        """Watch from now on. A disk that cannot be written keeps nobody from trading."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _log.warning("no stacks would be kept of a crash: error=%s", error)
            return
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")
        faulthandler.enable(self._file, all_threads=True)

    def end(self) -> None:
        """The process ends by itself: nothing is left."""
        if self._file is not None:
            faulthandler.disable()
            self._file.close()
            with contextlib.suppress(OSError):
                self._path.unlink()


def take_stacks(home: Path) -> str:
    """What a killed process left, and it is gone from its place; empty when there is nothing."""
    path = home / CRASHES / _STACKS
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        path.unlink()
    except OSError:
        return ""
    return text


def record_crash(
    home: Path, connection: sqlite3.Connection | None, *, what: str, wall: datetime, redact: Redact
) -> Path | None:
    """Make a record; its directory, or None when it could not be written.

    Args:
        home: whose.
        connection: of its ledger, if that can be read.
        what: traceback, stacks, or a sentence.
        wall: network time.
        redact: takes secrets out.
    """
    directory = home / CRASHES / wall.strftime(_STAMP)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_file(directory / "traceback.txt", redact(what))
        write_private_file(directory / "log-tail.txt", redact(_tail(home / LOG)))
        write_private_file(directory / "ledger.json", redact(json.dumps(_facts(connection), indent=1)) + "\n")
        _forget_old(home / CRASHES)
    except OSError as error:
        _log.error("crash not recorded: error=%s", error)
        return None
    return directory


def told(error: BaseException) -> str:
    """An exception as text."""
    return "".join(traceback.format_exception(error))


def newest_record(home: Path, *, since: datetime) -> Path | None:
    """The record that was made since a wall time, if there is one."""
    stamp = since.strftime(_STAMP)
    found = [path for path in (home / CRASHES).glob("*Z") if path.is_dir() and path.name >= stamp]
    return max(found, default=None)


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(stream.tell() - _TAIL_BYTES, 0))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"no log: {error.strerror}\n"
    return "".join(f"{line}\n" for line in lines[-_TAIL_LINES:])


def _facts(connection: sqlite3.Connection | None) -> dict[str, Any]:
    if connection is None:
        return {"ledger": "could not be read"}
    try:
        daemon = read_daemon(connection)
        head = outbox.read_head(connection)
        return {
            "daemon": None
            if daemon is None
            else {
                "pid": daemon.process.pid,
                "since": to_text(daemon.since),
                "heartbeat_wall": to_text(daemon.heartbeat_wall),
                "mode": str(daemon.mode),
            },
            "kill_switch": controls.read_kill_switch(connection).active,
            "frozen_symbols": sorted(controls.frozen_symbols(connection)),
            "positions": [
                {"id": each.id, "symbol": each.symbol, "quantity": plain(each.quantity)}
                for each in positions.open_positions(connection)
            ],
            "unfinished_orders": [
                {"client_order_id": each.order.client_order_id, "state": str(each.order.state)}
                for each in orders.unfinished(connection)
            ],
            "audit_seq": head.seq,
            "audit_problem": head.problem,
        }
    except (sqlite3.Error, ValueError) as error:
        return {"ledger": f"could not be read: {error}"}


def _forget_old(directory: Path) -> None:
    records = sorted(path for path in directory.glob("*Z") if path.is_dir())
    for path in records[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)

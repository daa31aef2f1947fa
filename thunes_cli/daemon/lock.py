"""One daemon a home: a lock of the kernel on ``<home>/daemon.lock``, gone with the process that holds it.

The file's content only names the holder for people and for ``thunes stop``; whether somebody holds it is the kernel's
answer alone. The file is never deleted: a lock on a deleted file would guard nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.clock import to_text, utc_now
from thunes_cli.errors import Locked, Unavailable
from thunes_cli.process import ProcessIdentity, this_process

NAME = "daemon.lock"
ONCE = "run --once"
_POLL_SECONDS = 0.05
_CONTENT_SECONDS = 1.0  # between taking the lock and naming itself a holder needs a moment


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: as it names itself. ``since`` is wall time, RFC 3339."""

    process: ProcessIdentity
    command: str
    since: str


class DaemonLock:
    """The lock of one home, held from :meth:`acquire` to :meth:`release` or the end of the process."""

    def __init__(self, home: Path) -> None:
        self.path = home / NAME
        self._descriptor: int | None = None

    def acquire(self, command: str, *, wait_seconds: float = 0.0, wait_for: str | None = None) -> None:
        """Take the lock.

        Args:
            command: what others are told, such as ``run``.
            wait_seconds: how long to wait for a holder whose command is ``wait_for``.
            wait_for: only such a holder is waited for (a single check ends by itself, a daemon does not).

        Raises:
            Locked: somebody else holds it (11). Unavailable: its file cannot be opened (13).
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be opened: {error.strerror}") from error
        try:
            self._lock(descriptor, wait_seconds=wait_seconds, wait_for=wait_for)
            _write(descriptor, command)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _lock(self, descriptor: int, *, wait_seconds: float, wait_for: str | None) -> None:
        unnamed_until = time.monotonic() + _CONTENT_SECONDS
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read(descriptor)
                until = unnamed_until if holder is None else deadline if holder.command == wait_for else 0.0
                if time.monotonic() >= until:
                    raise _locked(holder) from None
                time.sleep(_POLL_SECONDS)
            else:
                return

    def keep(self, command: str) -> None:
        """Somebody may have removed the file, or the home: then the lock guards nothing, and is taken anew.

        Raises:
            Locked: another process has it meanwhile (11).
        """
        before = self._descriptor
        if before is None or _is_at(self.path, before):
            return
        try:
            self.acquire(command)
        except Unavailable:  # the home is gone; it may come back
            return
        os.close(before)

    def release(self) -> None:
        """Give the lock back; doing it twice is harmless."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def read_holder(home: Path) -> Holder | None:
    """Who holds the lock of a home, or None when nobody does.

    Raises:
        Locked: somebody does and cannot be identified.
        PermissionError: the file belongs to somebody else.
    """
    try:
        descriptor = os.open(home / NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        unnamed_until = time.monotonic() + _CONTENT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read(descriptor)
                if holder is not None:
                    return holder
                if time.monotonic() >= unnamed_until:
                    raise _locked(None) from None
                time.sleep(_POLL_SECONDS)
            else:
                return None
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _locked(holder: Holder | None) -> Locked:
    if holder is None:
        return Locked(pid="unknown", command="another process", since="an unknown time")
    return Locked(
        pid=holder.process.pid,
        command=f"thunes {holder.command}",
        since=f"{holder.since[:19].replace('T', ' ')}Z",  # to the second, as every answer writes a time
        hint="thunes stop" if holder.command != ONCE else "it ends by itself; try again",
    )


def _write(descriptor: int, command: str) -> None:
    me = this_process()
    content = {
        "pid": me.pid,
        "boot_id": me.boot_id,
        "started": me.started,
        "command": command,
        "since": to_text(utc_now()),
    }
    os.ftruncate(descriptor, 0)
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name on it
        os.pwrite(descriptor, json.dumps(content).encode() + b"\n", 0)


def _read(descriptor: int) -> Holder | None:
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
        process = ProcessIdentity(int(content["pid"]), str(content["boot_id"]), int(content["started"]))
        return Holder(process, str(content["command"]), str(content["since"]))
    except (ValueError, LookupError, TypeError, RecursionError):  # empty, or half-written at this instant
        return None

"""``thunes stop``: end this home's daemon, and nothing else, and wait until it is gone."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import typed
from thunes_cli.cli.result import Result
from thunes_cli.errors import HomeNotOurs, Locked, Timeout

if TYPE_CHECKING:
    from pathlib import Path

    from thunes_cli.daemon.lock import Holder


@command(
    examples=("thunes stop", "thunes stop --timeout 120", "thunes -q stop && thunes run"),
    exits=(
        (0, "it has ended, or none was running"),
        *(10, 11),
        (14, "it has not ended in time; it was asked, and may yet"),
    ),
)
def stop(
    call: Call,
    *,
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", min=0, help="How long to wait, in seconds.")] = 60,
) -> Result:
    """End our daemon and wait until it is gone.

    It finishes the step in flight first. Open positions stay open, and there is no stop-loss until it runs again.
    """
    from thunes_cli.config.home import require_home
    from thunes_cli.daemon.lock import ONCE, read_holder

    home = require_home(call.home)
    try:
        holder = read_holder(home)
    except Locked:
        holder = _recorded(home)
    if holder is None:
        return _nothing("no daemon is running")
    if holder.command == ONCE:
        return _nothing(f"no daemon is running; a single check (pid {holder.process.pid}) is, and ends by itself")
    descriptor = _open_process(holder)
    if descriptor is None:
        return _nothing("no daemon is running")
    try:
        began = time.monotonic()
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not _has_ended(descriptor, timeout):
            raise Timeout(
                f"the daemon (pid {holder.process.pid}) was asked to end and has not after {timeout:g} s",
                hint=f"it finishes the step in flight; wait for it: {typed(call, 'stop')} --timeout 300",
            )
        waited = round(time.monotonic() - began, 3)
    except ProcessLookupError:
        return _nothing("no daemon is running")
    except PermissionError:
        raise HomeNotOurs(home, "root", hint=f"sudo {typed(call, 'stop')}") from None
    finally:
        os.close(descriptor)
    return Result(
        data={"stopped": True, "pid": holder.process.pid, "waited_s": waited},
        text=(f"stopped the daemon (pid {holder.process.pid}) after {waited:.1f} s",),
        changed=True,
    )


def _nothing(what: str) -> Result:
    return Result(data={"stopped": False, "pid": None, "waited_s": 0}, text=(what,))


def _recorded(home: Path) -> Holder:
    """The daemon by its own word in the ledger, when the lock is held and bears no name (a full disk).

    Raises:
        Locked: that one is dead, so it is somebody else's lock (11).
    """
    from thunes_cli.config.home import LEDGER
    from thunes_cli.daemon.lock import Holder
    from thunes_cli.ledger.connection import open_for_reading
    from thunes_cli.ledger.daemon import read_daemon
    from thunes_cli.process import is_alive

    connection = open_for_reading(home / LEDGER)
    try:
        row = read_daemon(connection)
    finally:
        connection.close()
    if row is None or not is_alive(row.process):
        raise Locked(pid="unknown", command="another process", since="an unknown time")
    return Holder(row.process, row.command, row.since.isoformat())


def _open_process(holder: Holder) -> int | None:
    """A handle on exactly that process, or None when it has ended meanwhile; a recycled pid is never taken for it."""
    from thunes_cli.process import is_alive

    try:
        descriptor = os.pidfd_open(holder.process.pid)
    except ProcessLookupError:
        return None
    if not is_alive(holder.process):
        os.close(descriptor)
        return None
    return descriptor


def _has_ended(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))

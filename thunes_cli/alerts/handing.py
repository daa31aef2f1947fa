"""One round on every channel within so many seconds, for whoever cannot stay: a command, a single check, a stop."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence

from thunes_cli.alerts.outbox import Courier
from thunes_cli.audit.journal import Journal
from thunes_cli.errors import ThunesError

_log = logging.getLogger(__name__)

MOST = 20


def hand_over(journal: Journal, couriers: Sequence[Courier], *, seconds: float) -> bool:
    """Let each courier deliver what is due, all at the same time; False when the time was not enough for one of them.

    A courier that hangs is left to itself on a thread that does not keep the process alive. What it could not deliver
    waits in the ledger for the daemon, or for the next command.
    """
    deadline = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_deliver, args=(journal, courier), name=f"alerts-{courier.channel}", daemon=True)
        for courier in couriers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return not any(thread.is_alive() for thread in threads)


def _deliver(journal: Journal, courier: Courier) -> None:
    try:
        courier.deliver(most=MOST, at_once=True)
    except (sqlite3.Error, OSError, ThunesError) as error:
        _log.warning("alerts not delivered: by=%s error=%s", courier.channel, error)
    finally:
        journal.close()

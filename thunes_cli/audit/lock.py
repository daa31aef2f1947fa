"""``audit.lock``: whoever appends to the trail's files holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

LOCK_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.005


@contextlib.contextmanager
def trail_lock(trail: Path, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[bool]:
    """Hold the lock, or yield False when somebody else still has it after so long. It dies with its process.

    Raises:
        OSError: the lock file cannot be opened.
    """
    descriptor = os.open(trail.with_name("audit.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _take(descriptor, wait_seconds)
    finally:
        os.close(descriptor)


def _take(descriptor: int, wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True

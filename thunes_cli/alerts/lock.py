"""``alerts-CHANNEL.lock``: whoever sends on a channel holds its lock, so that nothing goes out twice.

A lock of the kernel, gone with the process that holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def channel_lock(ledger: Path, channel: str) -> Iterator[bool]:
    """Hold the channel's lock, or yield False when somebody else sends on it now.

    Where the home is gone nobody else can send, and what has to be said of that must get out.

    Raises:
        OSError: its file cannot be opened.
    """
    name = re.sub(r"[^\w-]", "_", channel)
    try:
        descriptor = os.open(ledger.with_name(f"alerts-{name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)

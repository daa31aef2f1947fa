"""Who a process is, in a way that survives pid reuse and reboots: pid + boot id + start time."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple


class ProcessIdentity(NamedTuple):
    """``started`` is the kernel's start tick (field 22 of /proc/PID/stat); equal only for the same process."""

    pid: int
    boot_id: str
    started: int


@functools.cache
def boot_id() -> str:
    """The kernel's random id of this boot; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def start_tick(pid: int) -> int | None:
    """The start tick of a living process, or None when there is none (a zombie counts as dead)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def this_process() -> ProcessIdentity:
    """The identity of the running process (not cached: a fork is another process)."""
    pid = os.getpid()
    return ProcessIdentity(pid=pid, boot_id=boot_id(), started=start_tick(pid) or 0)


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly that process still runs."""
    return identity.boot_id == boot_id() and start_tick(identity.pid) == identity.started

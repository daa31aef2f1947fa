"""What the process may run out of besides the disk: open files and memory. As a job: it fails while one is short."""

from __future__ import annotations

import resource
from pathlib import Path

from thunes_cli.errors import Unavailable

_MIB = 1024
FILES_PART = 0.8
LEAST_AVAILABLE_MIB = 64


class ResourceShort(Unavailable):
    """{0}"""

    code = "resource_short"
    hint = "thunes stop && thunes run; then look for what else runs here: ps aux --sort=-rss"


def look_at_resources() -> None:
    """One look.

    Raises:
        ResourceShort: most of the files that may be open are, or the machine has hardly any memory left.
    """
    opened, allowed = len(list(Path("/proc/self/fd").iterdir())), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed != resource.RLIM_INFINITY and opened > allowed * FILES_PART:
        raise ResourceShort(f"{opened} files are open, {allowed} may be")
    available = available_mib()
    if available is not None and available < LEAST_AVAILABLE_MIB:
        raise ResourceShort(f"{available} MiB of memory are left on this machine")


def available_mib(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Memory that can be had without swapping; None where the system does not tell."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) // _MIB if found else None

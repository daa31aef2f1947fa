"""Open files and memory are watched."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from thunes_cli.daemon.resources import ResourceShort, available_mib, look_at_resources


def test_most_files_are_open() -> None:
    """Named with both numbers; nothing is wrong once there are fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [Path("/dev/null").open() for _ in range(60)]  # noqa: SIM115 - closed below
    try:
        allowed = len(list(Path("/proc/self/fd").iterdir())) + 8
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        with pytest.raises(ResourceShort, match=f"files are open, {allowed} may be"):
            look_at_resources()
    finally:
        for file in opened:
            file.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    look_at_resources()


def test_memory_that_is_left(tmp_path: Path) -> None:
    """As the system tells it, or not known."""
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:  204800 kB\n")

    assert available_mib(tmp_path / "meminfo") == 200
    assert available_mib(tmp_path / "nothing") is None

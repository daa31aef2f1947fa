"""Secrets whose every appearance is noticed: in answers, files of a home, arguments and environments of processes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Container
from pathlib import Path

SIGNED = re.compile(rb"signature=[0-9a-fA-F]{8}")


class Canaries:
    """What must not be seen, and everything that was seen."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self.seen: list[tuple[str, bytes]] = []

    def look(self, where: str, data: bytes | str) -> None:
        """Remember a piece of output."""
        self.seen.append((where, data.encode() if isinstance(data, str) else data))

    def look_at_files(self, home: Path) -> None:
        """Every file of the home but the two places where secrets live."""
        for path in sorted(home.rglob("*")):
            if path.is_file() and path.name != ".env" and "sim" not in path.relative_to(home).parts:
                self.look(str(path.relative_to(home)), path.read_bytes())

    def look_at_processes(self) -> None:
        """The arguments of every process of this machine, as ``ps`` shows them to everybody."""
        shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True)
        self.look("ps", shown.stdout)
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.look(str(path), path.read_bytes())
            except OSError:  # it has ended
                continue

    def look_at_environments(self, *, but: Container[int] = ()) -> None:
        """What every process of this machine was started with, as far as we may see it, but those named by pid."""
        for path in Path("/proc").glob("[0-9]*/environ"):
            if int(path.parent.name) in but:
                continue
            try:
                self.look(str(path), path.read_bytes())
            except OSError:  # it has ended, or is somebody else's
                continue

    def found(self) -> list[str]:
        """Where a secret, or a signature, was seen."""
        return [
            f"{name} in {where}"
            for where, data in self.seen
            for name, value in self.secrets.items()
            if value.encode() in data
        ] + [f"signature in {where}" for where, data in self.seen if SIGNED.search(data)]

"""``~`` in paths that no shell has read: of a setting, or after ``=`` on the command line."""

from __future__ import annotations

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """The path with ``~`` and ``~user`` replaced as a shell does it; of a user nobody knows it stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)

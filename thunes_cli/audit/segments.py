"""The files of a trail, by their names alone.

``audit_trail.jsonl`` is the open segment; closed ones stand beside it as ``audit_trail-000001.jsonl`` and so on, so
that ``cat audit_trail*.jsonl`` is the whole trail in order. ``audit_trail.jsonl.ckpt`` holds the checkpoints of all.
"""

from __future__ import annotations

import re
from pathlib import Path

PUBLIC_KEY = "audit_key.pub"
_CLOSED = re.compile(r"(.+)-(\d{6,})")


def closed_path(trail: Path, number: int) -> Path:
    """Where a segment stands once it is closed."""
    return trail.with_name(f"{trail.stem}-{number:06d}{trail.suffix}")


def closed_segments(trail: Path) -> list[tuple[int, Path]]:
    """The closed segments beside a trail, by number."""
    found = []
    for path in trail.parent.glob(f"{_literal(trail.stem)}-*{_literal(trail.suffix)}"):
        number = _number(path, trail)
        if number is not None:
            found.append((number, path))
    return sorted(found)


def trail_of(path: Path) -> tuple[Path, int | None]:
    """The trail a file belongs to, and its number when it is named like a closed segment of it."""
    match = _CLOSED.fullmatch(path.stem)
    if match is None:
        return path, None
    trail = path.with_name(match[1] + path.suffix)
    number = _number(path, trail)
    return (path, None) if number is None else (trail, number)


def checkpoint_path(trail: Path) -> Path:
    """The checkpoints of a trail."""
    return trail.with_name(trail.name + ".ckpt")


def public_key_path(trail: Path) -> Path:
    """The public keys that belong to a trail, one a line."""
    return trail.with_name(PUBLIC_KEY)


def trail_files(trail: Path, *, segment: int, length: int) -> list[tuple[Path, int | None]]:
    """Every file of a trail in order, each with how many of its bytes count (None: all of them).

    Args:
        trail: the open segment.
        segment: its number, as the ledger says.
        length: its durable length, as the ledger says; bytes beyond are not yet, or not ours.
    """
    files: list[tuple[Path, int | None]] = [(path, None) for number, path in closed_segments(trail) if number < segment]
    if segment > 1 and length == 0 and not closed_path(trail, segment - 1).exists():
        return [*files, (trail, None)]  # closed in the ledger, not yet renamed
    return [*files, (trail, length)]


def _number(path: Path, trail: Path) -> int | None:
    match = _CLOSED.fullmatch(path.stem)
    number = int(match[2]) if match is not None else 0
    return number if number > 0 and closed_path(trail, number).name == path.name else None


def _literal(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)

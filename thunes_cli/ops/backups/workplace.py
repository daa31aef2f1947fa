"""A directory in which a backup is made, unpacked or made a home of; it goes when its process is done with it.

Whoever works in one holds a lock of the kernel in it. So what a killed process left is told from what another one still
needs: the first is cleared away by whoever works in the same place next, the second is left alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".thunes-partial-"
_LOCK, _CONTENT = "lock", "content"


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)


@contextmanager
def workplace(parent: Path, *, prefix: str = PARTIAL, clear: Callable[[Path], object] = _remove) -> Iterator[Path]:
    """An empty directory below ``parent``, for this process alone, while the block runs.

    Args:
        parent: an existing directory; what killed processes left there is cleared away first.
        prefix: the names of places of this use begin with it.
        clear: removes such a place; it may save what must not go (:func:`content_of` says where things are).

    Raises:
        OSError: it cannot be made, or nothing can be locked there.
    """
    clear_left(parent, prefix=prefix, clear=clear)
    place, descriptor = _make(parent, prefix)
    try:
        content_of(place).mkdir(mode=0o700)
        yield content_of(place)
    finally:
        clear(place)
        os.close(descriptor)


def content_of(place: Path) -> Path:
    """The directory that is worked in; beside it is room for notes."""
    return place / _CONTENT


def clear_left(parent: Path, *, prefix: str = PARTIAL, clear: Callable[[Path], object] = _remove) -> None:
    """Remove what was never finished; what a living process works in stays, and so does what others put there."""
    for place in parent.glob(f"{prefix}*"):
        if not _is_ours(place):
            continue
        descriptor = None
        with suppress(OSError):  # somebody works there, or it is gone by now
            descriptor = _locked(place)
            clear(place)
        if descriptor is not None:
            os.close(descriptor)


def _is_ours(place: Path) -> bool:
    """In a directory like /tmp anybody may lay something of that name, with a note of his choice beside it."""
    with suppress(OSError):
        found = place.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return False


def _make(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        place = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            descriptor = _locked(place)
        except (BlockingIOError, FileNotFoundError):  # cleared away before it was locked
            continue
        if (place / _LOCK).exists():
            return place, descriptor
        os.close(descriptor)


def _locked(place: Path) -> int:
    """Lock a place. A file, not the directory: that can be locked on a network's file system too."""
    descriptor = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor

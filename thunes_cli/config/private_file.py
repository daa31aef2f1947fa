"""Writing a file of the home: it appears whole, on the disk, and nobody else can read it; or not at all.

What is written first is a draft beside the file, and whoever writes holds a lock on it until it has become the file.
The kernel lets go of the lock of a writer that was killed: so what it left, secrets included, can be told from what
somebody is writing just now, and is taken away.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MODE = 0o600
_DRAFT = re.compile(r"(?P<of>.+)\.draft-[a-z0-9_]{8}\.new")


def write_private_file(path: Path, content: str | bytes) -> None:
    """Write or replace a file atomically, mode 0600, durable when this returns.

    Raises:
        OSError: it could not be written (full disk, no permission); what was there before is unchanged.
    """
    _write(path, content, os.replace)


def write_new_private_file(path: Path, content: str | bytes) -> None:
    """The same, but what is there already stays.

    Raises:
        FileExistsError: something is. OSError: as above.
    """
    _write(path, content, os.link)  # a rename would overwrite


def _write(path: Path, content: str | bytes, give_name: Callable[[Path, Path], None]) -> None:
    data = content.encode() if isinstance(content, str) else content
    remove_drafts(path.parent, of=path.name)
    descriptor, draft = _begin_draft(path)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), MODE)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            give_name(draft, path)
    finally:
        with suppress(OSError):  # after a rename there is none
            draft.unlink()
    sync_directory(path.parent)


def remove_drafts(directory: Path, *, of: str | None = None) -> int:
    """Take away the drafts that killed writers left; how many. One that is being written is locked, and stays.

    Args:
        directory: where the files are.
        of: the name of the file whose drafts are meant; None: of every file there.
    """
    removed = 0
    for entry in _entries(directory):
        draft = _DRAFT.fullmatch(entry)
        if draft is not None and of in {None, draft["of"]} and _remove_abandoned(directory / entry):
            removed += 1
    return removed


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are all that is needed
    except OSError:
        return []


def _remove_abandoned(draft: Path) -> bool:
    try:
        descriptor = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # it has become the file meanwhile, or is not ours to touch
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.unlink()
    except OSError:  # somebody is writing it
        return False
    finally:
        os.close(descriptor)
    return True


def _begin_draft(path: Path) -> tuple[int, Path]:
    """A new file beside ``path``, locked by us; anew if it was taken for abandoned before it was locked."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.draft-", suffix=".new", dir=path.parent)
        try:
            with suppress(OSError):  # a file system without locks: nobody can take it for abandoned there
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor, Path(name)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108 - as it came
            raise
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make what was created or renamed in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

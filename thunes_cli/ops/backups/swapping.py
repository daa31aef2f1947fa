"""A new home in the place of an old one, in one step: a kill at any instant leaves both of them whole."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from thunes_cli.config.private_file import sync_directory, write_private_file
from thunes_cli.ops.backups.workplace import content_of, workplace

STAGING = ".thunes-restore-"
_NOTE = "swap.json"
_STAMP = "%Y%m%dT%H%M%SZ"
_AT_FDCWD, _EXCHANGE = -100, 2


@contextmanager
def staging_beside(home: Path) -> Iterator[Path]:
    """An empty directory on the same file system, to make a home in. What killed restores left there is settled first.

    Raises:
        OSError: it cannot be made.
    """
    with workplace(home.parent, prefix=STAGING, clear=_settle) as staging:
        yield staging


def put_in_place(staging: Path, target: Path) -> None:
    """The home goes where nothing is, or an empty directory.

    Raises:
        OSError: it cannot.
    """
    make_durable(staging)
    staging.rename(target)
    sync_directory(target.parent)


def swap(staging: Path, home: Path) -> Path:
    """Both change places; returns where the old one is now.

    On Linux that is one step: there is never no home. A note beside says which of the two is the old one, so that it is
    not taken for something unfinished by whoever comes after a kill.

    Raises:
        OSError: it cannot be done; the old home is where it was.
    """
    make_durable(staging)
    aside = _free_name(home)
    note = {"new": staging.stat().st_ino, "aside": aside.name}
    write_private_file(staging.parent / _NOTE, json.dumps(note))
    if _exchange(staging, home):
        with suppress(OSError):  # then it is tried once more when the place is cleared, and stays where it is at worst
            staging.rename(aside)
    else:
        home.rename(aside)
        try:
            staging.rename(home)
        except OSError:
            aside.rename(home)
            raise
    sync_directory(home.parent)
    return aside


def _free_name(home: Path) -> Path:
    """A clock that was set back, or two restores within a second, must not make two old homes one."""
    base = f"{home.name}.before-restore-{datetime.now(UTC):{_STAMP}}"
    names = (base if number == 1 else f"{base}-{number}" for number in count(1))
    return next(path for path in map(home.with_name, names) if not os.path.lexists(path))


def _settle(place: Path) -> None:
    """Remove what is unfinished; an old home that was replaced and not yet put aside is put there instead."""
    content = content_of(place)
    try:
        note = json.loads((place / _NOTE).read_bytes())
        replaced, aside = content.stat().st_ino != note["new"], place.with_name(note["aside"])
    except FileNotFoundError:  # nothing was swapped, or the old home is aside already
        replaced, aside = False, place
    except (OSError, ValueError, KeyError, TypeError):  # no note of ours: better left than lost
        return
    if replaced:
        try:
            content.rename(aside)
            sync_directory(aside.parent)
        except OSError:  # it stays here, whole
            return
    shutil.rmtree(place, ignore_errors=True)


def make_durable(directory: Path) -> None:
    """Everything in it survives a loss of power.

    Raises:
        OSError: the disk says no.
    """
    for path, _, names in os.walk(directory):
        for name in names:
            if not (file := Path(path, name)).is_symlink():
                descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        sync_directory(Path(path))


def _exchange(one: Path, other: Path) -> bool:
    """Linux's ``renameat2`` with RENAME_EXCHANGE; False where there is none."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)

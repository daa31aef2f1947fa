"""The home that a restore replaces: what it still knows, and what the new one takes along from it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.segments import PUBLIC_KEY
from thunes_cli.config.home import BACKUPS, CRASHES, LEDGER, RESERVE, SIM, TRAIL
from thunes_cli.config.private_file import write_private_file
from thunes_cli.errors import ThunesError
from thunes_cli.ledger.connection import open_for_reading
from thunes_cli.ledger.identity import read_epochs, read_identity
from thunes_cli.ledger.restoring import Unsent, read_unsent
from thunes_cli.model import Environment
from thunes_cli.ops.backups.live_trail import LiveTrail

# What the backup brings, and what belongs to processes; all else was put there by somebody, and goes along.
_NOT_OURS = frozenset({"daemon.lock", "audit.lock", RESERVE, "lost+found"})
_BACKED_UP = (LEDGER, Path(TRAIL).stem)
_KEPT_AS_LINKS = frozenset({BACKUPS, CRASHES})


@dataclass(frozen=True, slots=True)
class OldHome:
    """What a ledger that can still be read says. ``unsent``: its alerts that no channel took."""

    environment: Environment
    instance: str
    epochs: frozenset[str]
    unsent: tuple[Unsent, ...]


def read_old_home(home: Path) -> OldHome | None:
    """None where its ledger is gone or damaged: that may be why a backup is restored."""
    try:
        with closing(open_for_reading(home / LEDGER)) as connection:
            identity = read_identity(connection)
            return OldHome(
                identity.environment, identity.instance, read_epochs(connection), tuple(read_unsent(connection))
            )
    except (ThunesError, sqlite3.Error, ValueError, TypeError, ArithmeticError):
        return None


def take_along(home: Path, staging: Path) -> None:
    """Settings, keys, log, backups, and whatever else lies there; links stay links.

    Raises:
        OSError: it cannot be copied.
    """
    for entry in sorted(home.iterdir()):
        if entry.name in _NOT_OURS or entry.name.startswith(_BACKED_UP) or entry.name.endswith(".lock"):
            continue
        target = staging / entry.name
        if entry.name == PUBLIC_KEY:
            _join_lines(entry, target)
        elif entry.is_symlink() or entry.is_file():
            target.unlink(missing_ok=True)
            shutil.copy2(entry, target, follow_symlinks=False)
        elif entry.is_dir():
            how = _link if entry.name in _KEPT_AS_LINKS else shutil.copy2
            shutil.copytree(entry, target, symlinks=True, copy_function=how, ignore=_processes_own(entry.name))


def _join_lines(ours: Path, theirs: Path) -> None:
    """Every public key that either home signed with."""
    lines = [path.read_text(encoding="utf-8") for path in (theirs, ours) if path.is_file()]
    keys = dict.fromkeys(line for text in lines for line in text.splitlines() if line)
    write_private_file(theirs, "".join(f"{line}\n" for line in keys))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target, follow_symlinks=False)


def _processes_own(name: str) -> Callable[[str, list[str]], set[str]] | None:
    return shutil.ignore_patterns("lock", "address") if name == SIM else None


def take_trail(live: LiveTrail, home: Path, staging: Path) -> None:
    """The old home's trail instead of the backup's, which it continues.

    Raises:
        OSError: it cannot be copied.
    """
    for backed_up in staging.glob("audit_trail*"):
        backed_up.unlink()
    for file in live.files:
        shutil.copy2(file, staging / file.relative_to(home))
    os.truncate(staging / TRAIL, live.end.length)  # a crash's remains stay with the old home

"""A home from a backup: proven, with an epoch of its own, its trail continued, put in place in one step."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.record import Fact
from thunes_cli.audit.segments import PUBLIC_KEY
from thunes_cli.clock import Clock
from thunes_cli.config.home import ENV_FILE, LEDGER, SIM, TRAIL
from thunes_cli.config.private_file import sync_directory, write_private_file
from thunes_cli.errors import LedgerCorrupt, Unavailable
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import leave_epoch, read_identity, save_entries_from
from thunes_cli.ledger.restoring import continue_trail, doubt_unfinished, forget_daemon
from thunes_cli.ops.backups.archive import SETTINGS
from thunes_cli.ops.backups.faults import PlaceTaken
from thunes_cli.ops.backups.live_trail import LiveTrail, find_live_trail
from thunes_cli.ops.backups.manifest import Manifest
from thunes_cli.trading.assurance import differing_positions

MODE = 0o700
STAGING = ".thunes-restore-"
_STAMP = "%Y%m%dT%H%M%SZ"
_AT_FDCWD, _EXCHANGE = -100, 2
# What a home has of its own and a backup has not: it goes on with it.
_SECRETS = (ENV_FILE, ".env.age", "audit_key")
_LINKED = ("backups", "crashes")


@dataclass(frozen=True, slots=True)
class Restored:
    """A home that was made. ``aside`` is the one it replaced; ``trail``: ``continued``, or ``as backed up``."""

    home: Path
    epoch: str
    epoch_before: str
    trail: str
    last_seq: int
    aside: Path | None = None


def check_target(target: Path) -> None:
    """Raises: PlaceTaken: it is not an empty directory, nor a place for a new one (78)."""
    try:
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise PlaceTaken(target, "it is no directory")
        if target.is_dir() and any(target.iterdir()):
            raise PlaceTaken(target, "it is not empty")
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceTaken(target, error.strerror or str(error)) from error


def restore_to(unpacked: Path, manifest: Manifest, target: Path, **who: Fact) -> Restored:
    """Make a home of an unpacked backup, in an empty place. ``who`` goes to the trail.

    Raises:
        PlaceTaken (78). LedgerCorrupt: positions are not what their fills say (5). Unavailable: it cannot be written.
    """
    check_target(target)
    staging = _staging(target)
    try:
        _move_members(unpacked, staging)
        made = _begin(staging, manifest, live=None, home=target, who=who)
        if target.is_dir():
            target.rmdir()
        staging.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror or error}", hint="df -h") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return made


def restore_in_place(unpacked: Path, manifest: Manifest, home: Path, **who: Fact) -> Restored:
    """Replace a home whose daemon does not run; the old one stays beside it, whole.

    Its settings, keys, log and backups are taken along. Its trail too, if it goes on where the backup's ends.
    Raises: as :func:`restore_to`.
    """
    staging = _staging(home)
    try:
        live = find_live_trail(home, manifest)
        _move_members(unpacked, staging)
        _take_along(home, staging)
        if live is not None:
            _take_trail(live, home, staging)
        aside = home.with_name(f"{home.name}.before-restore-{datetime.now(UTC):{_STAMP}}")
        made = _begin(staging, manifest, live=live, home=home, who=who)
        _swap(staging, home, aside)
    except OSError as error:
        raise Unavailable(f"{home} cannot be replaced: {error.strerror or error}", hint="df -h") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Restored(made.home, made.epoch, made.epoch_before, made.trail, made.last_seq, aside)


def _staging(target: Path) -> Path:
    try:
        for left in target.parent.glob(f"{STAGING}{target.name}-*"):  # of a restore that was killed
            shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{STAGING}{target.name}-", dir=target.parent))
    except OSError as error:
        raise Unavailable(f"{target.parent} cannot be written: {error.strerror}") from error


def _move_members(unpacked: Path, staging: Path) -> None:
    for member in sorted(unpacked.iterdir()):
        if member.name == SETTINGS:
            continue
        shutil.move(member, staging / member.name)
    if not (staging / ENV_FILE).exists():
        write_private_file(staging / ENV_FILE, (unpacked / SETTINGS).read_bytes())


def _take_along(home: Path, staging: Path) -> None:
    for name in _SECRETS:
        if (home / name).is_file():
            shutil.copy2(home / name, staging / name)
    lines = [path.read_text(encoding="utf-8") for path in (staging / PUBLIC_KEY, home / PUBLIC_KEY) if path.is_file()]
    keys = dict.fromkeys(line for text in lines for line in text.splitlines() if line)
    write_private_file(staging / PUBLIC_KEY, "".join(f"{line}\n" for line in keys))
    if (home / SIM).is_dir():
        shutil.copytree(home / SIM, staging / SIM, ignore=shutil.ignore_patterns("lock", "address"))
    for name in _LINKED:
        if (home / name).is_dir():
            shutil.copytree(home / name, staging / name, copy_function=os.link)
    for log in home.glob("thunes.log*"):
        shutil.copy2(log, staging / log.name)


def _take_trail(live: LiveTrail, home: Path, staging: Path) -> None:
    for backed_up in staging.glob("audit_trail*"):
        backed_up.unlink()
    for file in live.files:
        shutil.copy2(file, staging / file.relative_to(home))
    os.truncate(staging / TRAIL, live.end.length)  # a crash's remains stay with the old home


def _begin(staging: Path, manifest: Manifest, *, live: LiveTrail | None, home: Path, who: dict[str, Fact]) -> Restored:
    """The first transaction of the restored home: a new epoch, so that no client id is used twice."""
    staging.chmod(MODE)
    with closing(Ledger(staging / LEDGER)) as ledger:
        try:
            with ledger.read() as connection:
                identity = read_identity(connection)
                if differing_positions(connection):
                    raise LedgerCorrupt(LEDGER, "positions are not what their fills add up to")
            journal = Journal(ledger, staging / TRAIL, Clock(identity.anchor))
            with journal.change() as change:
                connection = change.connection
                if live is not None:
                    continue_trail(connection, live.end, closed=live.closed, checkpoint=live.checkpoint, at=change.at)
                forget_daemon(connection)
                epoch = leave_epoch(connection, wall=change.at_wall, why="restore")
                save_entries_from(connection, change.at)
                how = "as backed up" if live is None else "continued"
                change.record(
                    Event.RESTORED,
                    backup=manifest.id,
                    made_at=manifest.made_at,
                    backup_seq=manifest.trail.seq,
                    epoch_before=identity.epoch,
                    epoch=epoch,
                    trail=how,
                    **who,
                )
                for order in doubt_unfinished(connection, at=change.at):
                    change.record(
                        Event.ORDER_UNKNOWN,
                        symbol=order.symbol,
                        side=order.side,
                        client_order_id=order.client_order_id,
                        why="the backup was taken between its decision and its sending",
                        signal_id=order.signal_id,
                        position=order.position_id,
                        attempt=order.attempt,
                    )
            with ledger.read() as connection:
                last = int(connection.execute("SELECT seq FROM audit_head").fetchone()[0])
        except sqlite3.Error as error:
            raise Unavailable(f"the restored ledger cannot be written: {error}") from error
    return Restored(home, epoch, identity.epoch, how, last)


def _swap(staging: Path, home: Path, aside: Path) -> None:
    """Both change places in one step where the system can do that; there is never no home."""
    if _exchange(staging, home):
        staging.rename(aside)
    else:
        home.rename(aside)
        staging.rename(home)
    sync_directory(home.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Linux's ``renameat2`` with RENAME_EXCHANGE; False where there is none."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)

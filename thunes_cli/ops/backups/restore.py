"""A home from a backup: proven, with an epoch of its own, its trail continued, put in place in one step."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from thunes_cli.alerts.telling import tell_restored
from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.record import Fact
from thunes_cli.clock import Clock
from thunes_cli.config.home import ENV_FILE, LEDGER, TRAIL
from thunes_cli.config.private_file import write_private_file
from thunes_cli.errors import LedgerCorrupt, Unavailable
from thunes_cli.ledger.backups import save_backup
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import leave_epoch, read_identity, save_entries_from
from thunes_cli.ledger.restoring import continue_trail, doubt_unfinished, expire_alerts, forget_daemon, know_epochs
from thunes_cli.ops.backups.archive import SETTINGS
from thunes_cli.ops.backups.catalog import Backup, row_of
from thunes_cli.ops.backups.faults import PlaceTaken
from thunes_cli.ops.backups.live_trail import LiveTrail, find_live_trail
from thunes_cli.ops.backups.manifest import Manifest
from thunes_cli.ops.backups.old_home import OldHome, read_old_home, take_along, take_trail
from thunes_cli.ops.backups.swapping import put_in_place, staging_beside, swap
from thunes_cli.trading.assurance import differing_positions

MODE = 0o700


@dataclass(frozen=True, slots=True)
class Restored:
    """A home that was made. ``aside`` is the one it replaced; ``trail``: ``continued``, or ``as backed up``.

    ``alerts_expired`` waited when the backup was taken; they are not sent.
    """

    home: Path
    epoch: str
    epoch_before: str
    trail: str
    last_seq: int
    aside: Path | None = None
    alerts_expired: int = 0


def check_target(target: Path) -> None:
    """Raises: PlaceTaken: it is not an empty directory, nor a place for a new one (78)."""
    try:
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise PlaceTaken(target, "it is no directory")
        if target.is_dir() and any(target.iterdir()):
            raise PlaceTaken(target, "it is not empty")
        if os.path.ismount(target):
            raise PlaceTaken(target, "a file system is mounted there", hint=f"name a directory below it: {target}/home")
    except OSError as error:
        raise PlaceTaken(target, error.strerror or str(error)) from error


def make_room_for(target: Path) -> None:
    """The directories above it. Raises: PlaceTaken: they cannot be made (78)."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceTaken(target, error.strerror or str(error)) from error


def check_replaceable(home: Path, manifest: Manifest) -> None:
    """Raises: PlaceTaken: this home cannot be replaced by that backup, or not in one step (78)."""
    old = read_old_home(home)
    if old is not None and old.environment != manifest.environment:
        why = f"it is a {old.environment} home, the backup is of a {manifest.environment} one"
        raise PlaceTaken(home, why, hint="restore it beside: --to DIR")
    if os.path.ismount(home):
        raise PlaceTaken(home, "a file system is mounted there, it cannot change places", hint="--to a directory in it")


def restore_to(unpacked: Path, manifest: Manifest, target: Path, **who: Fact) -> Restored:
    """Make a home of an unpacked backup, in an empty place. ``who`` goes to the trail.

    Raises:
        PlaceTaken (78). LedgerCorrupt: positions are not what their fills say (5). Unavailable: it cannot be written.
    """
    check_target(target)
    try:
        with staging_beside(target) as staging:
            _move_members(unpacked, staging)
            made = _begin(staging, manifest, live=None, old=None, home=target, kept=None, who=who)
            put_in_place(staging, target)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {_why(error)}", hint="df -h") from error
    return made


def restore_in_place(
    unpacked: Path, manifest: Manifest, home: Path, *, kept: Backup | None = None, **who: Fact
) -> Restored:
    """Replace a home whose daemon does not run; the old one stays beside it, whole.

    Its settings, keys, log and backups are taken along. Its trail too, if it goes on where the backup's ends. ``kept``
    is the backup itself if it is one of those: it was just proven good, and the new ledger knows so.
    Raises: as :func:`restore_to`.
    """
    place = home.resolve()  # a link to a home stays one
    check_replaceable(place, manifest)
    try:
        with staging_beside(place) as staging:
            old = read_old_home(place)
            live = find_live_trail(place, manifest)
            _move_members(unpacked, staging)
            take_along(place, staging)
            if live is not None:
                take_trail(live, place, staging)
            made = _begin(staging, manifest, live=live, old=old, home=home, kept=kept, who=who)
            aside = swap(staging, place)
    except OSError as error:
        raise Unavailable(f"{home} cannot be replaced: {_why(error)}", hint="df -h") from error
    return replace(made, aside=aside)


def _why(error: OSError) -> str:
    """A tree that could not be copied tells every file of it; the first one's reason is enough."""
    if isinstance(error, shutil.Error) and (number := re.search(r"Errno (\d+)", str(error))):
        return os.strerror(int(number[1]))
    return error.strerror or str(error)


def _move_members(unpacked: Path, staging: Path) -> None:
    for member in sorted(unpacked.iterdir()):
        if member.name == SETTINGS:
            continue
        shutil.move(member, staging / member.name)
    if not (staging / ENV_FILE).exists():
        write_private_file(staging / ENV_FILE, (unpacked / SETTINGS).read_bytes())


def _begin(
    staging: Path,
    manifest: Manifest,
    *,
    live: LiveTrail | None,
    old: OldHome | None,
    home: Path,
    kept: Backup | None,
    who: dict[str, Fact],
) -> Restored:
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
                if kept is not None:
                    save_backup(connection, row_of(kept, manifest, looked_wall=change.at_wall))
                unsent = expire_alerts(connection)
                tell_restored(change, manifest.id, unsent=unsent, replaced=() if old is None else old.unsent)
                known = old.epochs if old is not None and old.instance == identity.instance else frozenset[str]()
                know_epochs(connection, known if live is None else known | live.epochs, wall=change.at_wall)
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
    return Restored(home, epoch, identity.epoch, how, last, alerts_expired=sum(each.times for each in unsent))

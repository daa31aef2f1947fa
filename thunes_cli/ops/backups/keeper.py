"""One home's backups: making, proving, remembering and forgetting them, by a command or by the daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from thunes_cli.alerts.telling import tell_backup_failed, tell_backup_made, tell_backup_old
from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.audit.key import announce_key, ensure_audit_key
from thunes_cli.audit.notes import PublicKey
from thunes_cli.audit.record import Fact
from thunes_cli.audit.segments import PUBLIC_KEY
from thunes_cli.config.private_file import sync_directory
from thunes_cli.config.settings import Settings
from thunes_cli.errors import ThunesError, Unavailable
from thunes_cli.ledger.backups import last_good_backup, save_backup, save_removed, save_verdict
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ops.backups.catalog import Backup, list_backups, row_of, working_in
from thunes_cli.ops.backups.create import Wanted, create_backup
from thunes_cli.ops.backups.manifest import Manifest
from thunes_cli.ops.backups.retention import Retention, choose_kept
from thunes_cli.ops.backups.sealing import read_identities, read_recipients
from thunes_cli.ops.backups.settings_text import settings_without_secrets
from thunes_cli.ops.backups.verify import NO_CHECKSUM, Progress, Verdict, check_file, public_keys, silently, unpacked

EVERY = timedelta(hours=24)
TOO_OLD = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Made:
    """A backup and what proving it has shown."""

    backup: Backup
    manifest: Manifest
    verdict: Verdict


class BackupKeeper:
    """The backups of one home. ``who`` goes to the trail with what changes."""

    def __init__(
        self,
        journal: Journal,
        settings: Settings,
        *,
        credentials: Path | None = None,
        who: Mapping[str, Fact] | None = None,
    ) -> None:
        self.journal = journal
        self.home = journal.ledger.path.parent
        self.directory = settings.backup_dir or self.home / "backups"
        self._settings = settings
        self._credentials = credentials
        self._who = dict(who or {})

    @property
    def recipients(self) -> tuple[str, ...]:
        """The age public keys that backups are encrypted to; none: they are not."""
        return self._settings.backup_age_recipients

    # -- making ----------------------------------------------------------------------------------------------------

    def make(
        self, *, secrets: Mapping[str, bytes] | None = None, identity: Path | None = None, progress: Progress = silently
    ) -> Made:
        """Make a backup, prove it as far as this host can, and remember both.

        Raises: as :func:`create_backup`; a failure is on the trail and alerted.
        """
        try:
            with self.journal.read() as connection:
                instance = read_identity(connection).instance
            key = ensure_audit_key(self.home, instance=instance, credentials=self._credentials)
            wanted = Wanted(
                self.directory,
                read_recipients(self.recipients),
                settings_without_secrets(self._settings),
                dict(secrets or {}),
            )
            backup, manifest = create_backup(self.journal, wanted, key, progress)
            verdict = self.look(backup, identity=identity, progress=progress)
        except (ThunesError, OSError) as error:
            self._failed(error if isinstance(error, ThunesError) else Unavailable(str(error)))
            raise
        with self.journal.change() as change:
            announce_key(change, key)
            self._remember(change, backup, manifest, verdict)
        return Made(backup, manifest, verdict)

    def _remember(self, change: Change, backup: Backup, manifest: Manifest, verdict: Verdict) -> None:
        problem = None if verdict.valid else "; ".join(verdict.problems)
        save_backup(change.connection, row_of(backup, manifest, looked_wall=change.at_wall, problem=problem))
        change.record(
            Event.BACKUP_CREATED,
            backup=backup.id,
            bytes=backup.bytes,
            encrypted=backup.encrypted,
            audit_seq=manifest.trail.seq,
            verified=problem is None,
            problem=problem,
            **self._who,
        )
        if problem is None:
            tell_backup_made(change, backup.id)
        else:
            tell_backup_failed(change, why=f"{backup.id} is no good: {problem}", last_good=self._last_good(change))

    def _failed(self, error: ThunesError) -> None:
        with suppress(Exception), self.journal.change() as change:  # a full disk may keep this from being written, too
            change.record(Event.BACKUP_FAILED, why=error.message, code=error.code, **self._who)
            tell_backup_failed(change, why=error.message, last_good=self._last_good(change))

    # -- proving ---------------------------------------------------------------------------------------------------

    def keys_for(self, backup: Backup) -> tuple[PublicKey, ...]:
        """Those that must have signed it: this home's, for one of its own; none, which lets any pass, for others."""
        return public_keys(self.home / PUBLIC_KEY) if backup.instance == self._instance() else ()

    def identity_file(self, given: Path | None) -> Path | None:
        """Where the age identity is, if it is on this host."""
        return given if given is not None else self._settings.age_identity_file

    def look(
        self, backup: Backup, *, identity: Path | None, quick: bool = False, progress: Progress = silently
    ) -> Verdict:
        """Whether a backup is good; only as a file where no identity is at hand that could open it.

        Raises: as :func:`unpacked`.
        """
        verdict = Verdict(backup, check_file(backup), quick=True)
        file = self.identity_file(identity)
        closed = quick or (backup.encrypted and file is None)
        if closed or verdict.problems not in ([], [NO_CHECKSUM]):
            return verdict
        keys = self.keys_for(backup)
        with unpacked(backup, self.identities(backup, file), place=self.directory, keys=keys, progress=progress) as (
            _,
            found,
        ):
            return found

    def identities(self, backup: Backup, file: Path | None) -> Sequence[Any]:
        """What may open a backup; nothing is needed for one that is not encrypted."""
        return read_identities(file) if backup.encrypted else []

    def verify(
        self, backup: Backup, *, identity: Path | None, quick: bool = False, progress: Progress = silently
    ) -> Verdict:
        """Look, and remember what was seen if it is one of this home's."""
        verdict = self.look(backup, identity=identity, quick=quick, progress=progress)
        problem = None if verdict.valid else "; ".join(verdict.problems)
        with self.journal.change() as change:
            if save_verdict(change.connection, backup.id, wall=change.at_wall, problem=problem):
                change.record(
                    Event.BACKUP_VERIFIED, backup=backup.id, good=problem is None, quick=verdict.quick, problem=problem
                )
                if problem is not None:
                    why = f"{backup.id} is no good: {problem}"
                    tell_backup_failed(change, why=why, last_good=self._last_good(change))
        return verdict

    def _instance(self) -> str:
        with self.journal.read() as connection:
            return read_identity(connection).instance

    # -- forgetting ------------------------------------------------------------------------------------------------

    def own(self) -> list[Backup]:
        """This home's, newest first; others may keep theirs in the same directory."""
        instance = self._instance()
        return [backup for backup in list_backups(self.directory) if backup.instance == instance]

    def superfluous(self) -> list[Backup]:
        """Those that no rule keeps, newest first."""
        backups = self.own()
        settings = self._settings
        kept = choose_kept(
            backups, Retention(settings.backup_keep_daily, settings.backup_keep_weekly, settings.backup_keep_monthly)
        )
        return [backup for backup in backups if backup.id not in kept]

    def remove(self, backups: Sequence[Backup]) -> None:
        """Remove backups. Raises: Unavailable: one cannot be removed (13); those before it are."""
        with working_in(self.directory):
            for backup in backups:
                try:
                    backup.checksum_path.unlink(missing_ok=True)
                    backup.path.unlink(missing_ok=True)
                except OSError as error:
                    raise Unavailable(f"{backup.path} cannot be removed: {error.strerror}") from error
                with self.journal.change() as change:
                    save_removed(change.connection, backup.id, wall=change.at_wall)
                    change.record(Event.BACKUP_REMOVED, backup=backup.id, **self._who)
            sync_directory(self.directory)

    # -- age -------------------------------------------------------------------------------------------------------

    def due(self, wall: datetime) -> bool:
        """Whether the newest good one is a day old, or there is none."""
        with self.journal.read() as connection:
            good = last_good_backup(connection, until=wall)
        return good is None or wall - good.made_wall >= EVERY

    def tell_if_old(self) -> None:
        """Alert when the newest good one is older than it may be."""
        wall = self.journal.clock.wall()
        with self.journal.read() as connection:
            good = last_good_backup(connection, until=wall)
        if good is not None and wall - good.made_wall >= TOO_OLD:
            with self.journal.change() as change:
                tell_backup_old(change, last_good=self._last_good(change))

    def _last_good(self, change: Change) -> datetime | None:
        good = last_good_backup(change.connection, until=change.at_wall)
        if good is None:
            return None
        return read_identity(change.connection).anchor.market_at(good.made_wall)

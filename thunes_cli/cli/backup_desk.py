"""What the ``backup`` commands share: the home's keeper of backups, its options, and a backup for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.actor import read_actor
from thunes_cli.cli.call import Call
from thunes_cli.cli.writing import home_journal

if TYPE_CHECKING:
    from thunes_cli.ops.backups.catalog import Backup
    from thunes_cli.ops.backups.keeper import BackupKeeper
    from thunes_cli.ops.backups.manifest import Manifest

_UNITS = ("B", "KiB", "MiB", "GiB")

IdentityOption = Annotated[
    Path | None,
    typer.Option("--identity", metavar="FILE", help="The age identity that opens it; else AGE_IDENTITY_FILE."),
]
IdArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="As `backup list` shows it, or a file; the newest unless given.")
]


@contextmanager
def backup_desk(call: Call) -> Iterator[BackupKeeper]:
    """The keeper of the home's backups; bad settings are replaced by safe ones, a backup is not refused for them.

    Raises: as :func:`thunes_cli.cli.writing.home_journal`.
    """
    from thunes_cli.config.load import load_settings
    from thunes_cli.ops.backups.keeper import BackupKeeper

    with home_journal(call) as journal:
        home = journal.ledger.path.parent
        settings = load_settings(home, call.environ, env_file=call.env_file, relaxed=True).settings
        yield BackupKeeper(journal, settings, credentials=call.credentials, who=read_actor(call).facts)


def backup_directory(call: Call) -> Path:
    """Where this home's backups are, also when its ledger is gone or damaged."""
    from thunes_cli.config.home import BACKUPS
    from thunes_cli.config.load import load_settings

    settings = load_settings(call.home, call.environ, env_file=call.env_file, relaxed=True).settings
    return settings.backup_dir or call.home / BACKUPS


def backup_data(backup: Backup, manifest: Manifest | None) -> dict[str, Any]:
    """A backup for scripts; without its manifest what its file alone says."""
    return {
        "id": backup.id,
        "path": str(backup.path),
        "bytes": backup.bytes,
        "encrypted": backup.encrypted,
        "members": None
        if manifest is None
        else [{"name": each.name, "bytes": each.bytes, "sha256": each.sha256} for each in manifest.members],
        "audit_seq": None if manifest is None else manifest.trail.seq,
    }


def size(count: int) -> str:
    """Bytes for people."""
    power = min((max(count, 1).bit_length() - 1) // 10, len(_UNITS) - 1)
    return f"{count / 1024**power:.{1 if power else 0}f} {_UNITS[power]}"

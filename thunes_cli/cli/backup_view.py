"""Where a home's backups are, and how one is shown; no settings are validated for it, nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from thunes_cli.config.home import BACKUPS
from thunes_cli.config.layer import Place
from thunes_cli.config.sources import entry_of
from thunes_cli.config.tilde import expanded

if TYPE_CHECKING:
    from thunes_cli.cli.call import Call
    from thunes_cli.ops.backups.catalog import Backup
    from thunes_cli.ops.backups.manifest import Manifest

_UNITS = ("B", "KiB", "MiB", "GiB")


def backup_directory(call: Call) -> Path:
    """Where this home's backups are, also when its ledger is gone or damaged, or another setting is wrong."""
    entry = entry_of("BACKUP_DIR", Place(call.environ, call.home, call.env_file))
    given = expanded(entry.text) if entry is not None and entry.text.isprintable() else None
    return given if given is not None and given.is_absolute() else call.home / BACKUPS


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

"""What goes wrong with backups."""

from __future__ import annotations

from thunes_cli.errors import ConfigError, IntegrityError, NotFound, Unavailable


class BackupMissing(NotFound):
    """there is no backup {0}"""

    code = "backup_missing"
    hint = "thunes backup list"


class BackupDamaged(IntegrityError):
    """the backup {0} is damaged: {1}"""

    code = "backup_damaged"
    hint = "keep it as evidence and take another one: thunes backup list"


class BackupNewer(ConfigError):
    """the backup {0} was made by a newer THUNES: {1}"""

    code = "backup_newer"
    hint = "update THUNES, then try again; the backup is not touched"


class NoRoom(Unavailable):
    """{0} has {1} MiB free, {2} MiB are needed; nothing was changed"""

    code = "no_room"
    hint = "thunes backup prune, or BACKUP_DIR on another disk"


class IdentityWrong(ConfigError):
    """{0}: it is encrypted, and {1}"""

    code = "backup_identity"
    hint = "thunes backup verify ID --identity FILE, with the age identity that is kept off this host"


class RecipientWrong(ConfigError):
    """BACKUP_AGE_RECIPIENTS: {0}"""

    code = "backup_recipients"
    hint = "an age public key looks like age1...; age-keygen makes a pair"


class PlaceTaken(ConfigError):
    """{0} cannot be restored to: {1}"""

    code = "restore_place"
    hint = "name an empty directory: --to DIR"

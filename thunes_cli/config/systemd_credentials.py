"""Secrets that systemd hands to a service: files in ``$CREDENTIALS_DIRECTORY``, named like settings in any case.

``LoadCredentialEncrypted=binance_api_key`` gives ``BINANCE_API_KEY``. A private key is used where it lies: the
credential ``binance_private_key`` is ``BINANCE_PRIVATE_KEY_FILE``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from thunes_cli.config.credentials import SYSTEMD as ORIGIN
from thunes_cli.config.faults import Fault
from thunes_cli.config.layer import Entry, Layer
from thunes_cli.config.source import Changes, SourceFixed, Undo

_LARGEST = 64 * 1024
_KEY, _FILE = "_PRIVATE_KEY", "_FILE"


class SystemdCredentials:
    """The credentials of this service."""

    def __init__(self, directory: Path | None, names: Collection[str]) -> None:
        self._directory = directory
        self._names = names
        self.name = f"{ORIGIN}s"

    def read(self) -> Layer:
        """Those whose names are settings; others (the key that signs the trail) are not settings."""
        if self._directory is None or not self._directory.is_dir():
            return Layer()
        entries: dict[str, Entry] = {}
        faults: list[Fault] = []
        for path in sorted(self._directory.iterdir()):
            setting = path.name.upper().replace("-", "_").replace(".", "_")
            origin = f"{ORIGIN} {path.name}"
            if setting.endswith(_KEY) and setting + _FILE in self._names:
                entries[setting + _FILE] = Entry(str(path), origin)
            elif setting in self._names:
                try:
                    text = path.read_bytes()[:_LARGEST].decode("utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                    faults.append(Fault((setting,), f"cannot be read: {why}", origin))
                    continue
                if text:
                    entries[setting] = Entry(text, origin)
        return Layer(entries, tuple(faults))

    def rewrite(self, changes: Changes) -> Undo:
        """Systemd's credentials are made by whoever starts the service."""
        raise SourceFixed(
            f"{', '.join(sorted(changes))} come from {self.name}",
            hint="encrypt the new key with systemd-creds, restart the service (docs/secrets.md)",
        )

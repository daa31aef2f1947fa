"""A secret of a store that is one JSON object: settings by name, or ``api_key`` and its like for this environment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from thunes_cli.config.env_file import suggestion
from thunes_cli.config.faults import Fault
from thunes_cli.config.layer import Entry, Layer
from thunes_cli.config.source import Changes

SHORT_NAMES = ("API_KEY", "API_SECRET", "PRIVATE_KEY", "OLD_API_KEY")


def settings_in(document: Mapping[str, Any], *, names: Collection[str], prefix: str, origin: str) -> Layer:
    """The entries of a secret.

    Args:
        document: the object.
        names: of all settings.
        prefix: of the key's settings in this environment (``BINANCE_`` or ``BINANCE_TESTNET_``).
        origin: the store, and the secret in it.
    """
    entries: dict[str, Entry] = {}
    faults: list[Fault] = []
    for field, value in document.items():
        setting = _setting(field, prefix)
        if isinstance(value, dict | list) or value is None:
            faults.append(Fault((setting,), "must be a text", origin))
        elif setting in entries:
            faults.append(Fault((setting,), "given twice", origin))
        elif meant := suggestion(setting, names):
            faults.append(Fault((setting,), f"no such setting; did you mean {meant}?", origin))
        elif text := (str(value).lower() if isinstance(value, bool) else str(value)).strip():
            entries[setting] = Entry(text, origin)
    return Layer(entries, tuple(faults))


def changed(document: Mapping[str, Any], changes: Changes, *, prefix: str) -> dict[str, Any]:
    """The object with other values, each under the name that it has there; new ones are named like their neighbours."""
    result = dict(document)
    fields = {_setting(field, prefix): field for field in document}
    short = any(field.upper() in SHORT_NAMES for field in document)
    for setting, value in changes.items():
        field = fields.get(setting) or (setting.removeprefix(prefix).lower() if short else setting)
        if value is None:
            result.pop(field, None)
        else:
            result[field] = value
    return result


def _setting(field: str, prefix: str) -> str:
    name = field.strip().upper()
    return prefix + name if name in SHORT_NAMES else name

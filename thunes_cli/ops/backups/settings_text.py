"""The settings of a home as text for a backup: what differs from the defaults, and nothing that is secret."""

from __future__ import annotations

from thunes_cli.config.fields import as_text
from thunes_cli.config.secrets import Secret
from thunes_cli.config.settings import NAMES, PRIVATE_KEYS, SECRETS, Settings

_HEAD = "# Settings of a THUNES home, from a backup. Secrets are never in one that is not encrypted: set the API key.\n"
_WHERE_SECRETS_ARE = ("AWS_", "VAULT_", "AGE_")


def settings_without_secrets(settings: Settings) -> str:
    """``NAME=value`` lines, as a ``.env`` has them."""
    hidden = {*SECRETS, *PRIVATE_KEYS}
    lines = []
    for name in NAMES:
        value = settings.value(name)
        if name in hidden or isinstance(value, Secret) or settings.origin(name) == "default":
            continue
        text = as_text(value)
        if text and not name.startswith(_WHERE_SECRETS_ARE):
            lines.append(f"{name}={_quoted(text)}\n")
    return _HEAD + "".join(lines)


def _quoted(text: str) -> str:
    return f'"{text}"' if any(char in text for char in " #'") else text

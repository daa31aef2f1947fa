"""Which key signs: chosen by environment, so that a test key and a live key never take each other's place."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thunes_cli.config.secrets import Secret
from thunes_cli.errors import ConfigError
from thunes_cli.model import Environment

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings

EMBEDDED = "embedded exchange"
SYSTEMD = "systemd credential"
_READABLE, _WRITABLE = 0o077, 0o027
_PREFIXES = {
    Environment.TESTNET: ("BINANCE_TESTNET_",),
    Environment.LIVE: ("BINANCE_",),
    Environment.SIM: ("BINANCE_", "BINANCE_TESTNET_"),
}


class CredentialsMissing(ConfigError):
    """{0} is not set: {1} needs an API key"""

    code = "credentials_missing"
    hint = "put {0} and its secret into the home's .env"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and what signs with it, exactly one of three: an HMAC secret, a private key's file, a private key.

    ``source`` says whence.
    """

    api_key: Secret
    api_secret: Secret | None
    private_key_file: Path | None
    source: str
    private_key: Secret | None = None

    @property
    def kind(self) -> str:
        """What signs: ``HMAC``, or a private key (``Ed25519``, unless it is an old RSA one)."""
        return "HMAC" if self.api_secret is not None else "Ed25519"

    def secrets(self) -> tuple[Secret, ...]:
        """What must never be written anywhere."""
        return tuple(each for each in (self.api_key, self.api_secret, self.private_key) if each is not None)


def credentials(settings: Settings, *, embedded: Credentials | None = None) -> Credentials:
    """The credentials of the settings' environment.

    Args:
        settings: the settings in force.
        embedded: those of the embedded exchange, when that is the one connected to: it knows no other, and keys that
            an operator keeps in the environment for other purposes must not break the simulator.

    Raises:
        CredentialsMissing: there are none (78). ConfigError: a private key file that is absent or not private (78).
    """
    if embedded is not None:
        return embedded
    for prefix in _PREFIXES[settings.environment]:
        found = _given(settings, prefix)
        if found is not None:
            return found
    raise CredentialsMissing(f"{_PREFIXES[settings.environment][0]}API_KEY", settings.environment)


def _given(settings: Settings, prefix: str) -> Credentials | None:
    key: Secret | None = settings.value(f"{prefix}API_KEY")
    secret: Secret | None = settings.value(f"{prefix}API_SECRET")
    file: Path | None = settings.value(f"{prefix}PRIVATE_KEY_FILE")
    inline: Secret | None = settings.value(f"{prefix}PRIVATE_KEY")
    if key is None or (secret is None and file is None and inline is None):
        return None
    if file is not None:
        # systemd keeps what it hands out from everybody but the service, in its own way.
        handed = settings.origin(f"{prefix}PRIVATE_KEY_FILE").startswith(SYSTEMD)
        check_private(file, others=_WRITABLE if handed else _READABLE)
    source = settings.origin(f"{prefix}API_KEY")
    if file is not None or inline is not None:
        secret = None
    return Credentials(key, secret, file, source, None if file is not None else inline)


def check_private(path: Path, *, others: int = _READABLE) -> None:
    """Refuse a private key that is absent, somebody else's, or that ``others`` (mode bits) may read.

    Raises:
        ConfigError: says which, and what to type.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"the private key {path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"the private key {path} is not a file")
    if found.st_uid not in {os.geteuid(), 0}:
        raise ConfigError(f"the private key {path} belongs to another user")
    if found.st_mode & others:
        mode = stat.S_IMODE(found.st_mode)
        raise ConfigError(
            f"the private key {path} can be read by others (mode {mode:04o})",
            hint=f"chmod 600 {shlex.quote(str(path))}",
        )

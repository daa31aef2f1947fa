"""The key that signs checkpoints: ``<home>/audit_key``, or the systemd credential of that name.

Its public half stands beside the trail in ``audit_key.pub`` and is named on the trail; a copy kept elsewhere is what
makes it worth something.
"""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.audit.notes import ORIGIN, PublicKey, SigningKey
from thunes_cli.audit.segments import PUBLIC_KEY
from thunes_cli.config.private_file import sync_directory, write_private_file
from thunes_cli.errors import ConfigError
from thunes_cli.ledger.outbox import read_head, save_signer

KEY_FILE = "audit_key"


def ensure_audit_key(home: Path, *, instance: str, credentials: Path | None = None) -> SigningKey:
    """The home's signing key, made when there is none; its public half is beside the trail when this returns.

    Args:
        home: where ``audit_key`` is.
        instance: of the home; part of the name that is signed with.
        credentials: the directory of systemd's credentials; a key in it comes first.

    Raises:
        ConfigError: the key is none, or others can read it (78). OSError: it cannot be read or written.
    """
    name = ORIGIN + instance
    given = credentials / KEY_FILE if credentials is not None else None
    if given is not None and given.is_file():
        key = _parsed(given, name)
    else:
        path = home / KEY_FILE
        if not path.exists():
            _make(path)
        _require_private(path)
        key = _parsed(path, name)
    _publish(home / PUBLIC_KEY, key.public)
    return key


def announce_key(change: Change, key: SigningKey) -> None:
    """Name the key on the trail when it is not the one that was named last."""
    before = read_head(change.connection).signer
    public = str(key.public)
    if before == public:
        return
    change.record(Event.AUDIT_KEY_IN_USE, public_key=public, before=before)
    save_signer(change.connection, public)


def _make(path: Path) -> None:
    """A new key, whole or not at all; when two make one at once, the first one's stays."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - 30 ms, once in a home's life
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    sync_directory(path.parent)


def _require_private(path: Path) -> None:
    found = path.stat()
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise ConfigError(
            f"the audit key {path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {shlex.quote(str(path))}"
        )


def _parsed(path: Path, name: str) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        raise ConfigError(f"the audit key {path} is no private key in PEM") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(f"the audit key {path} is no Ed25519 key")
    return SigningKey(PublicKey(name, private.public_key().public_bytes_raw()), private)


def _publish(path: Path, key: PublicKey) -> None:
    """Add a key to those that belong to the trail; older ones stay, they signed what is there."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    if str(key) not in text.splitlines():
        write_private_file(path, f"{text}{key}\n")

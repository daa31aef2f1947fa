"""A new Ed25519 key pair: the private half into a file of its own, the public half for the exchange."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from thunes_cli.config.private_file import write_new_private_file
from thunes_cli.errors import ConfigError


class PrivateKeyThere(ConfigError):
    """{0} is there already; a private key is never overwritten"""

    code = "private_key_there"
    hint = "name another file: thunes keys generate --to FILE"


class KeyPair(NamedTuple):
    """Both halves in PEM; ``private`` is a secret. ``fingerprint`` is the public half's."""

    private: bytes
    public: str

    @property
    def fingerprint(self) -> str:
        """First 12 hex digits of the SHA-256 of the public half, as DER."""
        import hashlib  # noqa: PLC0415 - with the others below
        from base64 import b64decode  # noqa: PLC0415 - as above

        return hashlib.sha256(b64decode("".join(self.public.splitlines()[1:-1]))).hexdigest()[:12]


def new_key_pair() -> KeyPair:
    """A fresh pair, made of the system's randomness: PKCS #8 and SubjectPublicKeyInfo, as the exchange takes them."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - 30 ms, seldom
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private, public.decode("ascii"))


def write_new_private_key(path: Path, pair: KeyPair) -> None:
    """Put the private half there, mode 0600, whole or not at all; whatever is there stays.

    Raises:
        PrivateKeyThere: something is (78). OSError: it cannot be written.
    """
    try:
        write_new_private_file(path, pair.private)
    except FileExistsError:
        raise PrivateKeyThere(path) from None

"""Signing for the WebSocket API: parameters sorted by name, as raw text, by whatever the key has.

The REST client signs by itself, because what it signs is what it sends, percent-encoded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from thunes_cli.config.credentials import Credentials
from thunes_cli.errors import ConfigError


def signed(params: Mapping[str, str | int], credentials: Credentials) -> dict[str, str | int]:
    """The parameters with the key and their signature (Binance: "WebSocket API, request security").

    Raises:
        ConfigError: the private key cannot be used.
    """
    full = {**params, "apiKey": credentials.api_key.reveal()}
    payload = "&".join(f"{name}={full[name]}" for name in sorted(full)).encode()
    return {**full, "signature": _signature(payload, credentials)}


def _signature(payload: bytes, credentials: Credentials) -> str:
    if credentials.private_key is None and credentials.private_key_file is None:
        if credentials.api_secret is None:
            raise ConfigError("the API key has nothing to sign with")
        return hmac.new(credentials.api_secret.reveal().encode(), payload, hashlib.sha256).hexdigest()
    return base64.b64encode(_sign_by_private_key(payload, credentials)).decode("ascii")


def _sign_by_private_key(payload: bytes, credentials: Credentials) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only where a private key signs
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa  # noqa: PLC0415 - as above

    try:
        if credentials.private_key is not None:
            text = credentials.private_key.reveal().encode()
        else:
            assert credentials.private_key_file is not None
            text = credentials.private_key_file.read_bytes()
        key = serialization.load_pem_private_key(_pem_only(text), password=None)
    except OSError as error:
        raise ConfigError(f"the private key {credentials.private_key_file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError("the private key is no unencrypted Ed25519 or RSA private key") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(payload)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
    raise ConfigError("the private key is no Ed25519 or RSA key")


def _pem_only(text: bytes) -> bytes:
    """The PEM block; comments around it are allowed."""
    begin = text.find(b"-----BEGIN")
    return text[begin:] if begin > 0 else text

"""What a backup says of itself, signed with the audit key: its members' hashes, its ledger's rows, its trail's end."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from typing import Any

from thunes_cli.audit.notes import BadNote, PublicKey, SigningKey, parse_public_key

NAME, SIGNATURE = "manifest.json", "manifest.sig"
_FORM = 1
_PREFIX = b"thunes.backup/1\n"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TrailEnd:
    """Where the trail of the backup ends: its last durable record, and how much of which segment is that."""

    segment: int
    length: int
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """``made_at`` is wall time, ``market_at`` the exchange's; ``rows`` counts the ledger's rows by table.

    ``secrets``: the API key's settings and the audit key are inside.
    """

    id: str
    made_at: str
    market_at: str
    environment: str
    instance: str
    epoch: str
    schema: int
    thunes: str
    secrets: bool
    trail: TrailEnd
    rows: dict[str, int]
    members: tuple[Member, ...]

    def to_json(self) -> bytes:
        """Canonical: sorted keys, one form for one content."""
        return json.dumps({"v": _FORM, **asdict(self)}, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> Manifest:
        """The inverse.

        Raises:
            ValueError: it is none, or of a newer form.
        """
        values: dict[str, Any] = json.loads(raw)
        if values.pop("v") != _FORM:
            raise ValueError("it is of a newer THUNES")
        trail, members = TrailEnd(**values.pop("trail")), tuple(Member(**each) for each in values.pop("members"))
        return cls(trail=trail, members=members, **values)


def sign(manifest: bytes, key: SigningKey) -> bytes:
    """The signature's file: the public key, and its signature of these bytes."""
    signature = base64.b64encode(key.private.sign(_PREFIX + manifest)).decode()
    return f"{key.public}\n{signature}\n".encode()


def signer_of(manifest: bytes, signature: bytes) -> PublicKey | None:
    """The key these bytes are signed with; None when the signature is not good."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - 30 ms, only where something is verified
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    try:
        text, encoded, *_ = signature.decode().splitlines()
        key = parse_public_key(text)
        Ed25519PublicKey.from_public_bytes(key.raw).verify(base64.b64decode(encoded, validate=True), _PREFIX + manifest)
    except (InvalidSignature, BadNote, ValueError, binascii.Error):
        return None
    return key

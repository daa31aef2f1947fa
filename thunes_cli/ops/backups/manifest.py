"""What a backup says of itself, signed with the audit key: its members' hashes, its ledger's rows, its trail's end."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from thunes_cli.audit.notes import BadNote, PublicKey, SigningKey, parse_public_key
from thunes_cli.ops.backups.faults import BackupNewer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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
            ValueError, KeyError, TypeError: it is none. BackupNewer: it is of a newer form (78).
        """
        try:
            values: Any = json.loads(raw)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(values, dict):
            raise TypeError("it is no object")
        form = values.pop("v")
        if form != _FORM:
            if isinstance(form, int) and form > _FORM:
                raise BackupNewer(values.get("id", "?"), f"its manifest is of form {form}, this one knows {_FORM}")
            raise ValueError(f"there is no form {form!r}")
        trail, members = TrailEnd(**values.pop("trail")), tuple(Member(**each) for each in values.pop("members"))
        manifest = cls(trail=trail, members=members, **values)
        _demand_types(manifest, trail, *members)
        return manifest


_KINDS = {"str": str, "int": int, "bool": bool}


def _demand_types(*values: DataclassInstance) -> None:
    for value in values:
        for field in fields(value):
            kind, held = _KINDS.get(str(field.type)), getattr(value, field.name)
            if kind is not None and type(held) is not kind:
                raise TypeError(f"its {field.name} is no {field.type}")
    rows = getattr(values[0], "rows", {})
    if not isinstance(rows, dict) or not all(type(count) is int for count in rows.values()):
        raise TypeError("its rows are no counts")


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

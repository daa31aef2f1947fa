"""Checkpoints as signed notes (the C2SP ``signed-note`` form): small texts that anybody can keep and verify.

::

    thunes.audit/k7m2qp
    segment 1 seq 1000 bytes 358945
    <SHA-256 of these bytes, base64>
    <SHA-256 of the previous note, base64; 32 zero bytes before the first>
    2026-03-10T12:00:00Z

    — thunes.audit/k7m2qp <base64: 4 bytes of key id, 64 bytes of Ed25519 signature>

The signature is over the text above the empty line, its last newline included. In the checkpoint file an empty line
separates one note from the next.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "thunes.audit/"
NO_NOTE = bytes(32)
MAX_NOTE = 300
_ED25519 = b"\x01"
_B64_HASH = r"[A-Za-z0-9+/]{43}="
_BODY = (
    r"(?P<origin>thunes\.audit/[^\s+]+)\n"
    r"segment (?P<segment>[1-9]\d*) seq (?P<seq>[1-9]\d*) bytes (?P<length>[1-9]\d*)\n"
    rf"(?P<sha256>{_B64_HASH})\n"
    rf"(?P<previous>{_B64_HASH})\n"
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\n"
)
_NOTE = re.compile(rf"(?P<text>{_BODY})\n— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]{{91}}=)\n")


class BadNote(ValueError):
    """Bytes that are no note of ours; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says: the first ``length`` bytes of a segment, ending with record ``seq``, have this SHA-256.

    ``previous`` is the SHA-256 of the note before; ``at`` is market time to the second.
    """

    origin: str
    segment: int
    seq: int
    length: int
    sha256: bytes
    previous: bytes
    at: str

    def text(self) -> str:
        """The text that is signed."""
        return (
            f"{self.origin}\nsegment {self.segment} seq {self.seq} bytes {self.length}\n"
            f"{_b64(self.sha256)}\n{_b64(self.previous)}\n{self.at}\n"
        )


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint with its signature. ``raw`` is the note's bytes, from the origin to the last newline."""

    checkpoint: Checkpoint
    signer: str
    key_id: bytes
    signature: bytes
    raw: bytes = field(repr=False)

    @property
    def hash(self) -> bytes:
        """What the next note calls ``previous``."""
        return hashlib.sha256(self.raw).digest()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies notes, with the name it signs under."""

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        """The key as C2SP writes it: name, key id, key."""
        return f"{self.name}+{self.key_id.hex()}+{_b64(_ED25519 + self.raw)}"

    def signed(self, note: Note) -> bool:
        """Whether the note is signed with this key."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - 30 ms, only where notes are verified
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

        if note.signer != self.name or note.key_id != self.key_id:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(note.signature, note.checkpoint.text().encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private half, with its public one."""

    public: PublicKey
    private: Ed25519PrivateKey = field(repr=False)

    def sign(self, checkpoint: Checkpoint) -> Note:
        """The note that says so."""
        text = checkpoint.text()
        signature = self.private.sign(text.encode())
        line = f"— {self.public.name} {_b64(self.public.key_id + signature)}\n"
        raw = f"{text}\n{line}".encode()
        assert len(raw) <= MAX_NOTE
        return Note(checkpoint, self.public.name, self.public.key_id, signature, raw)


def parse_public_key(text: str) -> PublicKey:
    """The inverse of ``str(key)``.

    Raises:
        BadNote: it is no key of that form.
    """
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise BadNote("not a public key of the form name+id+key") from error
    if not name or blob[:1] != _ED25519 or len(blob) != len(_ED25519) + 32:
        raise BadNote("not an Ed25519 public key of the form name+id+key")
    key = PublicKey(name, blob[1:])
    if key.key_id.hex() != key_id.lower():
        raise BadNote("the key's id does not belong to it")
    return key


def parse_note(raw: bytes) -> Note:
    """One note, byte for byte.

    Raises:
        BadNote: it is not one.
    """
    try:
        match = _NOTE.fullmatch(raw.decode())
    except UnicodeDecodeError as error:
        raise BadNote("not UTF-8") from error
    if match is None:
        raise BadNote("not a note of a THUNES audit trail")
    return _note(match, raw)


def find_notes(text: str) -> list[Note]:
    """The notes in a text that was pasted from wherever they were sent: indented, quoted, with other text around."""
    plain = "\n".join(re.sub(r"^[ \t>|]+", "", line).rstrip() for line in text.splitlines()) + "\n"
    return [_note(match, match[0].encode()) for match in _NOTE.finditer(plain)]


def _note(match: re.Match[str], raw: bytes) -> Note:
    blob = base64.b64decode(match["signature"])
    checkpoint = Checkpoint(
        origin=match["origin"],
        segment=int(match["segment"]),
        seq=int(match["seq"]),
        length=int(match["length"]),
        sha256=base64.b64decode(match["sha256"]),
        previous=base64.b64decode(match["previous"]),
        at=match["at"],
    )
    if checkpoint.text() != match["text"] or _b64(blob) != match["signature"]:
        raise BadNote("its base64 is not canonical")
    return Note(checkpoint, match["name"], blob[:4], blob[4:], raw)


def _b64(blob: bytes) -> str:
    return base64.b64encode(blob).decode()

"""Notes and public keys as texts: they read back, no byte of them can be another, and what is none is said."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from trail_home import TrailHome

from thunes_cli.audit.checkpoint_file import DamagedNotes, read_notes
from thunes_cli.audit.notes import (
    MAX_NOTE,
    NO_NOTE,
    BadNote,
    Checkpoint,
    PublicKey,
    SigningKey,
    find_notes,
    parse_note,
    parse_public_key,
)

_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = SigningKey(PublicKey("thunes.audit/abcdef", _PRIVATE.public_key().public_bytes_raw()), _PRIVATE)


@given(
    st.integers(1, 999_999),
    st.integers(1, 9_999_999_999),
    st.integers(1, 99_999_999_999),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
)
def test_notes_read_back(segment: int, seq: int, length: int, digest: bytes, previous: bytes) -> None:
    """Whatever a checkpoint says, its note is at most 300 bytes and reads back, also out of a message."""
    note = KEY.sign(Checkpoint(KEY.public.name, segment, seq, length, digest, previous, "2026-03-10T12:00:00Z"))

    assert len(note.raw) <= MAX_NOTE
    assert parse_note(note.raw) == note
    assert KEY.public.signed(note)
    assert find_notes("Day 2026-03-10\n  " + note.raw.decode().replace("\n", "\n  ") + "Next: thunes status") == [note]
    assert parse_public_key(str(KEY.public)) == KEY.public


@given(st.integers(0, 290), st.integers(1, 255))
def test_any_other_byte_is_another_note(at: int, xor: int) -> None:
    """No byte of a note can be changed: it does not parse, or is not signed any more."""
    raw = bytearray(
        KEY.sign(Checkpoint(KEY.public.name, 1, 1000, 358945, bytes(32), NO_NOTE, "2026-03-10T12:00:00Z")).raw
    )
    raw[at % len(raw)] ^= xor

    try:
        note = parse_note(bytes(raw))
    except BadNote:
        return
    assert not KEY.public.signed(note)


@pytest.mark.parametrize(
    "text",
    ["", "thunes.audit/abcdef", "a+b+c", "thunes.audit/abcdef+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
)
def test_no_public_keys(text: str) -> None:
    """What is no key, or has another id, is refused."""
    with pytest.raises(BadNote):
        parse_public_key(text)


@pytest.mark.parametrize("line", [2, 3, 6], ids=["hash", "hash of the note before", "signature"])
def test_one_spelling_for_one_note(line: int) -> None:
    """Base64 has bits to spare at its end: who sets them makes another text with the same signature, and no note."""
    raw = KEY.sign(Checkpoint(KEY.public.name, 1, 1000, 358945, bytes(32), NO_NOTE, "2026-03-10T12:00:00Z")).raw
    lines = raw.decode().split("\n")
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    last = lines[line][-2]
    lines[line] = f"{lines[line][:-2]}{alphabet[alphabet.index(last) + 1]}="

    for read in (lambda text: parse_note(text.encode()), find_notes):
        with pytest.raises(BadNote, match="not canonical"):
            read("\n".join(lines))


def test_a_torn_note_is_left_out(home: TrailHome) -> None:
    """A crash within a note: those before it count, and the next one is written over it."""
    data = home.notes.read_bytes()
    home.notes.write_bytes(data + data[:100])
    assert len(list(read_notes(home.notes))) == 4
    assert home.look().valid

    home.record(1)
    home.notary.checkpoint()

    assert len(list(read_notes(home.notes))) == 5
    assert home.look(deep=True).valid


def test_garbage_is_no_note(tmp_path: Path) -> None:
    """A long text without a signature is named, not read to its end."""
    path = tmp_path / "notes"
    path.write_bytes(b"x" * 299 + b"\n" + b"y" * 10_000)

    with pytest.raises(DamagedNotes):
        list(read_notes(path))

"""Checkpoints: when they are due, what they say, and that nothing is signed unseen."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from trail_home import TrailHome, edit, lines_of

from thunes_cli.audit.checkpoint_file import DamagedNotes, read_notes
from thunes_cli.audit.events import Event
from thunes_cli.audit.key import ensure_audit_key
from thunes_cli.audit.notary import Notary
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
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.errors import AuditTampered, ConfigError
from thunes_cli.ledger.outbox import read_head
from thunes_cli.ledger.segments import read_checkpoint

_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = SigningKey(PublicKey("thunes.audit/abcdef", _PRIVATE.public_key().public_bytes_raw()), _PRIVATE)


def events(home: TrailHome) -> list[str]:
    return [line.split(b'"event":"')[1].split(b'"')[0].decode() for line in lines_of(home.trail)]


def test_a_note_says_what_was_signed(tmp_path: Path) -> None:
    """Segment, seq, length and hash of the prefix, in a form that any C2SP tool verifies."""
    home = TrailHome(tmp_path / "home")
    home.record(5)

    made = home.notary.checkpoint()

    assert made is not None
    note = parse_note(made.note.encode())
    prefix = home.trail.read_bytes()[: made.length]
    assert (note.checkpoint.segment, note.checkpoint.seq) == (1, 5)
    assert note.checkpoint.sha256 == hashlib.sha256(prefix).digest()
    assert prefix == b"".join(line + b"\n" for line in lines_of(home.trail)[:5])
    text, _, signature = made.note.rpartition("\n\n— thunes.audit/abcdef ")
    blob = base64.b64decode(signature)
    private = load_pem_private_key((home.path / "audit_key").read_bytes(), None)
    raw = private.public_key().public_bytes_raw()  # type: ignore[union-attr]
    key_id = hashlib.sha256(b"thunes.audit/abcdef\n\x01" + raw).digest()[:4]
    assert blob[:4] == key_id
    private.public_key().verify(blob[4:], text.encode() + b"\n")  # type: ignore[union-attr,call-arg]
    home.close()


def test_notes_are_chained_and_announced(home: TrailHome) -> None:
    """Each names the hash of the one before; the trail tells of each."""
    notes = [placed.note for placed in read_notes(home.notes)]

    assert notes[0].checkpoint.previous == NO_NOTE
    for before, note in itertools.pairwise(notes):
        assert note.checkpoint.previous == hashlib.sha256(before.raw).digest()
    told = b"".join(path.read_bytes() for path in (home.closed, home.trail))
    for note in notes:
        assert note.hash.hex().encode() in told
        assert len(note.raw) <= MAX_NOTE
    with home.journal.read() as connection:
        row = read_checkpoint(connection)
    assert row is not None
    assert row.note.encode() == notes[-1].raw


def test_due(tmp_path: Path) -> None:
    """At the first record, then after a thousand, or an hour if anything happened; never for its own record."""
    home = TrailHome(tmp_path / "home")
    assert home.notary.checkpoint_if_due() is None
    home.record(1)
    assert home.notary.checkpoint_if_due() is not None
    assert home.notary.checkpoint_if_due() is None
    home.time.pass_by(timedelta(hours=2))
    assert home.notary.checkpoint_if_due() is None

    home.record(1)
    assert home.notary.checkpoint_if_due() is not None
    home.record(998)
    assert home.notary.checkpoint_if_due() is None
    home.record(2)
    assert home.notary.checkpoint_if_due() is not None
    assert events(home).count(Event.CHECKPOINT_SIGNED) == 3
    home.close()


def test_an_edit_is_never_signed(home: TrailHome) -> None:
    """Behind the last checkpoint or before it: found, remembered, entries stopped; not signed over."""
    home.record(3)
    notes = home.notes.read_bytes()
    for index in (5, 21):
        sound = home.trail.read_bytes()
        edit(home.trail, lambda lines, at=index: lines.__setitem__(at, lines[at].replace(b"duplicate", b"forged")))

        with pytest.raises(AuditTampered, match=f"line {index + 1} at byte"):
            home.notary.checkpoint()

        assert home.notes.read_bytes() == notes
        assert home.journal.drain() is DrainOutcome.TAMPERED
        with home.journal.read() as connection:
            assert f"line {index + 1}" in (read_head(connection).tampered or "")
        home.trail.write_bytes(sound)
        assert home.notary.checkpoint_if_due() is not None or home.notary.checkpoint() is None
        assert home.journal.drain() is DrainOutcome.CLEAN
        home.record(3)
        notes = home.notes.read_bytes()


def test_records_go_on_behind_an_edit(home: TrailHome) -> None:
    """What is recorded meanwhile is written: evidence is not held back, only entries are."""
    edit(home.trail, lambda lines: lines.__setitem__(5, lines[5].replace(b"duplicate", b"forgedabc")))
    home.record(1)
    with pytest.raises(AuditTampered):
        home.notary.checkpoint()
    before = len(lines_of(home.trail))

    home.record(2)

    assert len(lines_of(home.trail)) == before + 2


def test_a_failure_is_not_repeated_at_once(home: TrailHome) -> None:
    """A damaged trail of 64 MiB is not read again with every beat of the daemon."""
    home.record(2000)
    edit(home.trail, lambda lines: lines.__setitem__(5, lines[5].replace(b"duplicate", b"forgedabc")))
    with pytest.raises(AuditTampered):
        home.notary.checkpoint_if_due()

    assert home.notary.checkpoint_if_due() is None
    home.time.pass_by(timedelta(minutes=2))
    with pytest.raises(AuditTampered):
        home.notary.checkpoint_if_due()


@pytest.mark.parametrize("kind", ["deleted", "cut", "edited"])
def test_checkpoints_are_not_started_anew(home: TrailHome, kind: str) -> None:
    """A file of checkpoints that does not end with the last one is told, and left as it is."""
    data = home.notes.read_bytes()
    if kind == "deleted":
        home.notes.unlink()
    else:
        home.notes.write_bytes(data[:-300] if kind == "cut" else data.replace(b"seq 40", b"seq 41"))
    before = home.notes.read_bytes() if home.notes.exists() else None

    with pytest.raises(AuditTampered, match=r"audit_trail\.jsonl\.ckpt"):
        home.notary.checkpoint()

    assert (home.notes.read_bytes() if home.notes.exists() else None) == before


def test_two_notaries(home: TrailHome) -> None:
    """Daemon and command line sign the same trail in turn; each goes on from the other's note."""
    other = Notary(home.journal)
    home.record(1)
    assert home.notary.checkpoint() is not None
    home.record(1)
    assert other.checkpoint() is not None
    home.record(1)
    assert home.notary.checkpoint() is not None

    assert home.look(deep=True).valid


# -- keys ------------------------------------------------------------------------------------------------------------


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """0600, the same ever after, its public half beside it."""
    first = ensure_audit_key(tmp_path, instance="abcdef")
    again = ensure_audit_key(tmp_path, instance="abcdef")

    assert first.public == again.public
    assert (tmp_path / "audit_key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit_key.pub").read_text() == f"{first.public}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit_key", "audit_key.pub"]
    assert "private" not in repr(first)


def test_a_lost_key_is_replaced_openly(home: TrailHome) -> None:
    """A new key is named on the trail; what the old one signed stays verifiable with the old one."""
    old = home.keys
    (home.path / "audit_key").unlink()
    home.record(1)

    Notary(home.journal).checkpoint()

    assert home.keys[:1] == old
    assert len(home.keys) == 2
    assert events(home).count(Event.AUDIT_KEY_IN_USE) == 1
    assert home.look(deep=True).valid
    assert home.look(keys=home.keys[:1]).first_bad is not None


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_no_key(tmp_path: Path, content: bytes) -> None:
    """A file that is no key is left alone and said so."""
    path = tmp_path / "audit_key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="audit_key"):
        ensure_audit_key(tmp_path, instance="abcdef")

    assert path.read_bytes() == content


# -- the form --------------------------------------------------------------------------------------------------------


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


def test_the_file_of_checkpoints_is_private(home: TrailHome) -> None:
    """As the trail itself."""
    assert home.notes.stat().st_mode & 0o777 == 0o600
    assert home.notes.stat().st_uid == os.getuid()

"""Checkpoints: when they are due, what they say, and that nothing is signed unseen."""

from __future__ import annotations

import base64
import errno
import functools
import hashlib
import itertools
import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from trail_home import TrailHome, edit, lines_of

from thunes_cli.audit.checkpoint_file import read_notes
from thunes_cli.audit.events import Event
from thunes_cli.audit.lock import trail_lock
from thunes_cli.audit.notary import Notary
from thunes_cli.audit.notes import MAX_NOTE, NO_NOTE, parse_note
from thunes_cli.audit.rotation import rotate
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.errors import AuditTampered, Unavailable
from thunes_cli.ledger.outbox import Head, read_head
from thunes_cli.ledger.segments import CheckpointRow, read_checkpoint


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


def test_the_file_of_checkpoints_is_private(home: TrailHome) -> None:
    """As the trail itself."""
    assert home.notes.stat().st_mode & 0o777 == 0o600
    assert home.notes.stat().st_uid == os.getuid()


# -- beside others ---------------------------------------------------------------------------------------------------


class Overtaken(Notary):
    """Something happens after the ledger was read, before the file is looked at; once."""

    def __init__(self, home: TrailHome, happens: Callable[[], object]) -> None:
        super().__init__(home.journal)
        self._happens: Callable[[], object] | None = happens

    def _verify(self, head: Head, last: CheckpointRow | None) -> bytes | None:
        if self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        return super()._verify(head, last)


def tampered(home: TrailHome) -> str | None:
    with home.journal.read() as connection:
        return read_head(connection).tampered


def test_a_rotation_under_its_eyes(home: TrailHome) -> None:
    """What was looked for is another file by now: nobody is accused, and the new segment is signed."""
    made = Overtaken(home, lambda: rotate(home.journal, why="operator")).checkpoint()

    assert made is not None
    assert made.segment == 3
    assert tampered(home) is None
    assert home.look(deep=True).valid


def test_a_rotation_that_got_half_way(home: TrailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has its number and there is no next one yet: that it is gone is no accusation either."""

    def stumble() -> None:
        with monkeypatch.context() as disk, pytest.raises(Unavailable, match="Input/output error"):
            disk.setattr("thunes_cli.audit.trail._sync_directory", fail)
            rotate(home.journal, why="operator")
        assert not home.trail.exists()

    def fail(_: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    assert Overtaken(home, stumble).checkpoint() is None
    assert tampered(home) is None

    made = home.notary.checkpoint()
    assert made is not None
    assert (made.segment, home.look(deep=True).valid) == (3, True)


def test_a_trail_found_sound_again_with_nothing_to_sign(home: TrailHome) -> None:
    """Who looked late accused it after all was signed: a later look takes that back and signs nothing twice."""
    home.record(1)
    sound = b""

    def sign_and_spoil() -> None:
        nonlocal sound
        assert home.notary.checkpoint() is not None
        sound = home.trail.read_bytes()
        edit(home.trail, lambda lines: lines.__setitem__(5, lines[5].replace(b"duplicate", b"forgedabc")))

    with pytest.raises(AuditTampered):
        Overtaken(home, sign_and_spoil).checkpoint()
    assert tampered(home) is not None
    home.trail.write_bytes(sound)
    notes = home.notes.read_bytes()

    assert home.notary.checkpoint() is None

    assert tampered(home) is None
    assert home.notes.read_bytes() == notes


def test_another_process_signs_first(home: TrailHome) -> None:
    """What both looked at is signed once, and the notes go on from the one that was written."""
    home.record(1)

    assert Overtaken(home, home.notary.checkpoint).checkpoint() is None

    assert len(list(read_notes(home.notes))) == 5
    assert home.look(deep=True).valid


def test_somebody_writes_without_end(home: TrailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is signed beside him, and he is named as the reason."""
    monkeypatch.setattr("thunes_cli.audit.notary.trail_lock", functools.partial(trail_lock, wait_seconds=0))
    notes = home.notes.read_bytes()
    with ExitStack() as held, pytest.raises(Unavailable, match="is being written by another process"):
        Overtaken(home, lambda: held.enter_context(trail_lock(home.trail))).checkpoint()

    assert home.notes.read_bytes() == notes


def test_no_place_for_checkpoints(tmp_path: Path) -> None:
    """A directory of their file's name: could not be done is not: was tampered with."""
    home = TrailHome(tmp_path / "home")
    home.record(1)
    home.notes.mkdir()

    with pytest.raises(Unavailable, match=r"audit_trail\.jsonl\.ckpt: Is a directory"):
        home.notary.checkpoint()

    assert tampered(home) is None
    home.close()


def test_a_key_that_cannot_be_read(tmp_path: Path) -> None:
    """One line with the file and the reason; nothing is signed."""
    home = TrailHome(tmp_path / "home")
    home.record(1)
    (home.path / "audit_key").mkdir(mode=0o700)

    with pytest.raises(Unavailable, match=r"the audit key cannot be had: Is a directory \(.*audit_key\)"):
        home.notary.checkpoint()

    assert not home.notes.exists()
    home.close()

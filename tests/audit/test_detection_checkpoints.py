"""The detection table: checkpoints that were deleted, edited or forged, foreign keys, older copies."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from forgeries import CHAIN, DEEP, FAST, MODES, rewrite_chain
from trail_home import TrailHome, edit

from thunes_cli.audit.checkpoint_file import read_notes
from thunes_cli.audit.key import ensure_audit_key
from thunes_cli.audit.notes import NO_NOTE, Checkpoint, PublicKey, SigningKey, find_notes
from thunes_cli.audit.report import Mode
from thunes_cli.counts import count


@MODES
def test_checkpoints_deleted(home: TrailHome, how: dict[str, Any]) -> None:
    """The trail tells of its checkpoints: without their file a home's trail is not whole."""
    home.notes.unlink()

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.notes
    assert "missing: 4 signed checkpoints" in bad.fault.problem


@pytest.mark.parametrize("keep", [1, 3], ids=["one left", "three left"])
def test_last_checkpoints_deleted(home: TrailHome, keep: int) -> None:
    """Some of them gone from the end: the same."""
    notes = [placed.note.raw for placed in read_notes(home.notes)]
    home.notes.write_bytes(b"".join(raw + b"\n" for raw in notes[:keep]))

    bad = home.look().first_bad

    assert bad is not None
    assert f"missing: {count(4 - keep, 'signed checkpoint')}" in bad.fault.problem


@pytest.mark.parametrize("gone", [0, 1], ids=["first", "middle"])
def test_a_checkpoint_left_out(home: TrailHome, gone: int) -> None:
    """Each note names the one before."""
    notes = [placed.note.raw for placed in read_notes(home.notes)]
    del notes[gone]
    home.notes.write_bytes(b"".join(raw + b"\n" for raw in notes))

    bad = home.look().first_bad

    assert bad is not None
    assert bad.file == home.notes
    assert bad.fault.line == 1 + 8 * gone


def test_a_checkpoint_edited(home: TrailHome) -> None:
    """A note whose text was changed does not bear its signature any more."""
    text = home.notes.read_text()
    home.notes.write_text(text.replace("seq 40", "seq 39"))

    bad = home.look(deep=True).first_bad

    assert bad is not None
    assert bad.file == home.notes
    assert "signature" in bad.fault.problem


def test_a_checkpoint_that_says_nothing(home: TrailHome) -> None:
    """What has a signature and no text of ours is no note; it is named by its first line."""
    home.notes.write_text(home.notes.read_text().replace("seq 40", "seq forty"))

    bad = home.look(keys=()).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.notes, 25)
    assert bad.fault.problem == "not a note of a THUNES audit trail"


def test_a_checkpoint_that_covers_no_more(home: TrailHome) -> None:
    """Signed or not, an old claim chained behind a newer one is none: notes only go on."""
    notes = [placed.note for placed in read_notes(home.notes)]
    old = replace(notes[2].checkpoint, previous=notes[3].hash)
    key = ensure_audit_key(home.path, instance="abcdef")
    home.notes.write_bytes(home.notes.read_bytes() + key.sign(old).raw + b"\n")

    for how in (FAST, CHAIN, DEEP):
        bad = home.look(**how).first_bad

        assert bad is not None
        assert (bad.file, bad.fault.line) == (home.notes, 33)
        assert bad.fault.problem == "the note covers no more"
        assert bad.fault.found == f"seq {old.seq}"


def test_garbage_among_checkpoints(home: TrailHome) -> None:
    """What is no note is named."""
    home.notes.write_bytes(b"anything\n" * 60 + home.notes.read_bytes())

    bad = home.look().first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.notes, 1)


def forge_everything(home: TrailHome, *, name: str = "thunes.audit/abcdef") -> SigningKey:
    """Rewrite the open segment with a chain of its own, and sign it with another key, all notes anew."""
    edit(home.trail, rewrite_chain)
    private = Ed25519PrivateKey.generate()
    key = SigningKey(PublicKey(name, private.public_key().public_bytes_raw()), private)
    previous, made = NO_NOTE, b""
    for placed in list(read_notes(home.notes)):
        old = placed.note.checkpoint
        file = home.closed if old.segment == 1 else home.trail
        data = file.read_bytes()
        length = len(b"\n".join(data.split(b"\n")[: old.seq - (0 if old.segment == 1 else 23)])) + 1
        digest = hashlib.sha256(data[:length]).digest()
        note = key.sign(Checkpoint(name, old.segment, old.seq, length, digest, previous, old.at))
        previous, made = note.hash, made + note.raw + b"\n"
    home.notes.write_bytes(made)
    return key


@pytest.mark.parametrize("how", [FAST, DEEP], ids=["fast", "deep"])
def test_foreign_key(home: TrailHome, how: dict[str, Any]) -> None:
    """Everything rewritten and signed anew by somebody else: the public key tells them apart."""
    forge_everything(home)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.notes
    assert "foreign key" in bad.fault.problem


def test_foreign_key_in_a_bare_copy(home: TrailHome) -> None:
    """Even without a public key: the trail itself names the one that signs."""
    forge_everything(home)

    bad = home.look(whole=False, keys=()).first_bad

    assert bad is not None
    assert bad.file == home.notes


def test_foreign_key_takes_everything(home: TrailHome) -> None:
    """Who also replaces the public key beside the trail is only caught with the one that was kept elsewhere."""
    kept = home.keys
    key = forge_everything(home)

    assert home.look(keys=(key.public,)).valid
    assert home.look(keys=kept).first_bad is not None


@pytest.mark.parametrize("how", [FAST, CHAIN, DEEP], ids=["fast", "chain", "deep"])
def test_older_consistent_copy(home: TrailHome, tmp_path: Path, how: dict[str, Any]) -> None:
    """Everything rolled back, key and ledger included: nothing in it is wrong. The anchor kept elsewhere shows it."""
    older = tmp_path / "older"
    shutil.copytree(home.path, older)
    home.record(10)
    home.notary.checkpoint()
    anchor = find_notes(f"Daily summary\n{home.anchor}Next: thunes status\n")
    view = home.ledger_view()
    shutil.rmtree(home.path)
    shutil.copytree(older, home.path)

    assert home.look(**how).valid
    bad = home.look(**how, anchors=tuple(anchor)).first_bad
    assert bad is not None
    assert "the trail is cut off: the anchor of 2026-03-10T12:00:05Z knows of record" in bad.fault.problem
    assert home.look(**how, ledger=view).first_bad is not None


def test_anchor_of_what_is_there(home: TrailHome) -> None:
    """An anchor that fits says so; a forged one is somebody else's."""
    (anchor,) = find_notes("> " + home.anchor.replace("\n", "\r\n> "))
    report = home.look(anchors=(anchor,))

    assert report.valid
    assert report.anchors == 1
    stranger = Ed25519PrivateKey.generate()
    other = SigningKey(PublicKey(anchor.signer, stranger.public_key().public_bytes_raw()), stranger)
    forged = other.sign(anchor.checkpoint)
    assert home.look(anchors=(forged,)).first_bad is not None


def test_anchor_catches_a_rewritten_history(home: TrailHome) -> None:
    """With the key stolen everything can be signed anew; the anchor is what was signed then."""
    anchor = tuple(find_notes(home.anchor))
    key = forge_everything(home)

    assert home.look(keys=(key.public,)).valid
    assert home.look(keys=(), whole=False, anchors=anchor).first_bad is not None


def test_sound_trail(home: TrailHome) -> None:
    """Nothing is found where nothing was done, and fast mode trusts the checkpoints."""
    view = home.ledger_view()

    for how, mode in ((FAST, Mode.FAST), (CHAIN, Mode.CHAIN), (DEEP, Mode.DEEP)):
        report = home.look(**how, ledger=view)
        assert report.valid
        assert report.mode is mode
        assert (report.records, report.segments, report.checkpoints) == (46, 2, 4)
        assert (report.first_seq, report.last_seq) == (1, 46)
        assert not report.remarks

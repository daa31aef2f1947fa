"""The detection table: what a forger may do to a trail, and where each validation finds it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from trail_home import TrailHome, edit, lines_of, rechain, write_lines

from thunes_cli.audit.checkpoint_file import read_notes
from thunes_cli.audit.notes import NO_NOTE, Checkpoint, PublicKey, SigningKey, find_notes
from thunes_cli.audit.report import Mode
from thunes_cli.audit.trail import DrainOutcome

FAST: dict[str, Any] = {}
CHAIN: dict[str, Any] = {"keys": ()}
DEEP: dict[str, Any] = {"deep": True}
MODES = pytest.mark.parametrize("how", [FAST, CHAIN, DEEP], ids=["fast", "chain", "deep"])


class Forgery(NamedTuple):
    """What is done to one of the two segments' lines, and the line that must be named (None: the file will do)."""

    change: Callable[[list[bytes]], None]
    line: int | None
    problem: str


def flip_byte(lines: list[bytes]) -> None:
    lines[6] = lines[6].replace(b'"number":', b'"numbep":')


def edit_value(lines: list[bytes]) -> None:
    lines[6] = lines[6].replace(b"duplicate_position", b"kill_switch_active")


def delete_line(lines: list[bytes]) -> None:
    del lines[6]


def insert_line(lines: list[bytes]) -> None:
    record = json.loads(lines[6])
    lines.insert(6, json.dumps(record | {"reason": "forged"}, separators=(",", ":")).encode())


def duplicate_line(lines: list[bytes]) -> None:
    lines.insert(6, lines[6])


def swap_lines(lines: list[bytes]) -> None:
    lines[6], lines[7] = lines[7], lines[6]


def make_crlf(lines: list[bytes]) -> None:
    lines[:] = [line + b"\r" for line in lines]


def crlf_once(lines: list[bytes]) -> None:
    lines[6] += b"\r"


def add_bom(lines: list[bytes]) -> None:
    lines[0] = b"\xef\xbb\xbf" + lines[0]


def double_key(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"reason":"kill_switch_active"}'


def spoil_utf8(lines: list[bytes]) -> None:
    lines[6] = lines[6].replace(b"duplicate", b"duplic\xffte")


def lengthen_line(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"padding":"' + b"x" * 70_000 + b'"}'


def lengthen_beyond_a_block(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"padding":"' + b"x" * 600_000 + b'"}'


def empty_line(lines: list[bytes]) -> None:
    lines.insert(6, b"")


def two_in_one(lines: list[bytes]) -> None:
    lines[6:8] = [lines[6] + lines[7]]


def nest_deeply(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"


def rewrite_chain(lines: list[bytes]) -> None:
    edit_value(lines)
    rechain(lines, first=7)


FORGERIES = {
    "flipped byte": Forgery(flip_byte, 7, ""),
    "edited value": Forgery(edit_value, 7, "not the record that was written"),
    "deleted line": Forgery(delete_line, 7, "sequence"),
    "inserted line": Forgery(insert_line, 8, "sequence"),
    "duplicated line": Forgery(duplicate_line, 8, "sequence"),
    "swapped lines": Forgery(swap_lines, 7, "sequence"),
    "CRLF": Forgery(make_crlf, 1, "CR LF"),
    "CRLF once": Forgery(crlf_once, 7, "CR LF"),
    "BOM": Forgery(add_bom, 1, "byte order mark"),
    "duplicate JSON key": Forgery(double_key, 7, ""),
    "invalid UTF-8": Forgery(spoil_utf8, 7, "UTF-8"),
    "over-long line": Forgery(lengthen_line, 7, "too long"),
    "line longer than a block": Forgery(lengthen_beyond_a_block, 7, "too long"),
    "empty line": Forgery(empty_line, 7, "an empty line"),
    "two records in a line": Forgery(two_in_one, 7, "JSON"),
    "nested deeply": Forgery(nest_deeply, 7, ""),
}
FORGED = pytest.mark.parametrize("name", FORGERIES)


@MODES
@FORGED
def test_forged_under_a_checkpoint(home: TrailHome, name: str, how: dict[str, Any]) -> None:
    """In lines that a signed checkpoint covers: every mode names the file, the line and its first byte."""
    forgery = FORGERIES[name]
    edit(home.closed, forgery.change)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.closed
    assert bad.fault.line == forgery.line
    assert forgery.problem in bad.fault.problem
    assert bad.fault.offset == sum(len(line) + 1 for line in lines_of(home.closed)[: bad.fault.line - 1])


@MODES
@FORGED
def test_forged_without_a_checkpoint(home: TrailHome, name: str, how: dict[str, Any]) -> None:
    """In a trail that was never signed: the chain alone shows it, in a bare copy as well."""
    shutil.rmtree(home.path / "other", ignore_errors=True)
    bare = TrailHome(home.path / "other")
    bare.record(20)
    edit(bare.trail, FORGERIES[name].change)

    report = bare.look(keys=(), whole=False, deep=how.get("deep", False))
    bare.close()

    assert report.first_bad is not None
    assert report.first_bad.file == bare.trail
    assert report.first_bad.fault.line == FORGERIES[name].line


@pytest.mark.parametrize("name", ["duplicate JSON key", "CRLF once", "invalid UTF-8", "over-long line"])
def test_form_matters_even_with_a_sound_chain(home: TrailHome, name: str) -> None:
    """A writer that hashes bad lines faithfully is caught by what a line must be."""
    bare = TrailHome(home.path / "other")
    bare.record(20)
    lines = lines_of(bare.trail)
    FORGERIES[name].change(lines)
    for index in range(7, 20):
        digest = hashlib.sha256(lines[index - 1] + b"\n").hexdigest().encode()
        lines[index] = lines[index].replace(json.loads(lines[index])["prev"].encode(), digest)
    write_lines(bare.trail, lines)

    bad = bare.look(keys=(), deep=True).first_bad
    bare.close()

    assert bad is not None
    assert (bad.file, bad.fault.line) == (bare.trail, 7)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":7,', b'"seq": 7,'),
        (b'"number":6', b'"number":6.5'),
        (b'"number":6', b'"number":6e0'),
        (b'"number":6', b'"number":[6]'),
        (b'"number":6', b'"number":-0'),
        (b'"number":6', b'"number":1e5'),
        (b'"number":6', b'"number":1.0'),
        (b'"number":6', b'"number":NaN'),
        (b'"number":6', b'"number":' + b"9" * 5000),
        (b'"seq":7,', b'"seq":7,"seq":7,'),
        (b'"seq":7,', b'"seq":7.0,'),
        (b"duplicate_position", rb"\ud83d\ude00"),
        (b"duplicate_position", rb"\ud83d"),
        (b"duplicate_position", rb"\/"),
        (b"}", b"} "),
        (b'{"v"', b' {"v"'),
        (b"}", b"}\0"),
        (b'"v":1,"seq":7,', b'"seq":7,"v":1,'),
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v":2'),
        (b"2026-03-10T12:00:00.000Z", b"2026-03-10T12:00:00.000000Z"),
        (b"2026-03-10T12:00:00.000Z", b"2026-13-10T12:00:00.000Z"),
        (b"TRADE_REJECTED", b"trade rejected"),
        (b"duplicate_position", rb"\u0064uplicate_position"),
        (b'"reason":"duplicate_position",', b""),
    ],
    ids=[
        *("space", "float", "exponent", "nested", "minus zero", "1e5", "1.0", "NaN", "huge", "seq twice", "seq float"),
        *("escaped pair", "half a pair", "escaped slash", "space behind", "space before", "NUL behind"),
        *("order", "true", "version", "micros", "month", "name", "escape", "ok"),
    ],
)
def test_canonical_form(home: TrailHome, old: bytes, new: bytes) -> None:
    """One spelling for one record: deep finds any other, in an otherwise sound chain; other facts are nobody's lie."""
    bare = TrailHome(home.path / "other")
    bare.record(20)
    lines = lines_of(bare.trail)
    lines[6] = lines[6].replace(old, new)
    for index in range(7, 20):
        digest = hashlib.sha256(lines[index - 1] + b"\n").hexdigest().encode()
        lines[index] = lines[index].replace(json.loads(lines[index])["prev"].encode(), digest)
    write_lines(bare.trail, lines)

    report = bare.look(keys=(), deep=True)
    bare.close()

    assert report.valid is (new == b"")
    if report.first_bad is not None:
        assert report.first_bad.fault.line == 7


@MODES
def test_truncated_at_a_line(home: TrailHome, how: dict[str, Any]) -> None:
    """Cut below a checkpoint: the checkpoint knows of more. Cut behind the last one: the ledger does."""
    edit(home.trail, lambda lines: lines.__delitem__(slice(10, None)))

    bad = home.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.trail, 11)
    assert "cut off" in bad.fault.problem


def test_truncated_behind_the_last_checkpoint(home: TrailHome) -> None:
    """Only the ledger, or an anchor, knows of records that no checkpoint covers."""
    view = home.ledger_view()
    edit(home.trail, lambda lines: lines.__delitem__(slice(-2, None)))

    assert home.look().valid
    bad = home.look(ledger=view).first_bad

    assert bad is not None
    assert bad.fault.line == 22
    assert "the ledger knows of record 46" in bad.fault.problem


@MODES
def test_truncated_within_a_line(home: TrailHome, how: dict[str, Any]) -> None:
    """Half a line at the end: below a checkpoint, or below what the ledger knows, it is a cut."""
    data = home.trail.read_bytes()
    home.trail.write_bytes(data[: data.index(b'"seq":33') + 30])

    bad = home.look(**how).first_bad

    assert bad is not None
    assert (bad.file, bad.fault.line) == (home.trail, 10)
    assert home.look(keys=(), ledger=home.ledger_view()).first_bad is not None


def test_truncated_within_the_last_line(home: TrailHome) -> None:
    """Alone it may be a crash: told, not accused. The ledger knows better."""
    view = home.ledger_view()
    home.trail.write_bytes(home.trail.read_bytes()[:-10])

    report = home.look()

    assert report.valid
    assert report.torn_bytes > 100
    assert [remark.code for remark in report.remarks if remark.attention] == ["torn_tail"]
    assert home.look(ledger=view).first_bad is not None


@MODES
def test_dropped_segment(home: TrailHome, how: dict[str, Any]) -> None:
    """A home's trail begins with its first segment."""
    home.closed.unlink()

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.closed
    assert "missing" in bad.fault.problem


def test_dropped_open_segment(home: TrailHome) -> None:
    """Without the newest segment the rest is consistent; checkpoints and ledger know of it."""
    view = home.ledger_view()
    home.trail.unlink()

    bad = home.look().first_bad
    unsigned = home.look(keys=(), ledger=view).first_bad

    assert bad is not None
    assert "cut off" in bad.fault.problem
    assert unsigned is not None


def test_dropped_segment_in_the_middle(home: TrailHome) -> None:
    """A gap shows in any copy."""
    home.notary.rotate(why="operator")
    home.record(3)
    (home.path / "audit_trail-000002.jsonl").unlink()

    bad = home.look(whole=False, keys=()).first_bad

    assert bad is not None
    assert bad.file.name == "audit_trail-000002.jsonl"


@MODES
def test_swapped_segments(home: TrailHome, how: dict[str, Any]) -> None:
    """A segment says which one it is."""
    home.notary.rotate(why="operator")
    second, aside = home.path / "audit_trail-000002.jsonl", home.path / "aside"
    home.closed.rename(aside)
    second.rename(home.closed)
    aside.rename(second)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.closed


@MODES
def test_tail_rewritten_with_a_recomputed_chain(home: TrailHome, how: dict[str, Any]) -> None:
    """A consistent forgery of what a checkpoint covers: its hash is another."""
    edit(home.trail, rewrite_chain)

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.trail
    assert "are not those that checkpoint" in bad.fault.problem


def test_tail_rewritten_behind_the_last_checkpoint(home: TrailHome) -> None:
    """Behind the last checkpoint the ledger's hash of the last line, or a later anchor, shows it."""
    view = home.ledger_view()

    def forge(lines: list[bytes]) -> None:
        lines[20] = lines[20].replace(b"duplicate_position", b"kill_switch_active")
        rechain(lines, first=21)

    edit(home.trail, forge)

    assert home.look().valid
    bad = home.look(ledger=view).first_bad
    assert bad is not None
    assert "are not those that the ledger knows" in bad.fault.problem


@MODES
def test_last_line_edited_then_appended_to(home: TrailHome, how: dict[str, Any]) -> None:
    """The writer itself notices first and writes nothing; had it gone on, the next record would tell."""
    sound = home.trail.read_bytes()
    edit(home.trail, lambda lines: lines.__setitem__(-1, lines[-1].replace(b"duplicate_position", b"forged")))
    forged = home.trail.read_bytes()
    home.record(1)

    assert home.journal.drain() is DrainOutcome.TAMPERED
    assert home.trail.read_bytes() == forged

    home.trail.write_bytes(sound)
    assert home.journal.drain() is DrainOutcome.CLEAN
    edit(home.trail, lambda lines: lines.__setitem__(-2, lines[-2].replace(b"duplicate_position", b"forged")))
    bad = home.look(**how).first_bad
    assert bad is not None
    assert bad.fault.line == 23


@MODES
def test_checkpoints_deleted(home: TrailHome, how: dict[str, Any]) -> None:
    """The trail tells of its checkpoints: without their file a home's trail is not whole."""
    home.notes.unlink()

    bad = home.look(**how).first_bad

    assert bad is not None
    assert bad.file == home.notes
    assert "4 signed checkpoint(s) are missing" in bad.fault.problem


@pytest.mark.parametrize("keep", [1, 3], ids=["one left", "three left"])
def test_last_checkpoints_deleted(home: TrailHome, keep: int) -> None:
    """Some of them gone from the end: the same."""
    notes = [placed.note.raw for placed in read_notes(home.notes)]
    home.notes.write_bytes(b"".join(raw + b"\n" for raw in notes[:keep]))

    bad = home.look().first_bad

    assert bad is not None
    assert f"{4 - keep} signed checkpoint(s) are missing" in bad.fault.problem


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

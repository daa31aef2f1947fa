"""Reading ``audit_trail.jsonl.ckpt``: notes one after the other, each naming the hash of the one before.

Nothing here holds more than one note: a trail of many years has a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from thunes_cli.audit.chunks import Fault
from thunes_cli.audit.notes import MAX_NOTE, NO_NOTE, BadNote, Note, PublicKey, parse_note

_SIGNATURE = "— ".encode()


@dataclass(frozen=True, slots=True)
class Placed:
    """A note and where it stands: ``line`` counts from 1, ``offset`` is its first byte."""

    note: Note
    line: int
    offset: int


class DamagedNotes(Exception):
    """The file holds something that is no note; ``fault`` says where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.problem)
        self.fault = fault


def read_notes(path: Path) -> Iterator[Placed]:
    """The notes of a file in order; one that was only begun at the end (a crash) is left out.

    Raises:
        DamagedNotes: something else stands there. OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        raw, begins, line_number, offset = b"", (1, 0), 0, 0
        while line := stream.readline(MAX_NOTE + 1):  # a piece, where a line is longer than a note
            line_number += 1
            if not raw:
                begins = (line_number, offset)
            offset += len(line)
            if line == b"\n" and not raw:
                continue
            raw += line
            if line.startswith(_SIGNATURE) and line.endswith(b"\n"):
                yield Placed(_parsed(raw, begins), *begins)
                raw = b""
            elif len(raw) > MAX_NOTE:
                raise DamagedNotes(Fault(*begins, "not a note of a THUNES audit trail"))


def _parsed(raw: bytes, begins: tuple[int, int]) -> Note:
    try:
        return parse_note(raw)
    except BadNote as error:
        raise DamagedNotes(Fault(*begins, str(error))) from error


@dataclass(slots=True)
class Survey:
    """What a first reading of the notes gave: their number, the last one, how far each segment is covered.

    ``fault`` is the first thing that is wrong with them; nothing after it was read.
    """

    count: int = 0
    last: Note | None = None
    covered: dict[int, int] = field(default_factory=dict)
    fault: Fault | None = None


def survey(path: Path, keys: tuple[PublicKey, ...], *, every_signature: bool) -> Survey:
    """Read all notes: that each continues the one before, and that they are signed with one of ``keys``.

    Without keys no signature is looked at. The last signature vouches for all notes before it, whose hashes it covers
    one through the other; ``every_signature`` looks at each all the same.

    Raises:
        OSError: the file cannot be read.
    """
    found = Survey()
    last: Placed | None = None
    try:
        for placed in read_notes(path):
            _check_order(placed, found.last)
            if every_signature and keys:
                _check_signature(placed, keys)
            found.count += 1
            last, found.last = placed, placed.note
            found.covered[placed.note.checkpoint.segment] = placed.note.checkpoint.length
        if last is not None and keys:
            _check_signature(last, keys)
    except DamagedNotes as error:
        found.fault = error.fault
    return found


def _check_order(placed: Placed, before: Note | None) -> None:
    now = placed.note.checkpoint
    previous = NO_NOTE if before is None else before.hash
    if now.previous != previous:
        problem = "the note does not continue the one before" if before else "the first notes are missing"
        raise DamagedNotes(Fault(placed.line, placed.offset, problem, previous.hex(), now.previous.hex()))
    if before is not None and now.seq <= before.checkpoint.seq:
        expected = f"a seq beyond {before.checkpoint.seq}"
        raise DamagedNotes(Fault(placed.line, placed.offset, "the note covers no more", expected, f"seq {now.seq}"))


def _check_signature(placed: Placed, keys: tuple[PublicKey, ...]) -> None:
    fault = signature_fault(placed.note, keys)
    if fault is not None:
        raise DamagedNotes(Fault(placed.line, placed.offset, *fault))


def signature_fault(note: Note, keys: tuple[PublicKey, ...]) -> tuple[str, str, str] | None:
    """Why a note is not signed with one of the keys (problem, expected, found), or None."""
    if any(key.signed(note) for key in keys):
        return None
    named = f"{note.signer}+{note.key_id.hex()}"
    known = " or ".join(f"{key.name}+{key.key_id.hex()}" for key in keys)
    if any(key.name == note.signer and key.key_id == note.key_id for key in keys):
        return "the note's signature does not fit its text", f"a signature of {known}", "another"
    return "the note is signed with a foreign key", known, named

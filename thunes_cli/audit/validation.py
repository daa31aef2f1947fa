"""Validating a trail: read-only, offline, without key, settings or home; a file on its own will do.

What can be shown depends on who stands witness: the chain alone shows edits in the middle, signed checkpoints also a
tail that was rewritten or cut, the home's ledger a missing end, and only an anchor kept elsewhere a roll-back of
everything to an older copy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.checkpoint_file import Survey, signature_fault, survey
from thunes_cli.audit.chunks import Fault, Level, Place
from thunes_cli.audit.heard import Heard
from thunes_cli.audit.notes import Note, PublicKey
from thunes_cli.audit.original import check_original, looks_original
from thunes_cli.audit.report import FirstBad, Mode, Remark, Report, Signatures
from thunes_cli.audit.scan import Order, Scanned, SegmentFile, SegmentScan
from thunes_cli.audit.segments import checkpoint_path, closed_path, closed_segments, trail_of
from thunes_cli.audit.sequence import enter_segment, first_line, open_segments
from thunes_cli.audit.witness import LedgerView, Mark, Marks, checkpoint_marks, note_mark

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Request:
    """What to validate and with whose help.

    ``whole``: it is a home's trail, nothing of it may be missing. ``keys``: public keys that are trusted to have
    signed its checkpoints. ``anchors``: notes that were kept elsewhere, in ``anchor_file``.
    """

    file: Path
    deep: bool = False
    whole: bool = False
    keys: tuple[PublicKey, ...] = ()
    anchors: tuple[Note, ...] = ()
    anchor_file: Path | None = None
    ledger: LedgerView | None = None


def validate(request: Request, progress: Progress | None = None) -> Report:
    """Read a trail once and say whether it is what was written. ``progress`` is told bytes done and bytes in all.

    Raises:
        FileNotFoundError: there is no such file. OSError: a file of it cannot be read.
    """
    return _Validation(request, progress).run()


class _Validation:
    def __init__(self, request: Request, progress: Progress | None) -> None:
        self._request = request
        self._began = time.monotonic()
        self._trail, self._only = trail_of(request.file)
        self._notes_file = checkpoint_path(self._trail)
        self._survey = self._survey_notes()
        self._heard = Heard(self._survey)
        self._remarks: list[Remark] = []
        self._records = self._bytes = self._segments = self._torn = 0
        self._first_seq: int | None = None
        self._last_seq: int | None = None
        self._read = 0
        self._total = sum(_size(path) for _, path in closed_segments(self._trail)) + _size(self._trail)
        self._progress = progress

    # -- what is known before the first byte is read --------------------------------------------------------------

    def _survey_notes(self) -> Survey:
        try:
            return survey(self._notes_file, self._request.keys, every_signature=self._request.deep)
        except FileNotFoundError:
            return Survey()

    @property
    def _trusting(self) -> bool:
        """Whether checkpoints may stand in for links."""
        usable = self._survey.count > 0 and self._survey.fault is None
        return usable and bool(self._request.keys) and not self._request.deep

    def _marks(self) -> Marks:
        notes: Iterator[Mark] = iter(())
        if self._survey.fault is None and self._survey.count:
            notes = checkpoint_marks(self._notes_file, count=self._survey.count)
        anchors = sorted(
            (note_mark(note, f"the anchor of {note.checkpoint.at}") for note in self._request.anchors),
            key=lambda mark: mark.place,
        )
        ledger = [self._request.ledger.mark()] if self._request.ledger is not None else []
        return Marks(notes, anchors, ledger)

    def _is_original(self) -> bool:
        request = self._request
        if self._only or request.keys or request.anchors or request.ledger or self._survey.count:
            return False
        if closed_segments(self._trail) or not self._trail.exists():
            return False
        return looks_original(first_line(self._trail))

    # -- the reading ----------------------------------------------------------------------------------------------

    def run(self) -> Report:
        if self._is_original():
            return self._original()
        marks = self._marks()
        try:
            bad = self._foreign_anchor() or self._segments_in_order(marks) or self._after()
        except FileNotFoundError:
            if marks.next is None:
                raise
            bad = self._unseen(marks, None)
        return self._report(bad)

    def _foreign_anchor(self) -> FirstBad | None:
        for note in self._request.anchors:
            fault = signature_fault(note, self._request.keys) if self._request.keys else None
            if fault is not None:
                return FirstBad(self._request.anchor_file or self._notes_file, Fault(1, 0, *fault))
        return None

    def _segments_in_order(self, marks: Marks) -> FirstBad | None:
        before: tuple[SegmentFile, Scanned] | None = None
        with _closing(open_segments(self._trail, only=self._only)) as files:
            for file in files:
                missing = self._gap(file, before)
                if missing is not None:
                    return missing
                if before is None:
                    marks.skip_before(file.number)
                try:
                    start, bad = enter_segment(file, before)
                    if bad is not None:
                        return bad
                    scanned = SegmentScan(file, marks, self._order(file), start=start).run()
                finally:
                    os.close(file.descriptor)
                self._count(scanned, start)
                if scanned.fault is not None and not self._is_crash_remains(file, scanned, marks):
                    return FirstBad(file.path, scanned.fault)
                before = file, scanned
        return self._unseen(marks, before)

    def _order(self, file: SegmentFile) -> Order:
        level = Level.DEEP if self._request.deep else Level.LINKS
        trusted = self._survey.covered.get(file.number, 0) if self._trusting else 0
        return Order(level, trusted, self._heard.hear, self._advance)

    def _gap(self, file: SegmentFile, before: tuple[SegmentFile, Scanned] | None) -> FirstBad | None:
        last = before[0].number if before is not None else 0
        if self._only is not None or file.number == last + 1:
            return None
        if before is None and not self._request.whole:
            message = f"this trail begins with segment {file.number}; the earlier ones are not here"
            self._remarks.append(Remark("begins_later", message))
            return None
        fault = Fault(1, 0, f"segment {last + 1} is missing", f"segment {last + 1}", f"segment {file.number}")
        return FirstBad(closed_path(self._trail, last + 1), fault)

    def _is_crash_remains(self, file: SegmentFile, scanned: Scanned, marks: Marks) -> bool:
        """Bytes behind all that any witness knows are no records: the next write sets them aside."""
        ledger = self._request.ledger
        if ledger is None or file.number != ledger.segment or scanned.known < ledger.length or marks.next is not None:
            return False
        self._torn = max(0, _size(file.path) - scanned.place.offset)
        return True

    def _unseen(self, marks: Marks, before: tuple[SegmentFile, Scanned] | None) -> FirstBad | None:
        """A witness knows of a later segment than the last one there is."""
        mark = marks.next
        if mark is None or self._only is not None:
            return None
        place = before[1].place if before is not None else Place(0, None)
        problem = f"the trail is cut off: {mark.witness} knows of record {mark.seq} in segment {mark.segment}"
        fault = Fault(
            place.line + 1, place.offset, problem, f"segment {mark.segment}", f"record {place.seq} is the last"
        )
        return FirstBad(before[0].path if before is not None else self._trail, fault)

    def _count(self, scanned: Scanned, start: Place) -> None:
        self._segments += 1
        self._records += scanned.place.line
        self._bytes += scanned.place.offset
        self._torn = scanned.torn
        if scanned.place.line:
            self._first_seq = self._first_seq or start.seq + 1
            self._last_seq = scanned.place.seq

    def _advance(self, count: int) -> None:
        self._read += count
        if self._progress is not None:
            self._progress(self._read, self._total)

    # -- what is left when all bytes are in order --------------------------------------------------------------------

    def _after(self) -> FirstBad | None:
        if self._survey.fault is not None:
            return FirstBad(self._notes_file, self._survey.fault)
        bad = self._missing_notes() or self._self_named()
        if not self._records and not self._torn and not self._request.whole:
            self._remarks.append(Remark("no_record", "there is no record in it, so there is nothing to show"))
        if bad is None and self._torn:
            self._remark_torn()
        return bad

    def _missing_notes(self) -> FirstBad | None:
        fault = self._heard.missing_checkpoints(self._survey_notes)
        if fault is None:
            return None
        if self._request.whole or self._request.keys or self._survey.count:
            return FirstBad(self._notes_file, fault)
        self._remarks.append(Remark("checkpoints_absent", fault.problem, f"bring {self._notes_file.name} along"))
        return None

    def _self_named(self) -> FirstBad | None:
        """Without a key from outside, the checkpoints must at least be signed with the one that the trail names."""
        if self._request.keys or not self._survey.count:
            return None
        fault = self._heard.disowned_checkpoint(self._notes_file, every_signature=self._request.deep)
        return None if fault is None else FirstBad(self._notes_file, fault)

    def _remark_torn(self) -> None:
        sure = self._request.ledger is not None
        message = f"the last {self._torn} bytes are no whole line: " + (
            "an interrupted write, which the next one sets aside" if sure else "an interrupted write, or a cut"
        )
        hint = "" if sure else "validate it in its home, where the ledger knows its length"
        self._remarks.append(Remark("torn_tail", message, hint, attention=not sure))

    # -- the answer ------------------------------------------------------------------------------------------------

    def _original(self) -> Report:
        descriptor = os.open(self._trail, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._records, self._bytes, self._torn, fault = check_original(descriptor, deep=self._request.deep)
        finally:
            os.close(descriptor)
        self._segments = 1
        message = "a file of the original system has no chain: what was edited or left out cannot show"
        self._remarks.append(Remark("no_chain", message, attention=False))
        if self._torn:
            self._remark_torn()
        return self._report(None if fault is None else FirstBad(self._trail, fault), mode=Mode.ORIGINAL)

    def _report(self, bad: FirstBad | None, *, mode: Mode | None = None) -> Report:
        if mode is None:
            mode = Mode.DEEP if self._request.deep else Mode.FAST if self._trusting else Mode.CHAIN
        return Report(
            mode=mode,
            records=self._records,
            bytes=self._bytes,
            segments=self._segments,
            checkpoints=self._survey.count,
            anchors=len(self._request.anchors),
            signatures=self._signatures(),
            first_seq=self._first_seq,
            last_seq=self._last_seq,
            torn_bytes=self._torn,
            elapsed_s=time.monotonic() - self._began,
            first_bad=bad,
            remarks=tuple(self._remarks),
        )

    def _signatures(self) -> Signatures:
        if not self._survey.count:
            return Signatures.NONE
        if self._request.keys:
            return Signatures.VERIFIED
        return Signatures.SELF_NAMED if self._heard.keys else Signatures.UNVERIFIED


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _closing(files: Iterator[SegmentFile]) -> Iterator[Iterator[SegmentFile]]:
    try:
        yield files
    finally:
        files.close()  # type: ignore[attr-defined]  # a generator

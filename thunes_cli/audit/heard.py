"""What a trail's own records tell about it: the keys that sign its checkpoints, and checkpoints that were made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from thunes_cli.audit.checkpoint_file import Survey, survey
from thunes_cli.audit.chunks import Fault
from thunes_cli.audit.events import Event
from thunes_cli.audit.lines import Record
from thunes_cli.audit.notes import BadNote, PublicKey, parse_public_key
from thunes_cli.counts import count


class Heard:
    """Listens to the records as they are read. ``found`` is what the file of checkpoints held before."""

    def __init__(self, found: Survey) -> None:
        self._found = found.last.checkpoint.seq if found.last is not None else None
        self._missing = 0
        self._first_missing: Record | None = None
        self._newest_seq = 0
        self.keys: list[PublicKey] = []

    def hear(self, record: Record) -> None:
        """Remember what this record tells, if it tells of the trail."""
        if record["event"] == Event.AUDIT_KEY_IN_USE:
            try:
                key = parse_public_key(str(record.get("public_key")))
            except BadNote:
                return
            if key not in self.keys:
                self.keys.append(key)
        if record["event"] == Event.CHECKPOINT_SIGNED:
            covered = record.get("covers_seq")
            if isinstance(covered, int) and (self._found is None or covered > self._found):
                self._missing += 1
                self._first_missing = self._first_missing or record
                self._newest_seq = covered

    def missing_checkpoints(self, look_again: Callable[[], Survey]) -> Fault | None:
        """Checkpoints that were made and are not in their file, which is read again: one may be there by now."""
        told = self._first_missing
        if told is None:
            return None
        last = look_again().last
        if last is not None and last.checkpoint.seq >= self._newest_seq:
            return None
        problem = f"missing: {count(self._missing, 'signed checkpoint')}, the first told of by record {told['seq']}"
        return Fault(1, 0, problem, str(told.get("note_sha256")), "nothing")

    def disowned_checkpoint(self, file: Path, *, every_signature: bool) -> Fault | None:
        """A checkpoint that none of the keys signed which the trail names; None also when it names none."""
        return survey(file, tuple(self.keys), every_signature=every_signature).fault if self.keys else None

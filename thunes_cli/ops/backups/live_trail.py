"""Does the trail that is there go on where the backup's ended? Then it is kept, with all that happened since."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.checkpoint_file import read_notes
from thunes_cli.audit.events import Event
from thunes_cli.audit.record import line_hash
from thunes_cli.audit.segments import PUBLIC_KEY, checkpoint_path, closed_path, closed_segments
from thunes_cli.audit.validation import Request, validate
from thunes_cli.clock import from_text
from thunes_cli.config.home import TRAIL
from thunes_cli.ledger.restoring import LiveEnd
from thunes_cli.ledger.segments import CheckpointRow, Segment
from thunes_cli.ops.backups.manifest import Manifest
from thunes_cli.ops.backups.verify import public_keys

_CHUNK = 1 << 20
_RESTORED = f'"{Event.RESTORED}"'.encode()


@dataclass(frozen=True, slots=True)
class LiveTrail:
    """A sound trail that extends the backup's; ``files`` are all of it.

    ``epochs`` are those that restores drew since, by its records: the ledger that knew them may be lost.
    """

    end: LiveEnd
    closed: tuple[Segment, ...]
    checkpoint: CheckpointRow | None
    files: tuple[Path, ...]
    epochs: frozenset[str]


def find_live_trail(home: Path, manifest: Manifest) -> LiveTrail | None:
    """The trail of a home, if it is sound and begins with every byte of the backup's; else None."""
    trail = home / TRAIL
    if not trail.is_file() or not _begins_with(trail, manifest):
        return None
    try:
        report = validate(Request(trail, whole=True, keys=public_keys(home / PUBLIC_KEY)))
        if not report.valid or report.last_seq is None or report.last_seq < manifest.trail.seq:
            return None
        return _read(trail, torn=report.torn_bytes)
    except (OSError, ValueError, KeyError):
        return None


def _begins_with(trail: Path, manifest: Manifest) -> bool:
    hashes = {member.name: member for member in manifest.members}
    for name, member in hashes.items():
        if not name.startswith("audit_trail") or name.endswith(".ckpt"):
            continue
        path = trail.with_name(name)
        if name == trail.name and closed_path(trail, manifest.trail.segment).exists():
            path = closed_path(trail, manifest.trail.segment)
        if not path.is_file() or _sha256(path, member.bytes) != member.sha256:
            return False
    return True


def _sha256(path: Path, length: int) -> str:
    digest, left = hashlib.sha256(), length
    with path.open("rb") as stream:
        while left and (chunk := stream.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return "" if left else digest.hexdigest()


def _read(trail: Path, *, torn: int) -> LiveTrail:
    closed = tuple(_segment(number, path) for number, path in closed_segments(trail))
    number = closed[-1].number + 1 if closed else 1
    length = trail.stat().st_size - torn
    line = _last_line(trail, length)
    end = LiveEnd(number, length, int(json.loads(line)["seq"]), line_hash(line), len(line))
    notes = checkpoint_path(trail)
    records = [path for _, path in closed_segments(trail)] + [trail]
    files = (*records, notes) if notes.exists() else tuple(records)
    return LiveTrail(end, closed, _last_checkpoint(trail, end), files, frozenset(_drawn_epochs(records)))


def _drawn_epochs(files: Sequence[Path]) -> Iterator[str]:
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                if _RESTORED in line and (record := json.loads(line))["event"] == Event.RESTORED:
                    yield str(record["epoch"])


def _segment(number: int, path: Path) -> Segment:
    length = path.stat().st_size
    line = _last_line(path, length)
    return Segment(
        number=number,
        last_seq=int(json.loads(line)["seq"]),
        last_hash=line_hash(line),
        last_bytes=len(line),
        length=length,
        sha256=_sha256(path, length),
    )


def _last_line(path: Path, length: int) -> bytes:
    """The line that ends at ``length``, with its newline."""
    with path.open("rb") as stream:
        begin = length
        tail = b""
        while begin > 0 and tail.count(b"\n", 0, len(tail) - 1) < 1:
            step = min(_CHUNK, begin)
            begin -= step
            stream.seek(begin)
            tail = stream.read(step) + tail
    if not tail.endswith(b"\n"):
        raise ValueError("the trail does not end with a whole line")
    return tail[tail.rfind(b"\n", 0, len(tail) - 1) + 1 :]


def _last_checkpoint(trail: Path, end: LiveEnd) -> CheckpointRow | None:
    path = checkpoint_path(trail)
    if not path.exists():
        return None
    notes = deque(read_notes(path), maxlen=1)
    if not notes:
        return None
    last = notes[0]
    checkpoint, raw = last.note.checkpoint, last.note.raw
    segment = trail if checkpoint.segment == end.segment else closed_path(trail, checkpoint.segment)
    return CheckpointRow(
        segment=checkpoint.segment,
        seq=checkpoint.seq,
        length=checkpoint.length,
        sha256=checkpoint.sha256.hex(),
        line_hash=line_hash(_last_line(segment, checkpoint.length)),
        note=raw.decode(),
        announced_seq=checkpoint.seq,
        file_length=last.offset + len(raw) + 1,
        at_wall=from_text(checkpoint.at.replace("Z", ".000Z")),
    )

"""A home whose trail has two segments, checkpoints and a tail; and a forger's tools."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from manual_time import NOON, ManualTime

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.notary import Notary
from thunes_cli.audit.notes import PublicKey
from thunes_cli.audit.public_keys import read_public_keys
from thunes_cli.audit.record import FIRST_PREV, line_hash, make_line
from thunes_cli.audit.report import Report
from thunes_cli.audit.validation import Request, validate
from thunes_cli.audit.witness import LedgerView
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.outbox import read_head
from thunes_cli.ledger.schema import create_ledger

Record = dict[str, Any]


class TrailHome:
    """A home that only has a trail; ``open`` and ``closed`` are its files' names."""

    def __init__(self, path: Path, time: ManualTime | None = None) -> None:
        self.path = path
        self.time = time or ManualTime()
        path.mkdir(mode=0o700, parents=True)
        create_ledger(path / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=self.time.wall)
        self.trail = path / "audit_trail.jsonl"
        self.closed = path / "audit_trail-000001.jsonl"
        self.notes = path / "audit_trail.jsonl.ckpt"
        self.journal = Journal(Ledger(path / "thunes.db"), self.trail, self.time.clock())
        self.notary = Notary(self.journal)

    def record(self, count: int, **facts: str) -> None:
        """Put records on the trail."""
        with self.journal.change() as change:
            for number in range(count):
                change.record(Event.TRADE_REJECTED, reason="duplicate_position", number=number, **facts)
        self.time.pass_by(timedelta(seconds=1))

    def furnish(self) -> None:
        """Segment 1: 15 records, a checkpoint, 5 records. Segment 2: 15 records, a checkpoint, 5 records."""
        for part in range(2):
            self.record(15)
            self.notary.checkpoint()
            self.record(5)
            if part == 0:
                self.notary.rotate(why="operator")

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The public keys beside the trail; none before the first checkpoint."""
        path = self.path / "audit_key.pub"
        return read_public_keys(path) if path.exists() else ()

    @property
    def anchor(self) -> str:
        """The newest note, as it went out with a message."""
        return self.notes.read_text().rstrip("\n").rpartition("\n\nthunes.audit/")[2].join(["thunes.audit/", "\n"])

    def ledger_view(self) -> LedgerView:
        """What the ledger knows of the trail's end."""
        with self.journal.read() as connection:
            head = read_head(connection)
        return LedgerView(head.segment, head.durable_length, head.durable_seq, head.durable_hash)

    def look(self, **how: Any) -> Report:
        """Validate as the home's owner would: with its public key, nothing may be missing."""
        request = Request(self.trail, whole=True, keys=self.keys)
        return validate(replace(request, **how))

    def copy(self, to: Path) -> Path:
        """The trail's files alone, elsewhere; returns the trail there."""
        to.mkdir()
        for path in self.path.glob("audit_trail*"):
            shutil.copy(path, to)
        return to / self.trail.name

    def close(self) -> None:
        """Close the ledger."""
        self.journal.close()


def lines_of(path: Path) -> list[bytes]:
    """A file's lines."""
    return path.read_bytes().split(b"\n")[:-1]


def write_lines(path: Path, lines: list[bytes]) -> None:
    """A file of these lines."""
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def edit(path: Path, change: Callable[[list[bytes]], None]) -> None:
    """Change a file's lines behind its owner's back."""
    lines = lines_of(path)
    change(lines)
    write_lines(path, lines)


def rechain(lines: list[bytes], *, first: int) -> None:
    """Recompute seq and prev from a line on, as a forger would who knows the format."""
    for index in range(first, len(lines)):
        record: Record = json.loads(lines[index])
        before = json.loads(lines[index - 1])
        record["seq"] = before["seq"] + 1
        record["prev"] = hashlib.sha256(lines[index - 1] + b"\n").hexdigest()
        lines[index] = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def write_trail(path: Path, count: int, *, padding: str = "") -> None:
    """A trail of so many records, a second apart."""
    prev = FIRST_PREV
    with path.open("wb") as stream:
        for seq in range(1, count + 1):
            line = make_line(
                seq=seq,
                prev=prev,
                at=NOON + timedelta(seconds=seq),
                event=Event.TRADE_REJECTED if seq % 3 else Event.TRADE_APPROVED,
                facts={"reason": "cool_down_active" if seq % 2 else None, "padding": padding},
            )
            prev = line_hash(line)
            stream.write(line)

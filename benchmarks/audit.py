"""The audit trail: a million records validated beside ``jq`` and a ``json.loads`` loop, and what one decision costs."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.looking import THUNES
from benchmarks.measure import Case, Cost, measure
from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.notes import NO_NOTE, Checkpoint, PublicKey, SigningKey
from thunes_cli.clock import Clock, to_text, utc_now
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.schema import create_ledger

RECORDS = 1_000_000
_EVERY = 1000
_ROUNDS = 3
_DECISIONS = 400
_LOOP = "import json,sys; any(json.loads(line) is None for line in open(sys.argv[1], 'rb'))"
_NAME = "thunes.audit/bench2"
_NAMES = {
    "jq": "jq -c . >/dev/null",
    "loop": "json.loads loop",
    "fast": "audit validate, checkpoints",
    "chain": "audit validate, no checkpoints",
    "deep": "audit validate --deep",
    "stats": "audit stats",
}
# What one order leaves on the trail, as often as it does.
_TEMPLATES = (
    (
        '"event":"TRADE_REJECTED","symbol":"BTCUSDT","signal_id":"BTCUSDT:rsi:20260501T120000Z:BUY",'
        '"reason":"cool_down_active","quote_amount":"12","counted_result":"-3.25","open_positions":2}\n'
    ),
    (
        '"event":"FILL_BOOKED","symbol":"BTCUSDT","client_order_id":"thk7m2qpx4a-B-17","position":12,"trade_id":283194,'
        '"side":"BUY","price":"40123.45","quantity":"0.0003","quote_quantity":"12.037035","fee":"0.0000003",'
        '"fee_asset":"BTC","traded_at":"2026-05-01T12:00:00.000Z","position_quantity":"0.0002997"}\n'
    ),
    (
        '"event":"ORDER_FINISHED","symbol":"BTCUSDT","side":"BUY","client_order_id":"thk7m2qpx4a-B-17",'
        '"exchange_order_id":28457,"state":"FILLED","executed_qty":"0.0003","executed_quote":"12.037035",'
        '"signal_id":"BTCUSDT:rsi:20260501T120000Z:BUY","position":12,"attempt":null}\n'
    ),
    (
        '"event":"POSITION_CLOSED","symbol":"BTCUSDT","position":12,"entry_price":"40123.45","exit_price":"40500.1",'
        '"pnl":"0.09","fees":"0.02"}\n'
    ),
)


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Lines to print."""
    began = time.perf_counter()
    trail = place / "signed" / "audit_trail.jsonl"
    trail.parent.mkdir()
    write_trail(trail, RECORDS)
    size = trail.stat().st_size
    yield f"{RECORDS:,} records, {size / 2**20:.0f} MiB, made in {time.perf_counter() - began:.1f} s"
    costs = measure(_cases(trail), rounds=_ROUNDS, environ=environ)
    jq, loop = costs.get(_NAMES["jq"]), costs[_NAMES["loop"]]
    if jq is None:
        yield "jq absent: no ratios to it (apt install jq)"
    yield f"{'warm, in turn':34}{'median':>10}{'MiB/s':>8}{'x jq':>8}{'x loop':>8}{'peak':>10}"
    for name, cost in costs.items():
        yield _line(name, cost, size=size, jq=jq, loop=loop)
    shutil.rmtree(trail.parent)
    yield _times("a decision's two records, with fsync", _decide(place / "synced", synced=True))
    yield _times("a decision's two records, without fsync", _decide(place / "unsynced", synced=False))
    yield _times("this disk: 700 bytes appended, fdatasync", _append(place / "appended"))


def _times(label: str, times: list[float]) -> str:
    worst = sorted(times)[int(len(times) * 0.99)]
    return f"{label:42}median {median(times):.2f} ms   99 % {worst:.2f} ms"


def _line(name: str, cost: Cost, *, size: int, jq: Cost | None, loop: Cost) -> str:
    rate = size / 2**20 / (cost.wall_ms / 1000)
    to_jq = "-" if jq is None else f"{jq.wall_ms / cost.wall_ms:.1f}"
    to_loop = f"{loop.wall_ms / cost.wall_ms:.1f}"
    return f"{name:34}{cost.wall_ms:>7.0f} ms{rate:>8.0f}{to_jq:>8}{to_loop:>8}{cost.peak_mib:>6.1f} MiB"


def _cases(trail: Path) -> list[Case]:
    """A second name of the same file stands where there are no checkpoints: it is validated by its links alone."""
    bare = trail.with_name("bare") / trail.name
    bare.parent.mkdir()
    os.link(trail, bare)
    validate = (THUNES, "--json", "audit", "validate")
    file, exits = str(trail), frozenset({0, 3})  # 3: the checkpoints it tells of are not beside it
    cases = [
        Case(_NAMES["loop"], (sys.executable, "-c", _LOOP, file)),
        Case(_NAMES["fast"], (*validate, file)),
        Case(_NAMES["chain"], (*validate, str(bare)), exits),
        Case(_NAMES["deep"], (*validate, "--deep", file)),
        Case(_NAMES["stats"], (THUNES, "--json", "audit", "stats", file)),
    ]
    jq = shutil.which("jq")
    return [Case(_NAMES["jq"], (jq, "-c", ".", file)), *cases] if jq else cases


def write_trail(path: Path, count: int) -> None:
    """A trail as a home leaves it, with a checkpoint each thousand records; quickly, a few seconds a million."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key = SigningKey(PublicKey(_NAME, private.public_key().public_bytes_raw()), private)
    path.with_name("audit_key.pub").write_text(f"{key.public}\n", encoding="utf-8")
    begin = datetime(2026, 5, 1, tzinfo=UTC)
    prev, previous, length, whole, note_text = "0" * 64, NO_NOTE, 0, hashlib.sha256(), []
    with path.open("wb") as stream:
        for first in range(1, count + 1, _EVERY):
            lines: list[bytes] = []
            minute = to_text(begin + timedelta(milliseconds=first * 125))[:-7]
            for seq in range(first, min(first + _EVERY, count + 1)):
                stamp = f"{minute}{seq % 60:02d}.{seq % 1000:03d}Z"
                facts = _TEMPLATES[seq % len(_TEMPLATES)]
                lines.append(f'{{"v":1,"seq":{seq},"prev":"{prev}","timestamp":"{stamp}",{facts}'.encode())
                prev = hashlib.sha256(lines[-1]).hexdigest()
            block = b"".join(lines)
            stream.write(block)
            whole.update(block)
            length += len(block)
            seq = min(first + _EVERY, count + 1) - 1
            note = key.sign(Checkpoint(_NAME, 1, seq, length, whole.digest(), previous, f"{minute}00Z"))
            previous = note.hash
            note_text.append(note.raw + b"\n")
    path.with_name(path.name + ".ckpt").write_bytes(b"".join(note_text))


def _append(path: Path) -> list[float]:
    """Milliseconds for what no record can do without."""
    times = []
    with path.open("wb", buffering=0) as stream:
        for _ in range(_DECISIONS):
            began = time.perf_counter()
            stream.write(bytes(700))
            os.fdatasync(stream.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return times


def _forget(fd: object) -> None:
    """A disk that writes when it likes."""


def _decide(home: Path, *, synced: bool) -> list[float]:
    """Milliseconds from opening the transaction to a trail that is up to date, for each of many decisions."""
    home.mkdir()
    create_ledger(home / "thunes.db", environment="sim", instance="bench2", epoch="abc", wall=utc_now())
    journal = Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", Clock())
    sync = os.fdatasync
    if not synced:
        journal.ledger.connection.execute("PRAGMA synchronous=OFF")
        os.fdatasync = _forget
    times = []
    try:
        for number in range(_DECISIONS):
            began = time.perf_counter()
            with journal.change() as change:
                change.record(Event.TRADE_APPROVED, symbol="BTCUSDT", signal_id=str(number), quote_amount="12")
                change.record(Event.ORDER_INTENT, symbol="BTCUSDT", signal_id=str(number), client_order_id="x")
            times.append((time.perf_counter() - began) * 1000)
    finally:
        os.fdatasync = sync
        journal.close()
    return times

"""A gigabyte of ledger and trail: backed up, next to ``tar | zstd -3`` on the same bytes; proven and restored."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.audit import write_trail
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.key import ensure_audit_key
from thunes_cli.audit.record import line_hash
from thunes_cli.clock import Clock, to_text, utc_now
from thunes_cli.config.home import LEDGER, TRAIL
from thunes_cli.ledger.connection import Ledger
from thunes_cli.model import Environment
from thunes_cli.ops.backups.catalog import list_backups
from thunes_cli.ops.backups.create import Wanted, create_backup
from thunes_cli.ops.backups.restore import restore_to
from thunes_cli.ops.backups.sealing import read_recipients
from thunes_cli.ops.backups.verify import silently, unpacked
from thunes_cli.ops.homes import make_home

RECORDS, ROWS = 1_500_000, 2_600_000
_MIB = 1024 * 1024
_ROUNDS = 2
_MAKE = (
    "import sys; from pathlib import Path; from benchmarks.backup import make_only; "
    "make_only(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])"
)


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[str | tuple[str, str]]:
    """What it takes; the first line tells of how many bytes."""
    home = place / "home"
    size = _fill(home)
    yield f"{size / _MIB:,.0f} MiB of ledger and trail"
    names = [LEDGER, TRAIL]
    tar = f"tar -C '{home}' -cf - {' '.join(names)} | zstd -3 -q -f -o '{place}/plain.tar.zst'"
    plain, ours, peaks = [], [], []
    for _ in range(_ROUNDS):
        plain.append(_timed(lambda: subprocess.run(["sh", "-c", f"{tar} && sync '{place}/plain.tar.zst'"], check=True)))
        seconds, peak = _measured([sys.executable, "-c", _MAKE, str(home), str(place / "made")], environ)
        ours.append(seconds)
        peaks.append(peak)
    yield "tar | zstd -3", f"{size / _MIB / min(plain):,.0f} MiB/s"
    yield "backup: snapshot, check, archive, signature, fsync", f"{size / _MIB / min(ours):,.0f} MiB/s"
    yield "  as a part of tar | zstd", f"{min(plain) / min(ours):.2f}"
    yield "  memory at most", f"{max(peaks):.0f} MiB"
    for recipient in _recipient():
        seconds, _ = _measured([sys.executable, "-c", _MAKE, str(home), str(place / "sealed"), recipient], environ)
        yield "  encrypted with age", f"{size / _MIB / seconds:,.0f} MiB/s"
    yield from _proven(place, home, size)


def _recipient() -> list[str]:
    """An age public key, where the package that encrypts is installed."""
    if find_spec("pyrage") is None:
        return []
    from pyrage import x25519  # noqa: PLC0415 - an extra

    return [str(x25519.Identity.generate().to_public())]


def _proven(place: Path, home: Path, size: int) -> Iterator[tuple[str, str]]:
    backup = list_backups(place / "made")[0]
    yield "  archive", f"{backup.bytes / _MIB:,.0f} MiB"
    began = time.perf_counter()
    with unpacked(backup, [], place=place) as (directory, verdict):
        assert verdict.valid, verdict.problems
        proven = time.perf_counter() - began
        assert verdict.manifest is not None
        restore_to(directory, verdict.manifest, place / "restored")
    yield "verify: every hash, integrity check, trail", f"{size / _MIB / proven:,.0f} MiB/s"
    yield "restore, proof included", f"{size / _MIB / (time.perf_counter() - began):,.0f} MiB/s"
    shutil.rmtree(home)


def make_only(home: Path, directory: Path, recipients: Sequence[str] = ()) -> None:
    """One backup of a home, without looking at it afterwards."""
    journal = Journal(Ledger(home / LEDGER), home / TRAIL, Clock())
    key = ensure_audit_key(home, instance="bench2")
    create_backup(journal, Wanted(directory, read_recipients(recipients), "", {}), key, silently)
    journal.close()


def _fill(home: Path) -> int:
    make_home(home, environment=Environment.SIM, clock=Clock())
    trail = home / TRAIL
    trail.unlink()
    write_trail(trail, RECORDS)
    with trail.open("rb") as stream:
        stream.seek(-4096, os.SEEK_END)
        last = stream.read().splitlines(keepends=True)[-1]
    chance, now = random.Random(1), to_text(utc_now())
    rows = (
        ("bench", now, now, now, now, "ok", f"{chance.getrandbits(256):064x} {number} assets, {number % 7} orders")
        for number in range(ROWS)
    )
    ledger = Ledger(home / LEDGER)
    with ledger.write() as connection:
        connection.executemany(
            "INSERT INTO job_runs (job, planned_at, started_at, ended_at, next_at, outcome, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        connection.execute("DELETE FROM audit_checkpoint")
        connection.execute(
            "UPDATE audit_head SET seq = ?, hash = ?, durable_seq = ?, durable_hash = ?, durable_length = ?,"
            " durable_last_bytes = ?",
            (RECORDS, line_hash(last), RECORDS, line_hash(last), trail.stat().st_size, len(last)),
        )
    ledger.close()
    for leftover in home.glob(f"{TRAIL}.ckpt"):
        leftover.unlink()
    return (home / LEDGER).stat().st_size + trail.stat().st_size


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _measured(command: list[str], environ: Mapping[str, str]) -> tuple[float, float]:
    """Seconds, and peak MiB of the process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env={**environ, "PYTHONPATH": str(Path(__file__).parents[1])})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert isinstance(usage, resource.struct_rusage)
    return time.perf_counter() - began, usage.ru_maxrss / 1024

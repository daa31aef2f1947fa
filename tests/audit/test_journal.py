"""The change and its record: both or neither, exactly once, whoever drains."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manual_time import NOON
from trail_reading import read_chain

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.record import FIRST_PREV, line_hash, make_line
from thunes_cli.audit.trail import DrainOutcome, Trail
from thunes_cli.clock import Clock
from thunes_cli.ledger import outbox
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.controls import freeze_symbol, frozen_symbols

FORK = multiprocessing.get_context("fork")


def freeze(journal: Journal, symbol: str) -> None:
    with journal.change() as change:
        freeze_symbol(change.connection, symbol, reason="test", actor="test", at=change.at)
        change.record(Event.SYMBOL_FROZEN, symbol=symbol, reason="test")


def test_change_and_record_commit_together(journal: Journal) -> None:
    """A committed change has its record in the file, with market time and the facts."""
    freeze(journal, "BTCUSDT")

    (record,) = read_chain(journal.trail.path)
    assert record["event"] == "SYMBOL_FROZEN"
    assert record["timestamp"] == "2026-03-10T12:00:00.000Z"
    assert record["symbol"] == "BTCUSDT"
    assert list(record)[:5] == ["v", "seq", "prev", "timestamp", "event"]


def test_failed_change_leaves_no_record(journal: Journal) -> None:
    """What is rolled back was never on the trail, and its sequence number is not used up."""
    with pytest.raises(ZeroDivisionError), journal.change() as change:
        freeze_symbol(change.connection, "BTCUSDT", reason="test", actor="test", at=change.at)
        change.record(Event.SYMBOL_FROZEN, symbol="BTCUSDT")
        raise ZeroDivisionError
    freeze(journal, "ETHUSDT")

    records = read_chain(journal.trail.path)
    assert [record["symbol"] for record in records] == ["ETHUSDT"]
    with journal.read() as connection:
        assert set(frozen_symbols(connection)) == {"ETHUSDT"}


def test_drain_after_crash_between_write_and_record(journal: Journal) -> None:
    """Bytes that reached the file before a crash are not written twice."""
    with journal.change(drain=False) as change:
        change.record(Event.DAEMON_STARTED, pid=1)
    with journal.read() as connection:
        (waiting,) = outbox.pending(connection, after=0)
    journal.trail.path.write_bytes(waiting.line)

    assert journal.drain() is DrainOutcome.CLEAN

    assert [record["event"] for record in read_chain(journal.trail.path)] == ["DAEMON_STARTED"]
    assert not list(journal.trail.path.parent.glob("*.remains-*"))


def test_a_power_failure_undoes_what_was_not_synced(bare_home: Path) -> None:
    """The ledger as it was synced last, the file as it is: what the file has more is what the ledger still holds."""
    ledger, trail = bare_home / "thunes.db", bare_home / "audit_trail.jsonl"
    journal = Journal(Ledger(ledger), trail, Clock())
    for number in range(2):
        with journal.change(drain=False) as change:
            change.record(Event.DAEMON_STARTED, pid=number)
        if number == 0:
            assert journal.drain() is DrainOutcome.CLEAN
            journal.ledger.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    synced = ledger.read_bytes(), ledger.with_name("thunes.db-wal").read_bytes()
    assert journal.drain() is DrainOutcome.CLEAN
    written = trail.read_bytes()
    journal.close()

    ledger.write_bytes(synced[0])
    ledger.with_name("thunes.db-wal").write_bytes(synced[1])
    journal = Journal(Ledger(ledger), trail, Clock())
    with journal.read() as connection:
        assert outbox.outbox_size(connection) == 1
    assert journal.drain() is DrainOutcome.CLEAN
    journal.close()

    assert trail.read_bytes() == written
    assert len(read_chain(trail)) == 2
    assert not list(bare_home.glob("*.remains-*"))


def test_every_change_is_synced_but_the_one_that_can_be_found_out_again(journal: Journal) -> None:
    """Bringing records into the file leaves the connection as careful as it was."""
    freeze(journal, "BTCUSDT")

    assert journal.ledger.connection.execute("PRAGMA synchronous").fetchone()[0] == 2


@pytest.mark.parametrize("remains", [b'{"v":1,"seq":1', b"anything\n", b"\x00" * 5000], ids=["torn", "alien", "zeros"])
def test_remains_of_a_crash_are_set_aside(journal: Journal, remains: bytes) -> None:
    """Bytes beyond the durable length that are not ours are kept as evidence, not in the trail."""
    freeze(journal, "BTCUSDT")
    with journal.trail.path.open("ab") as stream:
        stream.write(remains)

    freeze(journal, "ETHUSDT")

    assert [record["symbol"] for record in read_chain(journal.trail.path)] == ["BTCUSDT", "ETHUSDT"]
    (aside,) = journal.trail.path.parent.glob("*.remains-*")
    assert aside.read_bytes() == remains
    assert aside.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["edited", "truncated", "removed"])
def test_tampering_stops_writing(journal: Journal, kind: str) -> None:
    """A file changed behind our back is reported and never written to; the records wait in the ledger."""
    freeze(journal, "BTCUSDT")
    path = journal.trail.path
    before = path.read_bytes()
    if kind == "edited":
        path.write_bytes(before.replace(b"BTC", b"ETH"))
    elif kind == "truncated":
        path.write_bytes(before[:-1])
    else:
        path.unlink()

    freeze(journal, "ETHUSDT")

    assert journal.drain() is DrainOutcome.TAMPERED
    records_before = before.count(b"\n")
    assert (path.read_bytes() if path.exists() else b"").count(b"\n") <= records_before
    with journal.read() as connection:
        assert outbox.outbox_size(connection) == 1
        assert outbox.read_head(connection).problem is not None
    path.write_bytes(before)
    assert journal.drain() is DrainOutcome.CLEAN
    with journal.read() as connection:
        assert outbox.read_head(connection).problem is None


def test_locked_trail_delays_and_loses_nothing(journal: Journal) -> None:
    """While somebody holds the lock the change is committed all the same; the record follows later."""
    descriptor = os.open(journal.trail.path.with_name("audit.lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with journal.change(drain=False) as change:
        change.record(Event.DAEMON_STARTED, pid=1)

    assert journal.trail.drain(wait_seconds=0.05) is DrainOutcome.LOCKED
    os.close(descriptor)
    assert journal.drain() is DrainOutcome.CLEAN

    assert len(read_chain(journal.trail.path)) == 1


def test_unwritable_trail_is_an_answer(journal: Journal) -> None:
    """A directory in the file's place raises nothing: exits must go on."""
    journal.trail.path.mkdir()
    with journal.change() as change:
        change.record(Event.DAEMON_STARTED, pid=1)

    assert journal.drain() is DrainOutcome.UNWRITABLE
    with journal.read() as connection:
        assert "audit_trail.jsonl" in (outbox.read_head(connection).problem or "")


def _write_records(home: Path, count: int, ready: multiprocessing.synchronize.Barrier | None) -> None:
    journal = Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", Clock())
    if ready is not None:
        ready.wait()
    for number in range(count):
        with journal.change() as change:
            change.record(Event.DAEMON_STARTED, pid=os.getpid(), number=number)
    journal.drain()


def test_many_processes_one_chain(bare_home: Path) -> None:
    """Processes writing at once make one unbroken chain with nothing lost or doubled."""
    barrier = FORK.Barrier(4)
    workers = [FORK.Process(target=_write_records, args=(bare_home, 25, barrier)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    Trail(bare_home / "audit_trail.jsonl", Ledger(bare_home / "thunes.db")).drain()
    records = read_chain(bare_home / "audit_trail.jsonl")
    assert len({(record["pid"], record["number"]) for record in records}) == len(records) == 100


def test_killed_writer_leaves_a_sound_trail(bare_home: Path) -> None:
    """kill -9 at any moment: the next drain completes the chain, and no committed record is missing."""
    path = bare_home / "audit_trail.jsonl"
    for _ in range(8):
        worker = FORK.Process(target=_write_records, args=(bare_home, 10_000, None))
        worker.start()
        size = path.stat().st_size if path.exists() else 0
        while worker.is_alive() and (path.stat().st_size if path.exists() else 0) < size + 700:
            pass
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()

        ledger = Ledger(bare_home / "thunes.db")
        assert Trail(path, ledger).drain() is DrainOutcome.CLEAN
        with ledger.read() as connection:
            head = outbox.read_head(connection)
        assert len(read_chain(path)) == head.seq == head.durable_seq
        ledger.close()


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1).filter(
            lambda key: key not in {"v", "seq", "prev", "timestamp", "event"}
        ),
        st.one_of(
            st.text(st.characters(codec="utf-8")),
            st.integers(-(2**53), 2**53),
            st.booleans(),
            st.none(),
            st.decimals(allow_nan=False, allow_infinity=False, places=8),
        ),
        max_size=5,
    )
)
def test_any_fact_makes_one_line(facts: dict[str, str | int | bool | Decimal | None]) -> None:
    """Whatever the facts hold, a record is exactly one line of UTF-8 that parses back."""
    line = make_line(seq=1, prev=FIRST_PREV, at=NOON + timedelta(seconds=1), event=Event.DAEMON_STARTED, facts=facts)

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert len(line_hash(line)) == 64


def test_floats_and_reserved_names_are_refused() -> None:
    """Money never passes through binary floating point; facts never hide the fixed keys."""
    with pytest.raises(TypeError, match="price"):
        make_line(seq=1, prev=FIRST_PREV, at=NOON, event=Event.DAEMON_STARTED, facts={"price": 1.5})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="seq"):
        make_line(seq=1, prev=FIRST_PREV, at=NOON, event=Event.DAEMON_STARTED, facts={"seq": 7})

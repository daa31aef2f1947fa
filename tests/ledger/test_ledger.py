"""The ledger: what it refuses, what it never touches, what its rows guarantee."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import sqlite3
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from manual_time import NOON

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Anchor, from_text
from thunes_cli.errors import HomeMissing, LedgerCorrupt, LedgerMissing, LedgerTooNew
from thunes_cli.ledger import controls, identity, orders
from thunes_cli.ledger.connection import Ledger, open_for_reading, open_for_writing
from thunes_cli.ledger.tables import VERSION_1
from thunes_cli.model import OrderState, Side, SignalId
from thunes_cli.process import this_process

FORK = multiprocessing.get_context("fork")


def new_order(connection: sqlite3.Connection, symbol: str = "BTCUSDT", signal: str | None = None) -> orders.NewOrder:
    return orders.NewOrder(
        client_order_id=identity.take_client_order_id(connection, Side.BUY),
        exchange_epoch=1,
        symbol=symbol,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        side=Side.BUY,
        strategy="rsi",
        stop_loss_pct=Decimal(3),
        requested_quote=Decimal(12),
        signal_id=SignalId(signal) if signal else None,
    )


def test_missing_home_and_ledger(tmp_path: Path) -> None:
    """Nothing there is said, with the command to type, and nothing is created."""
    with pytest.raises(HomeMissing) as caught:
        open_for_reading(tmp_path / "no" / "thunes.db")
    assert "init" in caught.value.hint
    with pytest.raises(LedgerMissing):
        open_for_reading(tmp_path / "thunes.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opening", [open_for_reading, open_for_writing])
@pytest.mark.parametrize(
    ("content", "error"),
    [(b"not a database at all, but long enough to be one" * 30, LedgerCorrupt), (b"", LedgerCorrupt)],
    ids=["garbage", "empty"],
)
def test_damaged_file_is_refused_untouched(tmp_path: Path, opening: object, content: bytes, error: type) -> None:
    """A file that is no ledger is named and stays as it is."""
    path = tmp_path / "thunes.db"
    path.write_bytes(content)

    with pytest.raises(error):
        opening(path)  # type: ignore[operator]

    assert path.read_bytes() == content


def test_a_thread_that_ends_leaves_no_open_file(bare_home: Path) -> None:
    """Each thread has a connection of its own; who forgets to close it does not keep it open for ever."""
    ledger = Ledger(bare_home / "thunes.db")

    def look() -> None:
        with ledger.read() as connection:
            identity.read_identity(connection)

    def open_after(threads: int) -> int:
        for _ in range(threads):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    look()
    first = open_after(3)  # SQLite keeps a descriptor or two for the next one who opens

    assert open_after(10) == first
    ledger.close()


@pytest.mark.parametrize("opening", [open_for_reading, open_for_writing])
def test_newer_schema_is_refused_untouched(bare_home: Path, opening: object) -> None:
    """A ledger of a later version is not guessed at."""
    path = bare_home / "thunes.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    with pytest.raises(LedgerTooNew, match="999"):
        opening(path)  # type: ignore[operator]

    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_reader_sees_a_living_writer(bare_home: Path, journal: Journal) -> None:
    """Rows still in the write-ahead log are seen by a status command."""
    with journal.change() as change:
        controls.freeze_symbol(change.connection, "BTCUSDT", reason="r", actor="a", at=change.at)

    reader = open_for_reading(bare_home / "thunes.db")

    assert set(controls.frozen_symbols(reader)) == {"BTCUSDT"}
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM frozen_symbols")
    reader.close()


def test_reading_leaves_a_resting_home_as_it_is(bare_home: Path) -> None:
    """Looking at a home nobody runs creates no file and changes no byte."""
    before = {path.name: path.read_bytes() for path in bare_home.iterdir()}

    open_for_reading(bare_home / "thunes.db").close()

    assert {path.name: path.read_bytes() for path in bare_home.iterdir()} == before


def test_one_live_order_a_symbol(journal: Journal) -> None:
    """The second live order of a symbol is impossible, whichever process asks; an ended one makes room."""
    with journal.change() as change:
        first = orders.insert_intent(
            change.connection, new_order(change.connection), at=change.at, owner=this_process()
        )
    with pytest.raises(sqlite3.IntegrityError), journal.change() as change:
        orders.insert_intent(change.connection, new_order(change.connection), at=change.at, owner=this_process())

    with journal.change() as change:
        assert orders.change_state(
            change.connection, first.id, expected=(OrderState.INTENT,), to=OrderState.NOT_PLACED, at=change.at
        )
        orders.insert_intent(change.connection, new_order(change.connection), at=change.at, owner=this_process())


def test_one_order_a_signal_for_ever(journal: Journal) -> None:
    """A signal whose order ended badly is not entered a second time."""
    with journal.change() as change:
        first = orders.insert_intent(
            change.connection, new_order(change.connection, signal="s1"), at=change.at, owner=this_process()
        )
        orders.change_state(
            change.connection, first.id, expected=(OrderState.INTENT,), to=OrderState.NOT_PLACED, at=change.at
        )

    with pytest.raises(sqlite3.IntegrityError), journal.change() as change:
        orders.insert_intent(
            change.connection, new_order(change.connection, signal="s1"), at=change.at, owner=this_process()
        )


def test_state_changes_only_from_the_expected_state(journal: Journal) -> None:
    """Compare-and-set: who comes second changes nothing and is told so."""
    with journal.change() as change:
        order = orders.insert_intent(
            change.connection, new_order(change.connection), at=change.at, owner=this_process()
        )

        moved = orders.change_state(
            change.connection, order.id, expected=(OrderState.SENT,), to=OrderState.FILLED, at=change.at
        )

        assert not moved
        assert orders.read_order(change.connection, order.id).state is OrderState.INTENT


def test_sent_needs_its_timestamp(journal: Journal) -> None:
    """The schema itself refuses a SENT order without the timestamp that proof of absence rests on."""
    with pytest.raises(sqlite3.IntegrityError), journal.change() as change:
        order = orders.insert_intent(
            change.connection, new_order(change.connection), at=change.at, owner=this_process()
        )
        orders.change_state(
            change.connection, order.id, expected=(OrderState.INTENT,), to=OrderState.SENT, at=change.at
        )


def _take_ids(path: Path, count: int, results: multiprocessing.Queue[str]) -> None:
    ledger = Ledger(path)
    for _ in range(count):
        with ledger.write() as connection:
            results.put(identity.take_client_order_id(connection, Side.BUY))


def test_client_order_ids_are_never_reused(bare_home: Path) -> None:
    """Processes drawing at once never draw the same id; each id is readable back and fits the exchange's charset."""
    results: multiprocessing.Queue[str] = FORK.Queue()
    workers = [FORK.Process(target=_take_ids, args=(bare_home / "thunes.db", 20, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    drawn = [results.get() for _ in range(80)]
    for worker in workers:
        worker.join()

    assert len(set(drawn)) == 80
    parts = [identity.parse_client_order_id(text) for text in drawn]
    assert sorted(part.number for part in parts if part) == list(range(1, 81))
    assert all(len(text) <= 36 and text.replace("-", "").isalnum() for text in drawn)


@pytest.mark.parametrize("number", ["9" * 20, "\N{ARABIC-INDIC DIGIT THREE}"], ids=["too great", "other digits"])
def test_a_number_that_we_cannot_have_drawn_is_nobodys_of_ours(number: str) -> None:
    """Numbers are counted up from one in the ledger: what it cannot hold was made by somebody else."""
    assert identity.parse_client_order_id(f"thabcdefabc-B-{number}") is None
    assert identity.parse_client_order_id("thabcdefabc-B-123456789012") is not None


def test_foreign_client_ids_are_not_parsed() -> None:
    """Only our own form is ours."""
    assert identity.parse_client_order_id("x-HNA2TXFJ0123456789") is None
    assert identity.parse_client_order_id("thabcdefabc-B-1x") is None


def test_an_epoch_is_never_drawn_twice(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance may say what was said before; a client id of then must not be one of now."""
    drawn = iter(["abc", "bcd", "abc", "efg", "bcd", "hij"])
    monkeypatch.setattr(identity, "draw", lambda _: next(drawn))

    with journal.change() as change:
        assert identity.leave_epoch(change.connection, wall=NOON) == "bcd"
        assert identity.take_over_instance(change.connection, "zzzzzz", epochs=["efg"], wall=NOON) == "hij"

    with journal.read() as connection:
        assert identity.read_epochs(connection) == {"abc", "bcd", "efg", "hij"}


def test_anchor_is_kept_for_every_process(journal: Journal) -> None:
    """A saved anchor converts wall to market time alike wherever it is read."""
    anchor = Anchor(wall=NOON, market=from_text("2023-03-01T00:00:00.000Z"), speed=Decimal(600))
    with journal.change() as change:
        identity.save_anchor(change.connection, anchor)

    with journal.read() as connection:
        read = identity.read_identity(connection).anchor

    assert read == anchor
    assert read.market_at(NOON + timedelta(seconds=1)) == from_text("2023-03-01T00:10:00.000Z")


def test_every_table_is_strict() -> None:
    """No column takes a value of another type."""
    tables = [statement for statement in VERSION_1 if statement.startswith("CREATE TABLE")]
    assert tables
    assert all(statement.rstrip().endswith("STRICT") for statement in tables)

"""A ledger of an older schema: brought up to date by whoever writes, whole before and after, a copy kept beside it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from older_ledger import NEXT, VERSION, add_a_column, become_newer, dump
from sqlite_utils import Database

from thunes_cli.audit.journal import Journal
from thunes_cli.daemon.assembly import environment_and_holdings
from thunes_cli.errors import Unavailable
from thunes_cli.ledger import controls, identity
from thunes_cli.ledger.connection import open_for_reading, open_for_writing
from thunes_cli.ledger.schema import migrate
from thunes_cli.model import Environment, Side

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def ledger(journal: Journal) -> Path:
    """Of a home with a past, at rest."""
    with journal.change() as change:
        identity.take_client_order_id(change.connection, Side.BUY)
    journal.close()
    return journal.ledger.path


def copy_of(ledger: Path) -> Path:
    return ledger.with_name(f"thunes.db.schema-{VERSION}")


def test_an_older_ledger_is_brought_up_to_date(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows stay, the new column is there, and the ledger as it was stands beside it, for its owner alone."""
    before = dump(ledger)
    become_newer(monkeypatch)

    with closing(open_for_writing(ledger)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == NEXT
        assert connection.execute("SELECT mood FROM kill_switch").fetchone()[0] == "calm"
        assert identity.read_next_order(connection) == 2

    assert dump(copy_of(ledger)) == before
    assert copy_of(ledger).stat().st_mode & 0o777 == 0o600
    assert copy_of(ledger).read_bytes()[18:20] == b"\1\1", "SQLite's mark of a file without a log beside it"
    assert list(ledger.parent.glob("*.schema-*")) == [copy_of(ledger)]


def test_it_is_done_once(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened again it is today's: the copy that was made is not made anew."""
    become_newer(monkeypatch)
    open_for_writing(ledger).close()
    copy_of(ledger).unlink()

    open_for_writing(ledger).close()
    open_for_reading(ledger).close()

    assert not copy_of(ledger).exists()


def _break_a_rule(db: Database) -> None:
    add_a_column(db)
    db.execute("INSERT INTO kill_switch (id, active) VALUES (2, 7)")


def _stumble(db: Database) -> None:
    add_a_column(db)
    raise KeyError("a bug")


def _forget_the_number(db: Database) -> None:
    db.execute("ALTER TABLE kill_switch ADD COLUMN mood TEXT")


@pytest.mark.parametrize(
    ("migration", "error"),
    [(_break_a_rule, Unavailable), (_stumble, KeyError), (_forget_the_number, RuntimeError)],
    ids=["a row that the new schema refuses", "a bug", "the number forgotten"],
)
def test_a_migration_that_fails_leaves_the_ledger_as_it_was(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, migration: Callable[[Database], None], error: type[Exception]
) -> None:
    """Whole and of its old schema; the version before still reads it, and a mended one brings it up to date."""
    before = dump(ledger)
    with monkeypatch.context() as newer:
        become_newer(newer, migration)
        with pytest.raises(error):
            open_for_writing(ledger)

    assert dump(ledger) == before
    assert not list(ledger.parent.glob("*.new"))
    become_newer(monkeypatch)
    open_for_writing(ledger).close()
    assert dump(copy_of(ledger)) == before


def test_what_cannot_be_done_now_is_one_line(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the ledger, the reason, and that nothing is lost."""
    become_newer(monkeypatch, _break_a_rule)

    with pytest.raises(Unavailable, match=rf"thunes\.db cannot be brought to schema {NEXT}: CHECK .*; it is as it was"):
        open_for_writing(ledger)


def test_a_copy_that_cannot_be_made_keeps_the_schema(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No change without the copy: something else bears its name."""
    before = dump(ledger)
    copy_of(ledger).mkdir()
    become_newer(monkeypatch)

    with pytest.raises(Unavailable, match="Is a directory"):
        open_for_writing(ledger)

    assert dump(ledger) == before
    assert not list(ledger.parent.glob("*.new"))


def test_killed_within_a_migration(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 when all was changed but the commit, a half-made copy lying there: whole, and the next one does it."""
    before = dump(ledger)
    half = copy_of(ledger).with_name(f"{copy_of(ledger).name}.new")
    half.write_bytes(b"half a copy")

    def die(db: Database) -> None:
        add_a_column(db)
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as newer:
        become_newer(newer, die)
        child = FORK.Process(target=open_for_writing, args=(ledger,))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL

    assert dump(ledger) == before
    become_newer(monkeypatch)
    open_for_writing(ledger).close()
    assert dump(copy_of(ledger)) == before
    assert not half.exists()


def _open_at_once(ledger: Path, ready: multiprocessing.synchronize.Barrier) -> None:
    ready.wait()
    open_for_writing(ledger).close()


def test_many_processes_at_once(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One does it, the others wait and find it done; the copy is of the ledger as it was."""
    before = dump(ledger)
    become_newer(monkeypatch)
    ready = FORK.Barrier(4)
    children = [FORK.Process(target=_open_at_once, args=(ledger, ready)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()

    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    assert dump(copy_of(ledger)) == before


def test_who_opened_it_while_it_was_older_copies_nothing(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen as an older one, and migrated by somebody else before the lock was had: the copy stays what it is."""
    before = dump(ledger)
    become_newer(monkeypatch)
    with closing(sqlite3.connect(ledger, isolation_level=None)) as late:
        assert late.execute("PRAGMA user_version").fetchone()[0] == VERSION
        open_for_writing(ledger).close()

        migrate(late, ledger)

    assert dump(copy_of(ledger)) == before
    assert list(ledger.parent.glob("*.schema-*")) == [copy_of(ledger)]


def test_looking_at_an_older_ledger_changes_nothing(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A status command says what migrates it."""
    before = {path.name: path.read_bytes() for path in ledger.parent.iterdir()}
    become_newer(monkeypatch)

    with pytest.raises(Unavailable, match=f"has the older schema {VERSION}") as caught:
        open_for_reading(ledger)

    assert "thunes run" in caught.value.hint
    assert {path.name: path.read_bytes() for path in ledger.parent.iterdir()} == before


def test_a_start_asks_an_older_ledger_what_it_holds(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With settings that are no good a start must know: that the ledger is older does not keep it from selling."""
    become_newer(monkeypatch)

    assert environment_and_holdings(ledger) == (Environment.SIM, False)

    with closing(open_for_reading(ledger)) as connection:
        assert not controls.read_kill_switch(connection).active

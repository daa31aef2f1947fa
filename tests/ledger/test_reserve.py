"""The reserve: there while there is room, given up at the first full disk, never the last of the room."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger.reserve import RESERVE, SIZE, free_reserve, has_reserve, is_full, make_reserve, make_room


def full() -> sqlite3.OperationalError:
    """What SQLite raises when nothing more fits."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("CREATE TABLE t AS SELECT zeroblob(100000)")
    connection.close()
    return caught.value


def test_it_takes_real_room(tmp_path: Path) -> None:
    """Eight MiB of blocks, not a hole, for its owner alone; made once, given back once."""
    assert make_reserve(tmp_path)
    assert make_reserve(tmp_path)

    found = (tmp_path / RESERVE).stat()
    assert found.st_blocks * 512 >= SIZE
    assert found.st_mode & 0o077 == 0
    free_reserve(tmp_path)
    free_reserve(tmp_path)
    assert not has_reserve(tmp_path)


def test_it_does_not_take_the_last_of_the_room(tmp_path: Path) -> None:
    """Where there is less than is to be left, nothing is taken."""
    assert not make_reserve(tmp_path, leave=1 << 60)
    assert not (tmp_path / RESERVE).exists()


def test_a_write_that_finds_the_disk_full_gives_it_up(journal: Journal) -> None:
    """The change is lost, nothing of it stays, the room is there for the next one."""
    home = journal.ledger.path.parent
    make_reserve(home)

    with pytest.raises(sqlite3.OperationalError), journal.ledger.write() as connection:
        connection.execute("UPDATE identity SET next_order = 7")
        raise full()

    assert not has_reserve(home)
    with journal.read() as connection:
        assert connection.execute("SELECT next_order FROM identity").fetchone()[0] == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(full(), True, id="full"),
        pytest.param(sqlite3.OperationalError("database is locked"), False, id="locked"),
        pytest.param(OSError("no space"), False, id="not SQLite's"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_only_a_full_disk_counts(tmp_path: Path, error: BaseException | None, *, expected: bool) -> None:
    """Other failures leave the reserve where it is."""
    assert is_full(error, tmp_path) is expected


def test_a_start_looks_for_room(tmp_path: Path) -> None:
    """With room the reserve stays; of a place that cannot be asked nothing is said, whoever opens it will say it."""
    make_reserve(tmp_path)

    assert not make_room(tmp_path)
    assert has_reserve(tmp_path)
    assert not make_room(tmp_path / "gone")

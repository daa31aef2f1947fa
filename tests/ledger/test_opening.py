"""Opening a ledger where something is in the way: one clear line, nothing half done."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from manual_time import NOON
from older_ledger import NEXT, become_newer

from thunes_cli.errors import LedgerGone, Unavailable
from thunes_cli.ledger import connection as opening
from thunes_cli.ledger.connection import Ledger, open_for_reading, open_for_writing
from thunes_cli.ledger.reserve import SIZE, has_reserve, make_reserve
from thunes_cli.ledger.schema import create_ledger

Opening = Callable[[Path], sqlite3.Connection]
BOTH = pytest.mark.parametrize("opened", [open_for_reading, open_for_writing], ids=["to read", "to write"])


@BOTH
def test_a_ledger_that_somebody_keeps_for_himself(
    bare_home: Path, monkeypatch: pytest.MonkeyPatch, opened: Opening
) -> None:
    """Not damaged, only not to be had now."""
    path = bare_home / "thunes.db"
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(Unavailable, match=r"the ledger .*thunes\.db cannot be read: database is locked"):
            opened(path)


@BOTH
def test_a_process_without_a_file_to_spare(bare_home: Path, opened: Opening) -> None:
    """A ledger that cannot even be opened is no damaged one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    os.close(spare)
    taken = []
    try:
        with pytest.raises(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(Unavailable, match=r"the ledger .*thunes\.db cannot be opened: unable to open"):
            opened(bare_home / "thunes.db")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


def test_another_file_in_its_place(bare_home: Path) -> None:
    """A thread that comes later does not write to another ledger than those before it."""
    path = bare_home / "thunes.db"
    ledger = Ledger(path)
    assert ledger.connection
    path.rename(bare_home / "aside.db")
    create_ledger(path, environment="sim", instance="zzzzzz", epoch="zzz", wall=NOON)
    caught: list[Exception] = []

    def come_later() -> None:
        try:
            assert ledger.connection
        except LedgerGone as error:
            caught.append(error)

    thread = threading.Thread(target=come_later)
    thread.start()
    thread.join()
    ledger.close()

    assert len(caught) == 1


# -- a full disk -----------------------------------------------------------------------------------------------------


def fill(path: Path) -> None:
    """Take all the room that is left."""
    with path.open("wb", buffering=0) as filling, pytest.raises(OSError, match="No space left"):
        while True:
            assert filling.write(bytes(4096)) == 4096


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Path]:
    """A home at rest, with its reserve, on a file system on which there is no room left."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    place = tmp_path / "disk"
    place.mkdir()
    if mount is None or umount is None or os.geteuid() != 0:
        pytest.skip("mounting a file system takes root")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    create_ledger(place / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=NOON)
    assert make_reserve(place, leave=0)
    fill(place / "filling")
    yield place
    subprocess.run([umount, "-l", str(place)], check=True)


def test_opening_takes_the_reserve(small_home: Path) -> None:
    """Nothing can be written down without a log: what an exit needs is opened on the reserve."""
    with closing(open_for_writing(small_home / "thunes.db")) as connection:
        connection.execute("UPDATE identity SET next_order = 7")

    assert not has_reserve(small_home)


def test_a_migration_takes_the_reserve(small_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its copy as well; what is left over of the first attempt does not take the room of the second."""
    become_newer(monkeypatch)

    with closing(open_for_writing(small_home / "thunes.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == NEXT

    assert (small_home / f"thunes.db.schema-{NEXT - 1}").stat().st_size < SIZE
    assert not has_reserve(small_home)


def test_without_a_reserve_it_is_said(small_home: Path) -> None:
    """Unavailable is no damage: there is nothing left to give up."""
    (small_home / ".reserve").unlink()
    fill(small_home / "more")

    with pytest.raises(Unavailable):
        open_for_writing(small_home / "thunes.db")

"""Opening the ledger: safe settings, one connection a thread, reads that never write, writes that never half-happen.

Changes of state that belong on the audit trail go through :class:`thunes_cli.audit.journal.Journal`, which wraps
this; here are only SQLite's own rules. Only the standard library is imported: every status command passes here.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thunes_cli.errors import HomeMissing, LedgerCorrupt, LedgerGone, LedgerMissing, LedgerTooNew, Unavailable
from thunes_cli.ledger.machine_faults import unavailable
from thunes_cli.ledger.pragmas import APPLICATION_ID, SCHEMA_VERSION, configure
from thunes_cli.ledger.reserve import free_reserve, is_full

BUSY_SECONDS = 10.0


def _schema_version(connection: sqlite3.Connection, path: Path) -> int:
    try:
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.OperationalError as error:
        raise unavailable(error, path, verb="read") from error
    except sqlite3.DatabaseError as error:
        raise LedgerCorrupt(path, error) from error
    if application != APPLICATION_ID:
        raise LedgerCorrupt(path, "it is not a THUNES ledger")
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(path, version, SCHEMA_VERSION)
    return version


def _require_current(connection: sqlite3.Connection, path: Path) -> None:
    version = _schema_version(connection, path)
    if version < SCHEMA_VERSION:
        raise Unavailable(
            f"the ledger {path} has the older schema {version}", hint="thunes run migrates it; or: thunes init"
        )


def _require_file(path: Path) -> None:
    if not path.parent.is_dir():
        raise HomeMissing(path.parent)
    if not path.is_file():
        raise LedgerMissing(path.parent)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write and creates nothing.

    ``immutable`` is used only where there is no write-ahead log: beside one it would show stale rows.

    Raises:
        HomeMissing, LedgerMissing: there is nothing to read (10).
        LedgerCorrupt: not a database, or not ours (5). LedgerTooNew: written by a newer version (78).
        Unavailable: the file cannot be opened now (13).
    """
    _require_file(path)
    has_log = path.with_name(path.name + "-wal").exists()
    uri = f"{path.resolve().as_uri()}?mode=ro" + ("" if has_log else "&immutable=1")
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    except sqlite3.OperationalError as error:
        raise unavailable(error, path, verb="opened") from error
    connection.row_factory = sqlite3.Row
    try:
        _require_current(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_migrated(path: Path) -> sqlite3.Connection:
    """A connection to look with, whatever the ledger's age: one of an older schema is brought up to date first.

    Raises: as :func:`open_for_reading`.
    """
    try:
        return open_for_reading(path)
    except Unavailable:  # an older schema, among others: opening for writing migrates it, or fails in its own words
        return open_for_writing(path)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection with write-ahead log, full sync and foreign keys; the schema is brought up to date first.

    Raises: as :func:`open_for_reading`.
    """
    _require_file(path)
    try:
        return _open_for_writing(path)
    except (sqlite3.Error, Unavailable) as error:
        if not is_full(error if isinstance(error, sqlite3.Error) else error.__cause__, path.parent):
            raise
    free_reserve(path.parent)
    return _open_for_writing(path)


def _open_for_writing(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    except sqlite3.OperationalError as error:
        raise unavailable(error, path, verb="opened") from error
    connection.row_factory = sqlite3.Row
    try:
        version = _schema_version(connection, path)
        if version < SCHEMA_VERSION:
            from thunes_cli.ledger.schema import migrate  # noqa: PLC0415 - sqlite_utils costs 0.2 s, needed once

            migrate(connection, path)
        configure(connection)
    except BaseException:
        connection.close()
        raise
    return connection


class Ledger:
    """The ledger of one home, for any number of threads; each thread gets a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._file: os.stat_result | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, opened at first use.

        Raises:
            LedgerGone: another thread's is to a file that is not there any more.
        """
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            if not self.is_in_place():
                raise LedgerGone(self.path)
            connection = open_for_writing(self.path)
            self._local.connection = connection
            self._file = self._file or self.path.stat()
        return connection

    def is_in_place(self) -> bool:
        """Whether the file that was opened is still the one of its name: what is written elsewhere is lost."""
        if self._file is None:
            return True
        try:
            return os.path.samestat(self._file, self.path.stat())
        except OSError:
            return False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection on which several SELECTs see one and the same state."""
        connection = self.connection
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def write_unsynced(self) -> Iterator[sqlite3.Connection]:
        """:meth:`write` without waiting for the disk: a power failure may undo it, until any later change is synced.

        Only for what can be found out again. Order is kept: it is never there without what was committed before it.
        """
        connection = self.connection
        before = connection.execute("PRAGMA synchronous").fetchone()[0]
        connection.execute("PRAGMA synchronous=NORMAL")
        try:
            with self.write():
                yield connection
        finally:
            connection.execute(f"PRAGMA synchronous={before:d}")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """``BEGIN IMMEDIATE`` … ``COMMIT``: what is read inside is still true when it commits."""
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if is_full(error, self.path.parent):
                free_reserve(self.path.parent)  # this change is lost; the next one finds room
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            connection.close()

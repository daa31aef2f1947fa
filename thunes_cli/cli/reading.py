"""How a command that only looks reads the home: one consistent snapshot, nothing created, nothing written.

It works while a daemon writes, on a read-only file system and without settings. What is wrong with the ledger comes
out as an error of the contract: damaged 5, missing 10, not readable now 13, newer 78.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from thunes_cli.cli.call import Call
from thunes_cli.cli.ledger_errors import ledger_error
from thunes_cli.clock import utc_now
from thunes_cli.config.home import LEDGER, require_home
from thunes_cli.errors import LedgerCorrupt, ThunesError, Unavailable
from thunes_cli.ledger.connection import open_for_reading
from thunes_cli.ledger.identity import Identity, read_identity

T = TypeVar("T")
_ATTEMPTS = 3


class Book(NamedTuple):
    """The ledger at one instant: ``now`` is market time, ``wall`` network time."""

    home: Path
    connection: sqlite3.Connection
    identity: Identity
    now: datetime
    wall: datetime


def read_book(call: Call, view: Callable[[Book], T]) -> T:
    """What ``view`` reads from the home's ledger. It only reads: values that no row of ours holds count as damage.

    Raises:
        HomeMissing, HomeNotOurs, LedgerMissing: see :func:`thunes_cli.config.home.require_home` (10).
        LedgerCorrupt: not a database, not ours, or damaged (5). LedgerTooNew (78).
        Unavailable: it cannot be opened or read now (13).
    """
    home = require_home(call.home)
    path = home / LEDGER
    for attempt in range(_ATTEMPTS):
        last = attempt == _ATTEMPTS - 1
        had_log = _has_log(path)
        try:
            answer = _read_once(home, path, view)
        except (Unavailable, LedgerCorrupt):
            if last or _has_log(path) == had_log:
                raise
            continue  # a writer came or went between looking for its log and reading: look again
        if last or had_log or not _has_log(path):
            return answer
    raise AssertionError


def _has_log(path: Path) -> bool:
    return path.with_name(path.name + "-wal").exists()


def _read_once(home: Path, path: Path, view: Callable[[Book], T]) -> T:
    _require_ordinary(path)
    connection = open_for_reading(path)
    try:
        connection.execute("BEGIN")
        identity = _identity(connection, path)
        wall = utc_now()
        return view(Book(home, connection, identity, identity.anchor.market_at(wall), wall))
    except ThunesError:
        raise
    except sqlite3.Error as error:
        raise ledger_error(error, path) from error
    except (ValueError, ArithmeticError, IndexError) as error:  # IndexError: a column is missing
        raise LedgerCorrupt(path, f"a row cannot be read ({error})") from error
    finally:
        connection.close()


def _require_ordinary(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise LedgerCorrupt(path, "it is not a file")
    if path.stat().st_size == 0:
        raise LedgerCorrupt(path, "it is empty")


def _identity(connection: sqlite3.Connection, path: Path) -> Identity:
    try:
        return read_identity(connection)
    except TypeError as error:  # no row
        raise LedgerCorrupt(path, "it does not say whose it is") from error


def typed(call: Call, rest: str) -> str:
    """A command to type next, for the same home as this one."""
    if call.home_option is None:
        return f"thunes {rest}"
    return f"thunes --home {shlex.quote(call.home_option)} {rest}"

"""SQLite's errors as errors of the contract: what passes by itself is 13, what does not is a damaged ledger, 5."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from thunes_cli.errors import LedgerCorrupt, ThunesError
from thunes_cli.ledger.machine_faults import is_machine_fault, unavailable


def ledger_error(error: sqlite3.Error, path: Path, *, verb: str = "read") -> ThunesError:
    """What to tell the operator; ``verb`` is what could not be done: read or written."""
    return unavailable(error, path, verb=verb) if is_machine_fault(error) else LedgerCorrupt(path, error)

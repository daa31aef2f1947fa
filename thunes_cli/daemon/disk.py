"""Keeping eight megabytes aside for the day the disk is full, and telling the operator when that day has come."""

from __future__ import annotations

import logging
import sqlite3

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity
from thunes_cli.ledger.reserve import free_bytes, make_reserve

_log = logging.getLogger(__name__)

_MIB = 1024 * 1024


class DiskWatch:
    """Looks after the reserve of one home. What it finds is told once, and once more when it is over."""

    def __init__(self, journal: Journal, *, min_free_mib: int) -> None:
        self._journal = journal
        self._home = journal.ledger.path.parent
        self._min_free_mib = min_free_mib

    def look(self) -> None:
        """Make the reserve where there is room for it, tell when there is none. Never fails for a full disk."""
        try:
            self._look()
        except (sqlite3.Error, OSError) as error:
            _log.error("the disk's state could not be recorded: error=%s", error)

    def _look(self) -> None:
        there = make_reserve(self._home)
        free_mib = free_bytes(self._home) // _MIB
        low = free_mib < self._min_free_mib
        if not self._changed(full=not there, low=low):
            return
        with self._journal.change() as change:
            self._tell(change, Kind.DISK_FULL, on=not there, free_mib=free_mib)
            self._tell(change, Kind.DISK_LOW, on=low, free_mib=free_mib)

    def _changed(self, *, full: bool, low: bool) -> bool:
        with self._journal.read() as connection:
            rows = connection.execute(
                "SELECT kind FROM alert_conditions WHERE kind IN (?, ?)", (Kind.DISK_FULL, Kind.DISK_LOW)
            )
            told = {row["kind"] for row in rows}
        return told != {kind for kind, on in ((Kind.DISK_FULL, full), (Kind.DISK_LOW, low)) if on}

    def _tell(self, change: Change, kind: Kind, *, on: bool, free_mib: int) -> None:
        if on:
            if self._raise(change, kind, free_mib):
                change.record(Event.DISK_SHORT, kind=kind, free_mib=free_mib, min_free_mib=self._min_free_mib)
            return
        text = f"{free_mib} MiB are free again at {self._home}. Next: thunes status"
        if change.alert_over(kind, text):
            change.record(Event.DISK_RECOVERED, kind=kind, free_mib=free_mib)

    def _raise(self, change: Change, kind: Kind, free_mib: int) -> bool:
        if kind == Kind.DISK_FULL:
            text = (
                f"The disk of {self._home} is full: {free_mib} MiB are left, and the reserve for exits is not there."
                f" Entries are stopped, exits go on as long as they can be written down. Next: df -h {self._home}"
            )
            return change.alert(kind, text, Severity.CRITICAL, lasting=True)
        text = (
            f"{free_mib} MiB are free at {self._home}, less than MIN_FREE_MIB {self._min_free_mib}: no entries, exits"
            f" go on. Next: df -h {self._home}"
        )
        return change.alert(kind, text, Severity.WARNING, lasting=True)

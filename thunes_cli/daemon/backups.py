"""The daemon's daily backup, on a thread of its own: however long it takes, trading does not wait for it.

Days are counted in network time from the newest good backup: a market that runs five hundred times as fast does not
need five hundred times as many.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from thunes_cli.audit.journal import Journal
from thunes_cli.config.settings import Settings
from thunes_cli.daemon import jobs
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.worker import Worker
from thunes_cli.errors import Locked

_log = logging.getLogger(__name__)

LOOK_S = 600.0  # the first look is after the start has settled


class DailyBackup:
    """Makes a backup when the newest good one is a day old, forgets what no rule keeps, tells when one is too old."""

    def __init__(
        self, journal: Journal, settings: Settings, *, credentials: Path | None, redact: Callable[[str], str]
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._credentials = credentials
        self._book = JobBook(journal, redact=redact)
        self._worker = Worker("backup", on_end=journal.close)

    def begin(self, beats: Periodic, *, every_s: float = LOOK_S) -> None:
        """Look from now on."""
        beats.add(every_s, self._submit)

    def finish(self) -> None:
        """Take no more on; one that is being made is left unfinished, which harms nothing."""
        self._worker.close()

    def _submit(self) -> None:
        self._worker.submit(jobs.BACKUP, self._look)

    def _look(self) -> None:
        self._book.run(Job(jobs.BACKUP, self.run))

    def run(self) -> str | None:
        """One look; a line for the record. Raises what keeps a backup from being made."""
        from thunes_cli.ops.backups.keeper import BackupKeeper  # noqa: PLC0415 - tarfile, zstd: once a day

        keeper = BackupKeeper(self._journal, self._settings, credentials=self._credentials, who={"actor": "daemon"})
        keeper.tell_if_old()
        if not keeper.due(self._journal.clock.wall()):
            return None
        try:
            made = keeper.make()
        except Locked:  # somebody makes one by hand just now
            return None
        if not made.verdict.valid:
            return f"{made.backup.id} is no good"
        going = keeper.superfluous()
        keeper.remove(going)
        _log.info("backup made: id=%s bytes=%d removed=%d", made.backup.id, made.backup.bytes, len(going))
        return f"{made.backup.id}, {made.backup.bytes} bytes"

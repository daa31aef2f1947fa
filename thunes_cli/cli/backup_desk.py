"""What the ``backup`` commands that make, prove or forget share: the home's keeper of backups, and its options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.actor import read_actor
from thunes_cli.cli.call import Call
from thunes_cli.cli.writing import home_journal

if TYPE_CHECKING:
    from thunes_cli.ops.backups.keeper import BackupKeeper

IdentityOption = Annotated[
    Path | None,
    typer.Option("--identity", metavar="FILE", help="The age identity that opens it; else AGE_IDENTITY_FILE."),
]
IdArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="As `backup list` shows it, or a file; the newest unless given.")
]


@contextmanager
def backup_desk(call: Call) -> Iterator[BackupKeeper]:
    """The keeper of the home's backups; bad settings are replaced by safe ones, a backup is not refused for them.

    Raises: as :func:`thunes_cli.cli.writing.home_journal`.
    """
    from thunes_cli.config.load import load_settings
    from thunes_cli.ops.backups.keeper import BackupKeeper

    with home_journal(call) as journal:
        home = journal.ledger.path.parent
        settings = load_settings(home, call.environ, env_file=call.env_file, relaxed=True).settings
        yield BackupKeeper(journal, settings, credentials=call.credentials, who=read_actor(call).facts)

"""``thunes backup list``: which backups are there, and when was each last found good?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thunes_cli.cli.backup_view import backup_data, backup_directory, size
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import moment
from thunes_cli.cli.reading import read_book, typed
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.clock import to_text
from thunes_cli.errors import ExitCode, LedgerCorrupt, LedgerMissing
from thunes_cli.ledger.backups import read_backups
from thunes_cli.ops.backups.catalog import list_backups


@command(
    examples=("thunes backup list", "thunes backup list --json"),
    exits=((0, "listed"), (5, "listed; the ledger is gone or damaged"), 10, 13, 78),
)
def backup_list(call: Call) -> Result:
    """Every finished backup, newest first, and when it was last found good."""
    directory = backup_directory(call)
    rows, problems = _rows(call, directory)
    table = Table(
        ("id", "made", "size", "encrypted", "found good"),
        tuple((each["id"], each["made"], size(each["bytes"]), _yes(each["encrypted"]), each["seen"]) for each in rows),
        title=str(directory),
    )
    shown = [{name: value for name, value in each.items() if name not in {"made", "seen"}} for each in rows]
    return Result(
        data={"directory": str(directory), "backups": shown},
        text=(table,),
        exit_code=ExitCode.INTEGRITY if problems else ExitCode.OK,
        problems=problems,
    )


def _rows(call: Call, directory: Path) -> tuple[list[dict[str, Any]], tuple[Problem, ...]]:
    """What the files say, and what the ledger knows of them; without a ledger they are all there is to restore from."""
    problems: tuple[Problem, ...] = ()
    try:
        known = read_book(call, lambda book: read_backups(book.connection))
    except (LedgerCorrupt, LedgerMissing) as error:
        found = list_backups(directory)
        if not found:
            raise
        known = {}
        problems = (Problem(error.code, error.message, typed(call, f"backup restore {found[0].id} --in-place")),)
    rows = []
    for backup in list_backups(directory):
        row = known.get(backup.id)
        good = row is not None and row.good
        seen = "never" if row is None or row.verified_wall is None else moment(row.verified_wall)
        if row is not None and row.problem is not None:
            seen = f"NO: {row.problem}"
        rows.append(
            backup_data(backup, None)
            | {
                "instance": backup.instance,
                "audit_seq": None if row is None else row.audit_seq,
                "made_at": to_text(backup.made_at),
                "verified": good,
                "verified_at": to_text(row.verified_wall) if row is not None and row.verified_wall else None,
                "problem": None if row is None else row.problem,
                "made": moment(backup.made_at),
                "seen": seen,
            }
        )
    return rows, problems


def _yes(value: bool) -> str:  # noqa: FBT001 - a cell
    return "yes" if value else "no"

"""``thunes backup`` and ``backup list``: take a backup, and see which there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.backup_desk import IdentityOption, backup_data, backup_desk, backup_directory, size
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import fact_lines, moment
from thunes_cli.cli.reading import typed
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, LedgerCorrupt, LedgerMissing, UsageFault

if TYPE_CHECKING:
    from thunes_cli.ops.backups.keeper import Made


@command(
    examples=("thunes backup", "thunes backup create --json | jq -r .data.path", "thunes backup --include-secrets"),
    exits=((0, "made, and found good"), (5, "it, or what it was made of, is damaged"), 10, 11, 13, 78),
)
def backup_create(
    call: Call,
    *,
    include_secrets: Annotated[
        bool, typer.Option("--include-secrets", help="Settings file and audit key too; only encrypted.")
    ] = False,
    identity: IdentityOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Take a backup of ledger, trail, checkpoints and settings, beside a running daemon or without one.

    It is signed, compressed, and encrypted to BACKUP_AGE_RECIPIENTS if there are any; then it is proven as far as this
    host can. Without recipients nothing secret is in it. It appears in BACKUP_DIR only when it is whole.
    """
    from thunes_cli.cli.progress import ByteProgress

    with backup_desk(call) as keeper:
        recipients = keeper._settings.backup_age_recipients  # noqa: SLF001 - shown before anything is done
        if include_secrets and not recipients:
            raise UsageFault("--include-secrets needs recipients to encrypt to", hint="set BACKUP_AGE_RECIPIENTS")
        if dry_run:
            how = f"encrypted to {count(len(recipients), 'recipient')}" if recipients else "not encrypted, no secrets"
            plan = [f"write a backup to {keeper.directory}, {how}", "prove it"]
            return Result(data={"plan": plan}, text=tuple(plan))
        with ByteProgress(call.streams, "backup") as progress:
            made = keeper.make(
                secrets=_secrets(keeper.home) if include_secrets else None, identity=identity, progress=progress.show
            )
    return _result(made)


def _secrets(home: Path) -> dict[str, bytes]:
    from thunes_cli.ops.backups.archive import SECRETS

    return {member: (home / name).read_bytes() for member, name in SECRETS.items() if (home / name).is_file()}


def _result(made: Made) -> Result:
    backup, verdict = made.backup, made.verdict
    proven = "whole; its content was not opened, the identity is not here" if verdict.quick else "good"
    facts = [
        ("backup", backup.id),
        ("file", str(backup.path)),
        ("size", f"{size(backup.bytes)}, {'encrypted' if backup.encrypted else 'not encrypted, without secrets'}"),
        ("trail", f"up to record {made.manifest.trail.seq}"),
        ("found", proven if verdict.valid else "; ".join(verdict.problems)),
    ]
    problems = tuple(
        Problem("backup_damaged", problem, "look at the disk: dmesg, df -h") for problem in verdict.problems
    )
    return Result(
        data=backup_data(backup, made.manifest) | {"verified": verdict.valid, "quick": verdict.quick},
        text=(fact_lines(facts),),
        exit_code=ExitCode.INTEGRITY if problems else ExitCode.OK,
        changed=True,
        problems=problems,
        problems_in_text=True,
    )


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
    from thunes_cli.clock import to_text
    from thunes_cli.ledger.backups import read_backups
    from thunes_cli.ops.backups.catalog import list_backups

    problems: tuple[Problem, ...] = ()
    try:
        with backup_desk(call) as keeper, keeper.journal.read() as connection:
            known = read_backups(connection)
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

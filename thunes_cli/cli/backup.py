"""``thunes backup``: take one, and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.backup_desk import IdentityOption, backup_desk
from thunes_cli.cli.backup_view import backup_data, size
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import fact_lines
from thunes_cli.cli.result import Problem, Result
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, UsageFault

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
        recipients = keeper.recipients
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

"""``thunes backup prune``: remove what no rule keeps."""

from __future__ import annotations

from typing import Annotated

import typer

from thunes_cli.cli.backup_desk import IdentityOption, backup_desk
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.result import Result
from thunes_cli.counts import count


@command(
    examples=("thunes backup prune --dry-run", "thunes backup prune --yes"),
    exits=(
        (0, "removed, or nothing was to remove"),
        (5, "the newest is damaged; nothing was removed"),
        6,
        7,
        10,
        11,
        13,
        78,
    ),
)
def backup_prune(
    call: Call,
    *,
    identity: IdentityOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Remove backups that no rule keeps.

    Of each of BACKUP_KEEP_DAILY days, _WEEKLY weeks and _MONTHLY months the newest stays, and the newest three in any
    case. Nothing is removed unless the newest one is found good first.
    """
    from thunes_cli.ops.backups.faults import BackupDamaged

    with backup_desk(call) as keeper:
        going = keeper.superfluous()
        if not going:
            return Result(data={"removed": []}, text=("every backup is kept by a rule",))
        plan = [f"remove {backup.id}" for backup in going]
        if dry_run:
            return Result(data={"plan": plan}, text=tuple(plan))
        newest = keeper.own()[0]
        verdict = keeper.verify(newest, identity=identity)
        if not verdict.valid:
            raise BackupDamaged(newest.id, "; ".join(verdict.problems) + "; nothing was removed")
        call.confirm(f"Remove {count(len(going), 'backup')}?", yes=yes)
        keeper.remove(going)
    names = [backup.id for backup in going]
    return Result(data={"removed": names}, text=tuple(f"removed {name}" for name in names), changed=True)

"""``thunes backup verify`` and ``backup drill``: would it restore?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.backup_desk import IdArgument, IdentityOption, backup_desk
from thunes_cli.cli.backup_view import size
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import fact_lines
from thunes_cli.cli.result import Problem, Result
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, UsageFault

if TYPE_CHECKING:
    from thunes_cli.ops.backups.keeper import BackupKeeper
    from thunes_cli.ops.backups.restore import Restored
    from thunes_cli.ops.backups.verify import Verdict


@command(
    examples=(
        "thunes backup verify",
        "thunes backup verify 20260310T120000Z --identity ~/usb/age.key",
        "thunes backup verify --all --quick",
    ),
    exits=((0, "good"), (5, "damaged"), 10, 13, 78),
)
def backup_verify(
    call: Call,
    *,
    backup_id: IdArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="Every one there is.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Only the file as a whole: needs no identity.")] = False,
    identity: IdentityOption = None,
) -> Result:
    """Is a backup good?

    It is decrypted; every member's hash, the signature, SQLite's integrity check, the rows that were counted, and the
    trail inside are proven. Without an identity an encrypted one can only be looked at as a file.
    """
    from thunes_cli.cli.progress import ByteProgress
    from thunes_cli.ops.backups.catalog import find_backup, list_backups

    if everything and backup_id is not None:
        raise UsageFault("--all does not go with an ID", hint="thunes backup verify --help")
    with backup_desk(call) as keeper, ByteProgress(call.streams, "verifying") as progress:
        found = list_backups(keeper.directory) if everything else [find_backup(keeper.directory, backup_id)]
        verdicts = [keeper.verify(each, identity=identity, quick=quick, progress=progress.show) for each in found]
    return _verdicts(verdicts)


def _verdicts(verdicts: list[Verdict]) -> Result:
    problems = tuple(
        Problem("backup_damaged", f"{each.backup.id}: {problem}", "keep it as evidence: thunes backup list")
        for each in verdicts
        for problem in each.problems
    )
    lines = [f"{each.backup.id}  {_word(each)}" for each in verdicts] or ["there is no backup"]
    return Result(
        data={
            "valid": not problems,
            "problems": [problem.message for problem in problems],
            "backups": [
                {"id": each.backup.id, "valid": each.valid, "quick": each.quick, "problems": each.problems}
                for each in verdicts
            ],
        },
        text=tuple(lines),
        exit_code=ExitCode.INTEGRITY if problems else ExitCode.OK,
        problems=problems,
    )


def _word(verdict: Verdict) -> str:
    if not verdict.valid:
        return "DAMAGED"
    return "good as a file; its content was not opened" if verdict.quick else "good"


@command(
    examples=("thunes backup drill", "thunes backup drill --identity ~/usb/age.key --json | jq .data.rto_s"),
    exits=((0, "it restores"), (5, "it does not"), 10, 13, 78),
)
def backup_drill(call: Call, *, backup_id: IdArgument = None, identity: IdentityOption = None) -> Result:
    """Restore a backup to a temporary place, prove it, and clean up: how long would it take?

    Everything but talking to the exchange: ledger, positions against their fills, trail with the record that a restore
    leaves. Nothing of this home is touched.
    """
    from thunes_cli.cli.progress import ByteProgress
    from thunes_cli.ops.backups.catalog import find_backup

    began = time.monotonic()
    with backup_desk(call) as keeper, ByteProgress(call.streams, "restoring") as progress:
        backup = find_backup(keeper.directory, backup_id)
        problems, restored = _rehearse(keeper, backup_id, identity=identity, progress=progress)
    rto_s = round(time.monotonic() - began, 3)
    facts = [("backup", f"{backup.id}, {size(backup.bytes)}")]
    if restored is not None:
        facts += [("restored", f"{count(restored.last_seq, 'record')} on the trail"), ("took", f"{rto_s:.1f} s")]
    return Result(
        data={"id": backup.id, "valid": not problems, "problems": problems, "rto_s": rto_s},
        text=(fact_lines(facts), "it restores" if not problems else "it does NOT restore"),
        exit_code=ExitCode.INTEGRITY if problems else ExitCode.OK,
        problems=tuple(Problem("backup_damaged", problem, "take another one: thunes backup") for problem in problems),
    )


def _rehearse(
    keeper: BackupKeeper, backup_id: str | None, *, identity: object, progress: object
) -> tuple[list[str], Restored | None]:
    from thunes_cli.audit.segments import PUBLIC_KEY
    from thunes_cli.audit.validation import Request, validate
    from thunes_cli.config.home import TRAIL
    from thunes_cli.errors import IntegrityError
    from thunes_cli.ops.backups.catalog import find_backup
    from thunes_cli.ops.backups.restore import restore_to
    from thunes_cli.ops.backups.verify import public_keys, unpacked
    from thunes_cli.ops.backups.workplace import workplace

    backup = find_backup(keeper.directory, backup_id)
    identities = keeper.identities(backup, keeper.identity_file(identity))  # type: ignore[arg-type]  # typer's Path
    with (
        workplace(keeper.directory) as place,
        unpacked(backup, identities, place=place, keys=keeper.keys_for(backup), progress=progress.show) as (  # type: ignore[attr-defined]  # a ByteProgress
            directory,
            verdict,
        ),
    ):
        if not verdict.valid or verdict.manifest is None:
            return verdict.problems, None
        try:
            restored = restore_to(directory, verdict.manifest, place / "home", drill=True)
        except IntegrityError as error:
            return [error.message], None
        report = validate(Request(place / "home" / TRAIL, whole=True, keys=public_keys(place / "home" / PUBLIC_KEY)))
        return [] if report.valid else ["the restored trail does not validate"], restored

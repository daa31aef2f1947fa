"""``thunes backup restore``: a home from a backup, beside this one or in its place."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.actor import read_actor
from thunes_cli.cli.backup_desk import IdentityOption
from thunes_cli.cli.backup_view import backup_directory, size
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import fact_lines
from thunes_cli.cli.reading import typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.config.tilde import expanded
from thunes_cli.counts import count
from thunes_cli.errors import ConfigError, ExitCode, ThunesError, UsageFault

if TYPE_CHECKING:
    from thunes_cli.cli.desk import Desk
    from thunes_cli.ops.backups.catalog import Backup
    from thunes_cli.ops.backups.restore import Restored
    from thunes_cli.ops.backups.verify import Verdict


class ExchangeElsewhere(ConfigError):
    """the embedded exchange of the home it was made in is not here"""

    code = "exchange_elsewhere"
    hint = "copy that home's sim/ into this one before anything else is typed, or restore it with --in-place"


COMMAND = "backup restore"
_DOUBTS_S = 30.0
_POLL_S = 0.2


@command(
    examples=(
        "thunes backup restore 20260310T120000Z --to ~/thunes-restored",
        "thunes backup restore /mnt/usb/thunes-k7m2qp-20260310T120000Z.tar.zst.age --identity age.key --to ~/thunes",
        'thunes backup restore 20260310T120000Z --in-place --confirm "restore testnet"',
    ),
    exits=(
        (0, "restored, and ledger and exchange agree"),
        (4, "restored; ledger and exchange differ"),
        (5, "the backup is damaged; nothing was touched"),
        6,
        7,
        10,
        (11, "the daemon runs; nothing was touched"),
        13,
        (15, "restored; the exchange could not be asked"),
        78,
    ),
)
def backup_restore(
    call: Call,
    *,
    backup_id: Annotated[str, typer.Argument(metavar="ID", help="As `backup list` shows it, or a backup's file.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="An empty directory, or none yet.")] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Replace this home; it is kept beside.")] = False,
    identity: IdentityOption = None,
    phrase: Annotated[
        str | None, typer.Option("--confirm", metavar="PHRASE", help='"restore <environment>", with --in-place.')
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Make a home of a backup, once it is proven good.

    It gets an epoch of its own, so that no order id is used twice, and buys only on candles that close from now on. A
    trail that goes on where the backup's ends is continued. Then ledger and exchange are compared, and what our own
    orders prove is booked.
    """
    if (to is None) is not in_place:
        raise UsageFault("say where: --to DIR, or --in-place", hint="thunes backup restore --help")
    backup = _backup(call, backup_id)
    if to is not None:
        return _to(call, backup, expanded(to).absolute(), identity=identity, dry_run=dry_run)
    return _in_place(call, backup, identity=identity, phrase=phrase, dry_run=dry_run)


def _backup(call: Call, named: str) -> Backup:
    """By its id in the home's directory, or by its file: then no home is needed."""
    from thunes_cli.ops.backups.catalog import find_backup

    if "/" in named or named.endswith((".zst", ".age")):
        return find_backup(Path(), str(expanded(named).absolute()))
    return find_backup(backup_directory(call), named)


def _identities(call: Call, backup: Backup, identity: Path | None) -> Any:
    from thunes_cli.config.load import load_settings
    from thunes_cli.ops.backups.sealing import read_identities

    if not backup.encrypted:
        return []
    if identity is None:
        identity = load_settings(
            call.home, call.environ, env_file=call.env_file, relaxed=True
        ).settings.age_identity_file
    return read_identities(identity)


def _demand_good(verdict: Verdict) -> None:
    from thunes_cli.ops.backups.faults import BackupDamaged

    if not verdict.valid:
        raise BackupDamaged(verdict.backup.id, "; ".join(verdict.problems) + "; nothing was touched")


def _to(call: Call, backup: Backup, target: Path, *, identity: Path | None, dry_run: bool) -> Result:
    from thunes_cli.cli.progress import ByteProgress
    from thunes_cli.ops.backups.restore import check_target, make_room_for, restore_to
    from thunes_cli.ops.backups.verify import unpacked

    check_target(target)
    if dry_run:
        plan = [f"prove {backup.id} ({size(backup.bytes)})", f"make a home of it in {target}, with a new epoch"]
        return Result(data={"plan": plan}, text=tuple(plan))
    identities = _identities(call, backup, identity)
    make_room_for(target)
    with ByteProgress(call.streams, "restoring") as progress:
        place = target.parent
        with unpacked(backup, identities, place=place, progress=progress.show) as (directory, verdict):
            _demand_good(verdict)
            assert verdict.manifest is not None
            restored = restore_to(directory, verdict.manifest, target, **read_actor(call).facts)
    return _finish(call, backup, restored)


def _in_place(call: Call, backup: Backup, *, identity: Path | None, phrase: str | None, dry_run: bool) -> Result:
    from thunes_cli.audit.segments import PUBLIC_KEY
    from thunes_cli.cli.progress import ByteProgress
    from thunes_cli.daemon.lock import DaemonLock
    from thunes_cli.ops.backups.old_home import read_old_home
    from thunes_cli.ops.backups.restore import check_replaceable, restore_in_place
    from thunes_cli.ops.backups.verify import public_keys, unpacked

    home = _replaceable(call.home)
    identities = _identities(call, backup, identity)
    old = read_old_home(home)
    keys = public_keys(home / PUBLIC_KEY) if old is not None and old.instance == backup.instance else ()
    lock = DaemonLock(home)
    lock.acquire(COMMAND)
    try:
        with (
            ByteProgress(call.streams, "restoring") as progress,
            unpacked(backup, identities, place=home.resolve().parent, keys=keys, progress=progress.show) as (
                directory,
                verdict,
            ),
        ):
            _demand_good(verdict)
            manifest = verdict.manifest
            assert manifest is not None
            check_replaceable(home.resolve(), manifest)
            plan = [f"replace {home} by {backup.id} of {manifest.made_at}", "keep the old one beside it, whole"]
            if dry_run:
                return Result(data={"plan": plan}, text=tuple(plan))
            call.confirm_phrase("\n".join(plan), phrase=f"restore {manifest.environment}", given=phrase)
            kept = backup if backup.path.parent.resolve() == backup_directory(call).resolve() else None
            restored = restore_in_place(directory, manifest, home, kept=kept, **read_actor(call).facts)
    finally:
        lock.release()
    return _finish(call, backup, restored)


def _replaceable(home: Path) -> Path:
    """A home, or what is left of one: without its ledger there is all the more reason to restore.

    Raises: HomeMissing, HomeNotOurs (10). HomeInUse: it holds other things (78).
    """
    from thunes_cli.config.home import check_takeable, require_home
    from thunes_cli.errors import LedgerMissing

    try:
        return require_home(home)
    except LedgerMissing:
        check_takeable(home)
        return home


def _finish(call: Call, backup: Backup, restored: Restored) -> Result:
    """Ledger and exchange are compared; what cannot be found out now the next start finds out."""
    here = replace(call, home_option=str(restored.home))
    clean, problems = _compare(here)
    problems += _tell(here)
    facts = [
        ("restored", f"{backup.id} to {restored.home}"),
        ("epoch", f"{restored.epoch}, was {restored.epoch_before}"),
        ("trail", f"{restored.trail}, {count(restored.last_seq, 'record')}"),
        ("exchange", "not compared yet" if clean is None else "agrees" if clean else "DIFFERS"),
    ]
    if restored.alerts_expired:
        told = (
            f"{count(restored.alerts_expired, 'alert')} of the backup's time; {typed(here, 'alerts list --since all')}"
        )
        facts.append(("not sent", told))
    if restored.aside is not None:
        facts.append(("the old one", str(restored.aside)))
    code = ExitCode.PARTIAL if clean is None else ExitCode.OK if clean else ExitCode.MISMATCH
    then = [f"next: {typed(here, 'config check --online')}   then: {typed(here, 'run')}"]
    if any(each.code == ExchangeElsewhere.code for each in problems):
        then = []  # it would begin another exchange, with another account
    return Result(
        data={
            "id": backup.id,
            "restored": [str(restored.home)],
            "home": str(restored.home),
            "epoch": restored.epoch,
            "trail": restored.trail,
            "aside": None if restored.aside is None else str(restored.aside),
            "alerts_expired": restored.alerts_expired,
            "reconciled": clean,
        },
        text=(fact_lines(facts), *then),
        exit_code=code,
        changed=True,
        problems=problems,
        home=restored.home,
    )


def _compare(call: Call) -> tuple[bool | None, tuple[Problem, ...]]:
    """Whether both agree once our own orders are booked; None when the exchange could not be asked."""
    from thunes_cli.cli.desk import at_desk
    from thunes_cli.cli.ledger_errors import ledger_error
    from thunes_cli.cli.reconcile_view import problems_of
    from thunes_cli.config.home import LEDGER
    from thunes_cli.trading.reconcile_look import Scope

    try:
        _demand_an_exchange(call)
        with at_desk(call) as desk:
            reconciler = desk.room.reconciler
            _settle_doubts(desk)
            look = reconciler.look(Scope(since=None))
            if any(finding.safe for finding in look.comparison.findings):
                reconciler.settle(look)
                look = reconciler.look(Scope(since=None))
            reconciler.keep(look, by="restore")
            return look.comparison.clean, problems_of(call, look)
    except (ThunesError, sqlite3.Error) as error:  # the restore stands, whatever keeps both from being compared
        told = error if isinstance(error, ThunesError) else ledger_error(error, call.home / LEDGER, verb="written")
        hint = f"{typed(call, 'reconcile --apply')}; the next start does so as well"
        if isinstance(error, ExchangeElsewhere):
            hint = error.hint
        return None, (Problem(told.code, f"ledger and exchange were not compared: {told.message}", hint),)


def _tell(call: Call) -> tuple[Problem, ...]:
    """The restore's own alert goes out at once, if it can."""
    from thunes_cli.cli.alerting import send_now
    from thunes_cli.cli.writing import home_journal

    try:
        with home_journal(call) as journal:
            return send_now(call, journal, home=call.home)
    except ThunesError as error:
        return (Problem(error.code, f"the alert of it was not sent: {error.message}", typed(call, "alerts retry")),)


def _settle_doubts(desk: Desk) -> None:
    """Ask what became of orders that were under way; that one was never placed takes its time to prove."""
    ends = time.monotonic() + _DOUBTS_S
    while desk.room.resolver.resolve_due() and time.monotonic() < ends:
        time.sleep(_POLL_S)


def _demand_an_exchange(call: Call) -> None:
    """The embedded exchange is no witness for a home that comes from elsewhere: it would begin anew."""
    from thunes_cli.config.home import SIM
    from thunes_cli.config.load import load_settings
    from thunes_cli.model import Environment

    settings = load_settings(call.home, call.environ, env_file=call.env_file, relaxed=True).settings
    if settings.environment is Environment.SIM and not settings.binance_rest_url and not (call.home / SIM).is_dir():
        raise ExchangeElsewhere

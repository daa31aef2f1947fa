"""``thunes reconcile``: does the ledger agree with the exchange, and if not, what really happened?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.durations import Since, parse_since
from thunes_cli.cli.reconcile_view import exit_of, look_data, look_text, problems_of
from thunes_cli.cli.result import Result
from thunes_cli.clock import EPOCH
from thunes_cli.errors import Cancelled, NeedsConfirmation, UsageFault

if TYPE_CHECKING:
    from thunes_cli.cli.desk import Desk
    from thunes_cli.trading.operator_word import Judgement
    from thunes_cli.trading.reconcile_apply import Applied
    from thunes_cli.trading.reconcile_look import Look, Scope

SINCE = "7d"
_LONGEST = 40  # digits: no amount of money has more
_REASON = "accepted as it is by reconcile --apply"


@command(
    examples=(
        "thunes reconcile",
        "thunes reconcile --since all --json",
        "thunes reconcile --apply",
        'thunes reconcile --apply --confirm "apply testnet" --reason "the monthly wipe"',
        'thunes reconcile accept USDT --reason "deposit of May 3"',
        "thunes reconcile --rebuild",
    ),
    exits=(
        (0, "ledger and exchange agree"),
        (4, "they differ; every difference is a line"),
        5,
        6,
        7,
        10,
        12,
        (13, "the exchange could not be asked: nothing is concluded"),
        78,
    ),
)
def reconcile(
    call: Call,
    *,
    symbol: Annotated[
        str | None, typer.Option("--symbol", metavar="SYMBOL", help="Only its orders and its base asset.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="Orders and trades since: 24h, 7d, all, or a time.")
    ] = SINCE,
    apply: Annotated[bool, typer.Option("--apply", help="Book what our own orders prove.")] = False,
    phrase: Annotated[
        str | None,
        typer.Option("--confirm", metavar="PHRASE", help='"apply ENVIRONMENT": accept the rest as it is, too.'),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")] = _REASON,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Fill an empty ledger from the exchange's history alone.")
    ] = False,
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="ID", help="With --rebuild: whose orders, when several traded.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Does the ledger agree with the exchange? Changes nothing unless told to.

    Compares in both directions, order by order, trade by trade and asset by asset. What the account held before us is
    the baseline. --apply books what our own orders prove; the rest (somebody traded, deposited, withdrew; a wiped
    testnet) is a judgement and needs the phrase.
    """
    if rebuild:
        from thunes_cli.cli.reconcile_rebuild import rebuild_ledger

        if apply:
            raise UsageFault("--rebuild and --apply contradict each other", hint="thunes reconcile --rebuild")
        return rebuild_ledger(call, symbol=symbol, instance=instance, phrase=phrase, dry_run=dry_run)
    if instance is not None or (phrase is not None and not apply):
        wanted = "--rebuild" if instance is not None else "--apply"
        raise UsageFault(f"that option goes with {wanted}", hint=f"thunes reconcile {wanted}")
    from thunes_cli.cli.desk import at_desk

    asked = _Asked(symbol=symbol.upper() if symbol else None, since=parse_since(since, option="--since"))
    with at_desk(call) as desk:
        return _compare(call, desk, asked, apply=apply, phrase=phrase, reason=reason, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class _Asked:
    symbol: str | None
    since: Since

    def scope(self, desk: Desk) -> Scope:
        """What to look at."""
        from thunes_cli.trading.reconcile_look import Scope

        begin = self.since.begins(desk.journal.clock.now())
        return Scope(since=None if begin == EPOCH else begin, symbol=self.symbol)


def _compare(
    call: Call, desk: Desk, asked: _Asked, *, apply: bool, phrase: str | None, reason: str, dry_run: bool
) -> Result:
    environment = desk.identity.environment
    look = look_with_progress(call, desk, asked.scope(desk))
    if dry_run:
        return _plan(look, rest=phrase is not None)
    accepts = apply and _accepts_rest(call, look, environment=environment, phrase=phrase)
    reconciler = desk.room.reconciler
    applied: list[Applied] = []
    reconciler.keep(look, by="operator")
    if apply:
        applied = reconciler.settle(look)
        look = look_with_progress(call, desk, asked.scope(desk)) if applied else look
    if accepts and not look.comparison.clean:
        applied += accept_rest(desk, asked.scope(desk), look, judgement(call, reason))
        look = look_with_progress(call, desk, asked.scope(desk))
    if applied:
        reconciler.keep(look, by="operator")
    return Result(
        data=look_data(look, applied),
        text=look_text(call, look, applied, environment=environment),
        exit_code=exit_of(look),
        changed=bool(applied),
        problems=problems_of(call, look),
        problems_in_text=True,
    )


def look_with_progress(call: Call, desk: Desk, scope: Scope) -> Look:
    """Compare, with a bar for whoever waits."""
    from thunes_cli.cli.progress import RowProgress
    from thunes_cli.ledger.view_orders import count_rows

    with desk.journal.read() as connection:
        expected = count_rows(connection, since=scope.since)
    with RowProgress(call.streams, "comparing", expected=expected) as progress:
        return desk.room.reconciler.look(scope, progress=progress.add)


def _accepts_rest(call: Call, look: Look, *, environment: str, phrase: str | None) -> bool:
    """Whether what our orders do not prove is to be accepted too: asked before anything is touched."""
    rest = [finding for finding in look.comparison.findings if finding.counts and not finding.safe]
    wanted = f"apply {environment}"
    if phrase is not None:
        call.confirm_phrase("", phrase=wanted, given=phrase)
        return True
    if not rest or not call.streams.can_prompt:
        return False
    question = "\n".join(f"  {finding.kind}: {finding.message}" for finding in rest)
    try:
        call.confirm_phrase(f"Not proven by our own orders:\n{question}\nAccept that too?", phrase=wanted, given=None)
    except (Cancelled, NeedsConfirmation):
        return False
    return True


def accept_rest(desk: Desk, scope: Scope, look: Look, who: Judgement) -> list[Applied]:
    """Accept what is left; what a first word uncovers (coins that were more than the position's) by a second."""
    reconciler = desk.room.reconciler
    reconciler.keep(look, by="operator")
    applied = reconciler.accept(look, who)
    again = reconciler.look(replace(scope))
    if applied and not again.comparison.clean and not again.comparison.wiped:
        reconciler.keep(again, by="operator")
        applied += reconciler.accept(again, who)
    return applied


def judgement(call: Call, reason: str) -> Judgement:
    """Who says it, and why."""
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.cli.writing import reason_given
    from thunes_cli.trading.operator_word import Judgement

    actor = read_actor(call)
    return Judgement(actor.name, reason_given(reason), actor.facts)


def _plan(look: Look, *, rest: bool) -> Result:
    findings = [finding for finding in look.comparison.findings if finding.counts]
    steps = [f"book: {finding.message}" for finding in findings if finding.safe]
    if rest:
        steps += [f"accept: {finding.message}" for finding in findings if not finding.safe]
    return Result(data={"plan": steps}, text=tuple(steps) or ("nothing to do",))


def positive(text: str, *, option: str, zero: bool = False) -> Decimal:
    """A positive amount as typed; zero too where it makes sense.

    Raises:
        UsageFault: anything else (2).
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or (value == 0 and not zero) or len(text) > _LONGEST:
        raise UsageFault(f"{option} {text}: not a positive number", hint=f"for example: {option} 0.5")
    return value

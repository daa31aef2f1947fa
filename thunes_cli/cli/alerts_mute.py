"""``thunes alerts mute`` and ``unmute``: hold a kind of alert back for a while. Nothing is lost by it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from thunes_cli.cli.alerts import kind_named
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import read_book
from thunes_cli.cli.result import Result
from thunes_cli.clock import to_text
from thunes_cli.errors import UsageFault
from thunes_cli.ledger.alert_mutes import Mute, end_mute, read_mutes, save_mute
from thunes_cli.spans import span

if TYPE_CHECKING:
    import typer

    from thunes_cli.audit.journal import Change
    from thunes_cli.ledger.alert_kinds import Kind

_LONGEST = timedelta(days=7)  # a mute that is forgotten is a channel that is off


@command(
    examples=(
        'thunes alerts mute job_failed --for 2h --reason "the provider works on its network"',
        'thunes alerts mute breaker --for 30m --reason "known outage" --json',
    ),
    exits=((0, "muted, from now on or already"), 5, 10, 13, 78),
)
def alerts_mute(
    call: Call,
    *,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Which kind: as `thunes alerts list` names it.")],
    length: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long: 30m, 2h, at most 7d.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Hold a kind of alert back: recorded and logged as ever, but not sent.

    When the time is over, or with `thunes alerts unmute`, one message tells what came meanwhile. It changes nothing
    else: limits, kill switch and exits work as before.
    """
    from thunes_cli.cli.durations import parse_duration
    from thunes_cli.cli.writing import change_home, reason_given

    chosen, why = kind_named(kind), reason_given(reason)
    wanted = parse_duration(length, option="--for")
    if not timedelta(0) < wanted <= _LONGEST:
        raise UsageFault(f"--for {length}: must be more than nothing and at most 7d", hint="for example: --for 2h")
    if dry_run:
        plan = [f"hold back alerts of kind {chosen} for {span(wanted)}"]
        read_book(call, lambda book: book.now)
        return Result(data={"plan": plan}, text=tuple(plan))
    from thunes_cli.cli.actor import read_actor

    actor = read_actor(call)

    def work(change: Change) -> bool:
        before = _in_force(change, chosen)
        until = change.at_wall + wanted
        if before is not None and before.until_wall >= until:
            return False
        from thunes_cli.audit.events import Event

        save_mute(change.connection, Mute(chosen, change.at_wall, until, why, actor.name))
        change.record(
            Event.ALERTS_MUTED,
            kind=chosen,
            seconds=int(wanted.total_seconds()),
            reason=why,
            actor=actor.name,
            **actor.facts,
        )
        return True

    changed, problems = change_home(call, work)
    told = f"alerts of kind {chosen} wait for {span(wanted)}; nothing is lost"
    text = told if changed else f"alerts of kind {chosen} were held back for as long already; nothing changed"
    return Result(data=_mutes(call), text=(text,), changed=changed, problems=problems)


@command(
    examples=('thunes alerts unmute job_failed --reason "the provider is done"',),
    exits=((0, "not muted, from now on or already"), 5, 10, 13, 78),
)
def alerts_unmute(
    call: Call,
    *,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Which kind: as `thunes alerts list` names it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Let a kind of alert go out again; what came meanwhile follows as one message."""
    from thunes_cli.cli.writing import change_home, reason_given

    chosen, why = kind_named(kind), reason_given(reason)
    if dry_run:
        muted = read_book(
            call, lambda book: any(m.kind == chosen and m.holds(book.wall) for m in read_mutes(book.connection))
        )
        plan = [f"let alerts of kind {chosen} go out again"] if muted else []
        return Result(data={"plan": plan}, text=tuple(plan) or ("nothing to do",))
    from thunes_cli.cli.actor import read_actor

    actor = read_actor(call)

    def work(change: Change) -> bool:
        if _in_force(change, chosen) is None:
            return False
        from thunes_cli.audit.events import Event

        end_mute(change.connection, chosen)
        change.record(Event.ALERTS_UNMUTED, kind=chosen, reason=why, actor=actor.name, **actor.facts)
        return True

    changed, problems = change_home(call, work)
    text = f"alerts of kind {chosen} go out again" if changed else f"{chosen} was not muted; nothing changed"
    return Result(data=_mutes(call), text=(text,), changed=changed, problems=problems)


def _in_force(change: Change, kind: Kind) -> Mute | None:
    found = (mute for mute in read_mutes(change.connection) if mute.kind == kind and mute.holds(change.at_wall))
    return next(found, None)


def _mutes(call: Call) -> dict[str, Any]:
    mutes, anchor, wall = read_book(call, lambda book: (read_mutes(book.connection), book.identity.anchor, book.wall))
    shown = [
        {"kind": mute.kind, "until": to_text(anchor.market_at(mute.until_wall)), "reason": mute.reason}
        for mute in mutes
        if mute.holds(wall)
    ]
    return {"mutes": shown}

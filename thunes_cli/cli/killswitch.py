"""``thunes killswitch``: stop entries in every process at once, see why they are stopped, let them go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.killswitch_view import SwitchView, read_view, today_text, view_data, view_text
from thunes_cli.cli.reading import Book, read_book, typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.cli.transitions import transition_data, transition_table
from thunes_cli.errors import ExitCode
from thunes_cli.ledger import controls

if TYPE_CHECKING:
    import typer

    from thunes_cli.audit.journal import Change

NO_REASON = "by hand, no reason given"


@command(
    examples=(
        "thunes killswitch status",
        "thunes killswitch status --json",
        "thunes -q killswitch status || echo stopped",
    ),
    exits=((0, "entries are not stopped"), (3, "entries are stopped, or the daily loss is used up"), 5, 10, 13, 78),
)
def killswitch_status(call: Call) -> Result:
    """Are entries stopped, and why?

    Needs neither daemon nor settings nor network. The limit is the one the daemon recorded last. The counted loss is
    what today's fills lost since the switch was deactivated last: that, not the day's whole result, trips it.
    """
    view = read_book(call, _view)
    problems = tuple(_problems(call, view))
    return Result(
        data=view_data(view),
        text=(view_text(view),),
        exit_code=ExitCode.ATTENTION if problems else ExitCode.OK,
        problems=problems,
    )


@command(
    examples=('thunes killswitch activate --reason "flash crash"', "thunes killswitch activate"),
    exits=(
        (0, "entries are stopped, from now on or already"),
        5,
        10,
        (13, "it could not be written down: nothing is stopped"),
        78,
    ),
)
def killswitch_activate(
    call: Call,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")] = NO_REASON,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Stop entries in every process, at once. Exits go on.

    Never asks anything, and needs neither daemon nor settings nor network. An order that has left already is not
    called back. It stays active, through restarts and midnights, until it is deactivated.
    """
    why = " ".join(reason.split()) or NO_REASON
    if dry_run:
        view = read_book(call, _view)
        return _plan(["activate the kill switch: entries stop in every process"], nothing=view.standing.switch.active)
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.cli.writing import change_home
    from thunes_cli.risk import kill_switch

    actor = read_actor(call)

    def work(change: Change) -> tuple[bool, SwitchView]:
        changed = kill_switch.activate(change, reason=why, actor=actor.name, facts=actor.facts)
        return changed, read_view(change.connection, change.at)

    (changed, view), problems = change_home(call, work)
    first = "entries are stopped; exits go on" if changed else "entries were stopped already; nothing changed"
    return Result(data=view_data(view), text=(first, view_text(view)), changed=changed, problems=problems)


@command(
    examples=(
        'thunes killswitch deactivate --reason "cause found: bad candle"',
        'thunes killswitch deactivate --reason "cause found" --confirm "deactivate live"',
    ),
    exits=((0, "entries are not stopped, from now on or already"), 5, 6, 7, 10, 13, 78),
)
def killswitch_deactivate(
    call: Call,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What was found; it goes to the trail.")],
    phrase: Annotated[
        str | None,
        typer.Option("--confirm", metavar="PHRASE", help='"deactivate ENVIRONMENT", as in "deactivate live".'),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Let entries go on, and re-arm the switch.

    Shows first what was lost today and how often it was re-armed. From then on only fills that are booked later count
    towards the daily loss: what was lost before does not trip it again, a further MAX_DAILY_LOSS does.
    """
    from thunes_cli.cli.writing import change_home, reason_given

    why = reason_given(reason)
    before, environment = read_book(call, lambda book: (_view(book), book.identity.environment))
    active = before.standing.switch.active
    if dry_run:
        return _plan(
            ["deactivate the kill switch: entries go on", "re-arm it: only later losses count"], nothing=not active
        )
    today = today_text(before)
    if active or phrase is not None:
        call.confirm_phrase(today, phrase=f"deactivate {environment}", given=phrase)
    if not active:
        return Result(data=view_data(before), text=(today, "entries are not stopped; nothing changed"))
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.risk import kill_switch

    actor = read_actor(call)

    def work(change: Change) -> tuple[bool, SwitchView]:
        changed = kill_switch.deactivate(change, reason=why, actor=actor.name, facts=actor.facts)
        return changed, read_view(change.connection, change.at)

    (changed, view), problems = change_home(call, work)
    last = "deactivated: entries go on, and only what is lost from now on counts"
    return Result(data=view_data(view), text=(today, last), changed=changed, problems=problems)


@command(
    examples=("thunes killswitch history", "thunes killswitch history --since 30d --json"),
    exits=(5, 10, 13, 78),
)
def killswitch_history(
    call: Call,
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="today (since midnight UTC), 24h, 7d, all, or a time.")
    ] = "all",
) -> Result:
    """When entries were stopped and let go on, why and by whom, oldest first."""
    from thunes_cli.cli.durations import parse_since

    begin = parse_since(since, option="--since")
    rows = read_book(
        call,
        lambda book: controls.read_transitions(book.connection, controls.KILL_SWITCH, since=begin.begins(book.now)),
    )
    return Result(data={"transitions": [transition_data(row) for row in rows]}, text=(transition_table(rows),))


def _problems(call: Call, view: SwitchView) -> list[Problem]:
    switch = view.standing.switch
    if switch.active:
        message = f"the kill switch is active: {switch.reason}; entries are stopped, exits go on"
        found = typed(call, 'killswitch deactivate --reason "..."')
        hint = f"{typed(call, 'pnl --losses')}; when the cause is found: {found}"
        return [Problem("kill_switch_active", message, hint)]
    if view.used_up:
        message = "the counted loss reaches the daily limit: entries are refused, and the next fill trips the switch"
        return [Problem("daily_loss_limit_exceeded", message, typed(call, "pnl --losses"))]
    return []


def _view(book: Book) -> SwitchView:
    return read_view(book.connection, book.now)


def _plan(steps: list[str], *, nothing: bool) -> Result:
    plan = [] if nothing else steps
    return Result(data={"plan": plan}, text=tuple(plan) or ("nothing to do",))

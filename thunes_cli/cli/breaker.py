"""``thunes breaker``: is anything sent to the exchange, why not, and closing the breaker by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from thunes_cli.cli.breaker_view import WireView, read_wire, wire_data, wire_text
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import read_book, typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.cli.transitions import transition_data, transition_table
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, NotFound
from thunes_cli.ledger import breakers
from thunes_cli.ledger.breakers import OFTEN, BreakerState

if TYPE_CHECKING:
    import typer

    from thunes_cli.audit.journal import Change


@command(
    examples=("thunes breaker status", "thunes breaker status --json"),
    exits=(
        (0, "closed, no ban, seldom tripped"),
        (3, "not closed, a ban, or more than 3 trips within 24 h"),
        5,
        10,
        13,
        78,
    ),
)
def breaker_status(call: Call) -> Result:
    """Is anything sent to the exchange, and if not, why not?

    Computed from what the ledger holds, for every process alike. An open breaker whose time is over is half-open: the
    next call, or the daemon by itself, sends one probe, and its answer closes it.
    """
    view = read_book(call, read_wire)
    problems = tuple(_problems(call, view))
    return Result(
        data=wire_data(view),
        text=(wire_text(view),),
        exit_code=ExitCode.ATTENTION if problems else ExitCode.OK,
        problems=problems,
    )


@command(
    examples=(
        'thunes breaker reset --reason "it was our proxy"',
        'thunes breaker reset rest --reason "it was our proxy" --yes',
    ),
    exits=((0, "closed, from now on or already"), 5, 6, 7, (10, "no home, or no breaker of that name"), 13, 78),
)
def breaker_reset(
    call: Call,
    *,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Which breaker; without it all of them.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Close the breaker by hand and forget its failures. Every process sees it at its next call.

    It closes by itself when the exchange answers again. A ban is the exchange's own order: nothing here lifts it.
    """
    from thunes_cli.cli.writing import change_home, reason_given

    why = reason_given(reason)
    before = read_book(call, read_wire)
    names = tuple(each.name for each in before.breakers if name in {"", each.name})
    if not names:
        known = ", ".join(each.name for each in before.breakers)
        raise NotFound(f"there is no breaker {name!r}", hint=f"there is: {known}")
    not_closed = [each.name for each in before.breakers if each.name in names and each.state is not BreakerState.CLOSED]
    if dry_run:
        plan = [f"close the breaker {each}" for each in not_closed]
        return Result(data={"plan": plan}, text=tuple(plan) or ("nothing to do",))
    if not not_closed:
        return Result(data=wire_data(before), text=("closed already; nothing changed", wire_text(before)))
    call.confirm(f"Send to the exchange again at once, through {', '.join(not_closed)}?", yes=yes)
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.exchange.breaker import reset_breaker

    actor = read_actor(call)

    def work(change: Change) -> bool:
        done = [reset_breaker(change, reason=why, actor=actor.name, name=each, facts=actor.facts) for each in names]
        return any(done)

    changed, problems = change_home(call, work)
    after = read_book(call, read_wire)
    return Result(
        data=wire_data(after),
        text=("closed by hand; what made it open is gone only if the next calls succeed", wire_text(after)),
        changed=changed,
        problems=problems,
    )


@command(
    examples=("thunes breaker history", "thunes breaker history --since 30d --json"),
    exits=((0, "seldom tripped"), (3, "more than 3 trips within 24 h"), 5, 10, 13, 78),
)
def breaker_history(
    call: Call,
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="today (since midnight UTC), 24h, 7d, all, or a time.")
    ] = "7d",
) -> Result:
    """When the breaker opened, was probed and closed, and why; how often it tripped within 24 hours.

    A trip is an opening from closed; a probe that fails goes on with the same trip. More than 3 a day are no passing
    trouble.
    """
    from thunes_cli.cli.durations import parse_since

    begin = parse_since(since, option="--since")
    view, rows = read_book(
        call,
        lambda book: (
            read_wire(book),
            breakers.breaker_transitions(book.connection, since=begin.begins(book.now)),
        ),
    )
    problems = tuple(_often(call, view, next_command="config check --online"))
    return Result(
        data={"transitions": [transition_data(row) for row in rows], "trips_24h": view.trips},
        text=(transition_table(rows), f"{count(view.trips, 'trip')} within 24 h"),
        exit_code=ExitCode.ATTENTION if problems else ExitCode.OK,
        problems=problems,
    )


def _problems(call: Call, view: WireView) -> list[Problem]:
    problems = []
    for each in view.breakers:
        if each.state is not BreakerState.CLOSED:
            cause = f": {each.cause}" if each.cause else ""
            message = f"the circuit breaker {each.name} is {each.state}{cause}; it probes and closes by itself"
            problems.append(Problem("circuit_breaker_open", message, typed(call, "config check --online")))
    if view.ban is not None:
        message = f"the exchange ordered silence (HTTP {view.ban.status}); nothing is sent until it is over"
        problems.append(Problem("rate_limit_ban", message, "wait: a restart neither lifts nor lengthens it"))
    return problems + _often(call, view, next_command="breaker history")


def _often(call: Call, view: WireView, *, next_command: str) -> list[Problem]:
    if view.trips <= OFTEN:
        return []
    message = f"the breaker tripped {view.trips} times within 24 h; more than {OFTEN} a day are no passing trouble"
    return [Problem("breaker_trips_often", message, typed(call, next_command))]

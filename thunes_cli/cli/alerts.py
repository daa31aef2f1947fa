"""``thunes alerts``: what was told, what still waits, trying again, and holding a kind back for a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import moment
from thunes_cli.cli.reading import read_book, typed
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.clock import Anchor, to_text
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, UsageFault
from thunes_cli.ledger.alert_delivery import WhyHeld
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.view_alerts import LOG, AlertsView, Told, count_waiting, read_alerts
from thunes_cli.spans import span

if TYPE_CHECKING:
    import typer

    from thunes_cli.ledger.alert_delivery import Hold

_LONGEST_SHOWN = 100
RETRY_S = 12.0


@command(
    examples=(
        "thunes alerts list",
        "thunes alerts list --since 7d --kind kill_switch --full",
        "thunes alerts list --json",
    ),
    exits=((0, "every channel takes what it is sent"), (3, "a channel fails: alerts wait"), 5, 10, 13, 78),
)
def alerts_list(
    call: Call,
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="today (since midnight UTC), 24h, 7d, all, or a time.")
    ] = "24h",
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Only alerts of this kind.")] = "",
    full: Annotated[bool, typer.Option("--full", help="The whole texts, below each other.")] = False,
) -> Result:
    """What the operator was told, what still waits, and what lasts.

    Needs neither daemon nor settings nor network. A storm goes out as a few messages, hence several alerts may share
    one. What is muted waits, and follows as one message when the mute is over.
    """
    from thunes_cli.cli.durations import parse_since

    begin = parse_since(since, option="--since")
    wanted = str(kind_named(kind)) if kind else None
    view, anchor, wall = read_book(
        call,
        lambda book: (
            read_alerts(book.connection, since=begin.begins(book.now), kind=wanted),
            book.identity.anchor,
            book.wall,
        ),
    )
    problems = tuple(_failing(call, hold, anchor) for hold in view.holds)
    return Result(
        data=_data(view, anchor, wall),
        text=_text(view, wall, full=full),
        exit_code=ExitCode.ATTENTION if problems else ExitCode.OK,
        problems=problems,
    )


@command(
    examples=("thunes alerts retry", "thunes alerts retry --json"),
    exits=(
        (0, "nothing waits that could be sent"),
        5,
        10,
        (13, "a channel still takes nothing; the alerts wait"),
        (78, "no channel is set up"),
    ),
)
def alerts_retry(call: Call) -> Result:
    """Send what waits, now, whatever the back-off; what a channel refused for good is tried once more.

    How long a channel ordered us to be silent is obeyed, and so are mutes and the pauses of a storm.
    """
    from thunes_cli.alerts.channels import NOT_CONFIGURED
    from thunes_cli.alerts.handing import hand_over
    from thunes_cli.cli.alerting import channels_of, couriers_of
    from thunes_cli.cli.writing import home_journal
    from thunes_cli.errors import ConfigError
    from thunes_cli.ledger import alert_delivery

    with home_journal(call) as journal:
        channels = channels_of(call, call.home, timeout_s=RETRY_S - 2)
        if not channels.notifiers:
            why = "; ".join(f"{name}: {what}" for name, what in channels.problems.items()) or NOT_CONFIGURED
            raise ConfigError(f"no channel is set up: {why}", hint="set them in .env, then: thunes telegram test")
        with journal.ledger.write() as connection:
            before = count_waiting(connection)
            alert_delivery.try_again_now(connection)
            alert_delivery.requeue_dropped(connection)
        couriers = couriers_of(call, journal, channels)
        in_time = hand_over(journal, couriers, seconds=RETRY_S)
        with journal.read() as connection:
            waiting = count_waiting(connection)
            holds = [hold for hold in alert_delivery.read_holds(connection) if hold.channel != LOG]
            anchor = journal.clock.anchor
    problems = [_failing(call, hold, anchor) for hold in holds]
    if not in_time and not problems:
        problems.append(Problem("alert_not_delivered", f"no answer within {RETRY_S:g} s", typed(call, "telegram test")))
    sent = max(before - waiting, 0)
    return Result(
        data={"delivered": sent, "waiting": waiting, "channels": [_hold(hold, anchor) for hold in holds]},
        text=(f"{count(sent, 'alert')} sent, {waiting} still waiting",),
        exit_code=ExitCode.UNAVAILABLE if problems else ExitCode.OK,
        changed=sent > 0,
        problems=tuple(problems),
    )


def kind_named(text: str) -> Kind:
    """A kind by its name.

    Raises:
        UsageFault: there is no such kind (2).
    """
    try:
        return Kind(text.strip().lower().replace("-", "_"))
    except ValueError:
        raise UsageFault(f"{text!r} is no kind of alert", hint=f"there are: {', '.join(Kind)}") from None


# -- showing -------------------------------------------------------------------------------------------------------


def _data(view: AlertsView, anchor: Anchor, wall: datetime) -> dict[str, Any]:
    return {
        "alerts": [_alert(told, anchor) for told in view.told],
        "waiting": view.waiting,
        "conditions": [
            {
                "kind": each.kind,
                "key": each.key,
                "severity": str(each.severity),
                "since": to_text(each.since),
                "last_at": to_text(each.last_at),
                "count": each.times,
            }
            for each in view.conditions
        ],
        "mutes": [
            {
                "kind": mute.kind,
                "until": to_text(anchor.market_at(mute.until_wall)),
                "left_s": max(0, int((mute.until_wall - wall).total_seconds())),
                "reason": mute.reason,
                "actor": mute.actor,
            }
            for mute in view.mutes
            if mute.holds(wall)
        ],
        "channels": [_hold(hold, anchor) for hold in view.holds],
    }


def _alert(told: Told, anchor: Anchor) -> dict[str, Any]:
    alert = told.alert
    return {
        "id": alert.id,
        "kind": alert.kind,
        "key": alert.key,
        "phase": str(alert.phase),
        "severity": str(alert.severity),
        "text": alert.text,
        "note": alert.note,
        "created_at": to_text(alert.created_at),
        "state": told.state,
        "channels": [
            {
                "name": delivery.channel,
                "state": str(delivery.state),
                "at": to_text(anchor.market_at(delivery.ended_wall)) if delivery.ended_wall else None,
                "error": delivery.error,
            }
            for delivery in told.deliveries
        ],
    }


def _hold(hold: Hold, anchor: Anchor) -> dict[str, Any]:
    return {
        "name": hold.channel,
        "why": str(hold.why),
        "problem": hold.problem,
        "failures": hold.failures,
        "since": to_text(anchor.market_at(hold.since_wall)),
        "next_try_at": to_text(anchor.market_at(hold.next_try_wall)),
    }


def _failing(call: Call, hold: Hold, anchor: Anchor) -> Problem:
    since = moment(anchor.market_at(hold.since_wall))
    until = f", until {moment(anchor.market_at(hold.next_try_wall))}" if hold.why is WhyHeld.TOLD else ""
    message = f"{hold.channel} takes no alerts since {since}: {hold.problem}{until}; they wait, none is lost"
    following = "telegram test" if hold.channel == "telegram" else "alerts retry"
    return Problem("alert_not_delivered", message, typed(call, following))


def _text(view: AlertsView, wall: datetime, *, full: bool) -> tuple[str | Table, ...]:
    parts: list[str | Table] = list(_whole(view) if full else _one_line_each(view)) or ["no alerts"]
    if view.conditions:
        lasting = tuple((each.kind, each.key or "-", moment(each.since), str(each.times)) for each in view.conditions)
        parts.append(Table(("kind", "what", "since", "found"), lasting, title="still on"))
    parts += [
        f"{mute.kind} is muted for another {span(mute.until_wall - wall)}: {mute.reason} ({mute.actor})"
        for mute in view.mutes
        if mute.holds(wall)
    ]
    if view.waiting:
        parts.append(f"{count(view.waiting, 'alert')} waiting")
    return tuple(parts)


def _whole(view: AlertsView) -> Iterator[str]:
    for told in view.told:
        alert = told.alert
        text = "\n".join(f"  {line}" for line in alert.text.splitlines())
        yield f"{alert.id}  {moment(alert.created_at)}  {alert.severity}  {alert.kind}  {told.state}\n{text}"


def _one_line_each(view: AlertsView) -> Iterator[Table]:
    rows = tuple(
        (
            str(told.alert.id),
            moment(told.alert.created_at),
            str(told.alert.severity),
            told.alert.kind,
            told.state,
            _shown(told.alert.text),
        )
        for told in view.told
    )
    if rows:
        yield Table(("id", "at", "severity", "kind", "state", "text"), rows)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "…"

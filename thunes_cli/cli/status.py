"""``thunes status``: is everything well, and if not, what and what to type next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import fact_lines, moment, result
from thunes_cli.cli.folding import folded, width_for
from thunes_cli.cli.reading import Book, read_book, typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.clock import to_text
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode
from thunes_cli.ledger.breakers import BreakerState
from thunes_cli.ledger.daemon import JobRow
from thunes_cli.ledger.view_health import read_health
from thunes_cli.model import plain
from thunes_cli.ops.health import Concern, Health, judge
from thunes_cli.spans import span


@command(
    examples=("thunes status", "thunes status --json", "thunes -q status || thunes status"),
    exits=((0, "all is well"), (3, "something needs you: every reason is a line"), 5, 10, 13, 78),
)
def status(call: Call) -> Result:
    """Is everything well? The first thing to type.

    Reads what the daemon recorded: it needs neither settings nor network and works while the daemon trades. Times are
    market time, the exchange's clock. An order that a living process sent within the last 15 seconds is on its way, not
    unresolved.
    """
    book, health = read_book(call, _read)
    problems = tuple(_problem(call, concern) for concern in health.concerns)
    return Result(
        data=_data(book, health),
        text=(
            _verdict(problems, health, width=width_for(call)),
            "",
            fact_lines(_facts(book, health)),
            *_jobs(health),
        ),
        exit_code=ExitCode.ATTENTION if problems else ExitCode.OK,
        problems=problems,
        problems_in_text=True,
    )


def _read(book: Book) -> tuple[Book, Health]:
    rows = read_health(book.connection, now=book.now, wall=book.wall)
    return book, judge(rows, now=book.now, wall=book.wall)


def _problem(call: Call, concern: Concern) -> Problem:
    return Problem(concern.code, concern.message, typed(call, concern.command) if concern.command else concern.advice)


def _data(book: Book, health: Health) -> dict[str, Any]:
    rows = health.rows
    reconciled = rows.reconciled
    return {
        "environment": str(book.identity.environment),
        "daemon": _daemon(health),
        "kill_switch": {"active": rows.kill_switch.active, "reason": rows.kill_switch.reason},
        "breakers": [_breaker(book, health)],
        "rate_limit_ban": None if rows.ban is None else {"http_status": rows.ban.status, "retry_in_s": rows.ban_left_s},
        "feed": {
            "mode": health.feed_mode,
            "age_s": None if health.feed_age_s is None else round(health.feed_age_s, 3),
            "reconnects": int(rows.feed.get("reconnects", 0)),
            "prices_dropped": int(rows.feed.get("prices_dropped", 0)),
            "messages_passed_over": int(rows.feed.get("messages_passed_over", 0)),
        },
        "positions": {"open": len(rows.positions), "max": rows.limits.get("max_positions")},
        "daily_pnl": plain(rows.daily_pnl),
        "unresolved_orders": len(health.unresolved),
        "frozen_symbols": [freeze.symbol for freeze in rows.frozen],
        "last_reconcile": None if reconciled is None else {"at": to_text(reconciled.at), "clean": reconciled.clean},
        "audit": {
            "last_seq": rows.audit_head.seq,
            "outbox": rows.audit_outbox,
            "problem": rows.audit_head.problem,
        },
        "jobs": [_job(job) for job in rows.jobs],
        "last_backup": _backup(book, health),
        "market_speed": plain(book.identity.anchor.speed),
    }


def _daemon(health: Health) -> dict[str, Any]:
    daemon = health.rows.daemon
    if daemon is None or not health.running:
        last = None if daemon is None else _seconds(health.wall - daemon.heartbeat_wall)
        return {"running": False, "pid": None, "since": None, "heartbeat_age_s": last, "mode": None}
    return {
        "running": True,
        "pid": daemon.process.pid,
        "since": to_text(daemon.since),
        "heartbeat_age_s": _seconds(health.wall - daemon.heartbeat_wall),
        "mode": str(daemon.mode),
    }


def _breaker(book: Book, health: Health) -> dict[str, Any]:
    breaker = health.rows.breaker
    opened = breaker.opened_at
    return {
        "name": breaker.name,
        "state": str(breaker.state),
        "fail_counter": breaker.fail_counter,
        "fail_max": breaker.fail_max,
        "window_s": breaker.window_s,
        "opened_at": to_text(book.identity.anchor.market_at(opened)) if opened else None,
        "retry_in_s": None if breaker.retry_in_s is None else round(breaker.retry_in_s, 3),
        "cause": breaker.cause,
    }


def _backup(book: Book, health: Health) -> dict[str, Any] | None:
    backup = health.rows.backup
    if backup is None:
        return None
    return {"at": to_text(book.identity.anchor.market_at(backup.made_wall)), "verified": backup.good}


def _job(job: JobRow) -> dict[str, Any]:
    return {
        "id": job.job,
        "last": to_text(job.started_at),
        "next": to_text(job.next_at) if job.next_at else None,
        "outcome": job.outcome,
        "detail": job.detail,
    }


def _seconds(length: timedelta) -> float:
    return round(max(0.0, length.total_seconds()), 3)


def _verdict(problems: tuple[Problem, ...], health: Health, *, width: int) -> str:
    """The answer itself: each reason is a line of its own, folded only where a person reads it."""
    if not problems:
        return "all is well" if health.running else "all is well; the daemon is not running and nothing is held"
    lines = [f"{count(len(problems), 'thing')} need{'s' if len(problems) == 1 else ''} you:"]
    for number, problem in enumerate(problems, 1):
        lines.append(folded(problem.message, width=width, start=f"  {number}. "))
        lines.append(folded(problem.hint, width=width, start="     -> "))
    return "\n".join(lines)


def _facts(book: Book, health: Health) -> list[tuple[str, str]]:
    rows = health.rows
    most = rows.limits.get("max_positions")
    held = ", ".join(f"{position.symbol}" for position in rows.positions)
    speed = book.identity.anchor.speed
    rate = "" if speed == 1 else f", running {plain(speed)} times as fast" if speed else ", standing still"
    facts = [
        ("market time", f"{moment(health.now)}{rate}"),
        ("daemon", _daemon_line(health)),
        ("prices", _feed_line(health)),
        (
            "positions",
            f"{len(rows.positions)} open{f' of {most}' if most is not None else ''}{f': {held}' * bool(held)}",
        ),
        ("PnL today", _pnl_line(health)),
        ("orders", f"{count(len(health.unresolved), 'unresolved order')}" if health.unresolved else "none unresolved"),
        ("kill switch", "ACTIVE" if rows.kill_switch.active else "not active"),
        ("breaker", _breaker_line(health)),
    ]
    if rows.ban is not None:
        facts.append(("rate limit", f"silent for another {span(timedelta(seconds=rows.ban_left_s))}"))
    if rows.frozen:
        facts.append(("frozen", ", ".join(freeze.symbol for freeze in rows.frozen)))
    if rows.reconciled is not None:
        verdict = "clean" if rows.reconciled.clean else "NOT clean"
        facts.append(("reconcile", f"{verdict}, {span(health.now - rows.reconciled.at)} ago"))
    facts.append(("audit trail", _audit_line(health)))
    if rows.backup is not None:
        found = "good" if rows.backup.good else f"NOT good: {rows.backup.problem or 'never verified'}"
        facts.append(("backup", f"{found}, {span(health.wall - rows.backup.made_wall)} ago"))
    return facts


def _daemon_line(health: Health) -> str:
    daemon = health.rows.daemon
    if daemon is None:
        return "not running; none ever ran here"
    if not health.running:
        how = "stopped" if daemon.stopped_cleanly else "DIED"
        return f"not running; {how} {span(health.wall - daemon.heartbeat_wall)} ago"
    up = span(health.wall - daemon.since_wall)
    why = f" ({daemon.mode_reason})" if daemon.mode_reason else ""
    beat = span(health.wall - daemon.heartbeat_wall)
    return f"{daemon.mode}{why}, pid {daemon.process.pid}, up {up}, heartbeat {beat} ago"


def _feed_line(health: Health) -> str:
    if not health.running:
        return "none while the daemon is not running"
    rows = health.rows
    if health.feed_age_s is None:
        return "none yet"
    reconnects = int(rows.feed.get("reconnects", 0))
    again = f", {count(reconnects, 'reconnect')}" if reconnects else ""
    return f"{health.feed_mode}, last {span(timedelta(seconds=health.feed_age_s))} ago{again}"


def _pnl_line(health: Health) -> str:
    rows = health.rows
    limit = rows.limits.get("max_daily_loss")
    stops = f"; entries stop at -{limit}" if limit is not None else ""
    return f"{result(rows.daily_pnl, quote=rows.quote)} realised{stops}"


def _breaker_line(health: Health) -> str:
    breaker = health.rows.breaker
    if breaker.state is BreakerState.CLOSED:
        failures = f"; {count(breaker.fail_counter, 'failure')} of {breaker.fail_max}" if breaker.fail_counter else ""
        return f"closed{failures}"
    return str(breaker.state)


def _audit_line(health: Health) -> str:
    head, waiting = health.rows.audit_head, health.rows.audit_outbox
    if head.problem is not None:
        return f"NOT written; {count(waiting, 'record')} waiting"
    behind = f"; {waiting} more on the way to the file" if waiting else ""
    return f"{count(head.seq, 'record')}{behind}"


def _jobs(health: Health) -> tuple[str, ...]:
    jobs = health.rows.jobs
    if not jobs:
        return ()
    width = max(len(job.job) for job in jobs)
    lines = [f"  {job.job.ljust(width)}  {_job_line(health, job)}" for job in jobs]
    return ("", "jobs\n" + "\n".join(lines))


def _job_line(health: Health, job: JobRow) -> str:
    since = span(health.now - job.started_at)
    if job.outcome is None:
        return f"running for {since}" if health.running else f"cut short {since} ago"
    why = f": {job.detail}" if job.detail and job.outcome != "ok" else ""
    if job.next_at is None:  # runs every few seconds; a row is written when its outcome changes
        return f"{job.outcome} for {since}{why}"
    due = f", next in {span(job.next_at - health.now)}" if health.running else ""
    return f"{job.outcome} {since} ago{due}{why}"

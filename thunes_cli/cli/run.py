"""``thunes run``: trade until stopped, or check once."""

from __future__ import annotations

import threading
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import moment
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.clock import to_text
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, Locked, UsageFault

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from thunes_cli.daemon.assembly import HomeSettings
    from thunes_cli.daemon.loop import RunReport
    from thunes_cli.daemon.once import OnceReport
    from thunes_cli.trading.engine import Tick

_FASTEST = 1_000_000


@command(
    examples=("thunes run", "thunes run --once", "thunes run --once --json", "thunes run --duration 3600"),
    exits=(
        (0, "ended as asked (SIGTERM and Ctrl-C included); --once: checked, also when a rule refused"),
        (3, "--once: checked, and the kill switch is active"),
        *(5, 10),
        (11, "a daemon of this home is running already"),
        (12, "the exchange rejected the API key"),
        (13, "--once: the exchange or its prices cannot be reached (the daemon waits for them instead)"),
        (15, "--once: some symbols could not be checked"),
        78,
        (130, "left without waiting for the step in flight, because asked twice"),
    ),
)
def run(
    call: Call,
    *,
    once: Annotated[bool, typer.Option("--once", help="Resolve what is unfinished, check once, end.")] = False,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="S", help="End in order after so many seconds.")
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option("--speed", metavar="N", help="How fast the exchange's clock runs; not with a live home."),
    ] = None,
) -> Result:
    """Trade until stopped.

    Looks for signals every SIGNAL_INTERVAL_SECONDS, for stops every ten seconds. While it does not run there is no
    stop-loss. With ENVIRONMENT=sim and no BINANCE_REST_URL the exchange is started too. The log goes to stderr and to
    the home's thunes.log.
    """
    from thunes_cli.cli.exchange_link import link_to
    from thunes_cli.cli.starting import settings_to_start_with

    seconds, rate = parse_seconds(duration), parse_speed(speed)
    if once and seconds is not None:
        raise UsageFault("--once and --duration contradict each other", hint="thunes run --once")
    configured = settings_to_start_with(call, speed=rate)

    def open_link() -> AbstractContextManager[Any]:
        return link_to(configured, speed=rate)

    if once:
        return _once(call, configured, open_link)
    return run_and_report(call, configured, open_link, duration_s=seconds)


def parse_seconds(text: str | None) -> float | None:
    """``--duration``: seconds, or a span such as ``5m``.

    Raises:
        UsageFault: neither (2).
    """
    if text is None:
        return None
    from thunes_cli.cli.durations import parse_duration

    try:
        seconds = float(text)
    except ValueError:
        return parse_duration(text, option="--duration").total_seconds()
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise UsageFault(f"--duration {text}: must be more than 0 seconds", hint="for example: --duration 300")
    return seconds


def parse_speed(text: str | None) -> Decimal | None:
    """``--speed``: market seconds a second.

    Raises:
        UsageFault: not a positive number (2).
    """
    if text is None:
        return None
    try:
        speed = Decimal(text)
    except InvalidOperation:
        speed = Decimal("NaN")
    if not speed.is_finite() or not 0 < speed <= _FASTEST:
        raise UsageFault(
            f"--speed {text}: must be a number above 0 and at most {_FASTEST}", hint="for example: --speed 60"
        )
    return speed


# -- the daemon --------------------------------------------------------------------------------------------------


def run_and_report(call: Call, configured: HomeSettings, open_link: Any, *, duration_s: float | None) -> Result:
    """Run the daemon with its log on stderr; the answer comes when it has ended."""
    from thunes_cli.daemon.loop import RunRequest, run_daemon
    from thunes_cli.daemon.signals import StopRequest, signals_asking

    request = RunRequest(
        duration_s=duration_s,
        notify_socket=call.environ.get("NOTIFY_SOCKET"),
        credentials=call.credentials,
    )
    with _logging(call, configured), StopRequest() as stop, signals_asking(stop):
        report = run_daemon(configured, open_link, stop, request)
    return Result(
        data={"ran_s": report.ran_s, "ticks": report.ticks, "orders": report.orders},
        text=(f"ran {report.ran_s:.0f} s: {count(report.ticks, 'check')}, {count(report.orders, 'order')}",),
        changed=True,
        **hurried(report),
    )


def hurried(report: RunReport) -> dict[str, Any]:
    """What an answer says besides when the step in flight was not waited for."""
    if report.abandoned is None:
        return {}
    message = f"left without waiting for {report.abandoned}, because asked twice"
    return {
        "exit_code": ExitCode.SIGINT,
        "problems": (Problem("interrupted", message, "the next start takes up what it left: thunes run"),),
    }


def _logging(call: Call, configured: HomeSettings) -> AbstractContextManager[Any]:
    from thunes_cli.config.home import LOG
    from thunes_cli.daemon.logs import is_journal, logging_to

    settings = configured.settings
    level = "WARNING" if call.quiet and settings.log_level in {"DEBUG", "INFO"} else settings.log_level
    return logging_to(
        configured.home / LOG,
        level=settings.log_level,
        log_format=settings.log_format,
        secrets=secrets_of(settings),
        stderr=call.streams.stderr,
        stderr_level=level,
        journal=is_journal(call.streams.stderr, call.environ),
    )


def secrets_of(settings: Any) -> list[Any]:
    """Every secret among the settings."""
    return list(settings.all_secrets)


# -- one check ---------------------------------------------------------------------------------------------------


def _once(call: Call, configured: HomeSettings, open_link: Any) -> Result:
    from thunes_cli.daemon.lock import ONCE
    from thunes_cli.daemon.once import run_once
    from thunes_cli.daemon.signals import StopRequest, signals_asking

    try:
        with _logging(call, configured), StopRequest() as stop, signals_asking(stop, insisting=KeyboardInterrupt):
            report = run_once(configured, open_link, credentials=call.credentials)
    except Locked as error:
        if error.facts.get("command") != f"thunes {ONCE}":
            raise
        return Result(data={"ticks": []}, text=(f"nothing done: {error.message}",))
    return _once_result(report)


def _once_result(report: OnceReport) -> Result:
    from thunes_cli.daemon.checking import failed

    problems = [
        Problem("exits_only", f"no entries: {reason}", "thunes config check --online") for reason in report.reasons
    ]
    failures = [tick for tick in report.ticks if failed(tick)]
    problems += [
        Problem(str(t.reason), f"{t.symbol} could not be checked: {t.reason}", "thunes status") for t in failures
    ]
    exit_code = ExitCode.PARTIAL if failures else ExitCode.OK
    if report.kill_switch is not None:
        exit_code = ExitCode.ATTENTION
        message = f"the kill switch is active: {report.kill_switch}; entries are stopped, exits go on"
        problems.insert(0, Problem("kill_switch_active", message, "thunes killswitch status"))
    return Result(
        data={"ticks": [_tick(tick) for tick in report.ticks], "unresolved_orders": report.unresolved},
        text=(_table(report.ticks),),
        exit_code=exit_code,
        changed=any(tick.client_order_id is not None for tick in report.ticks),
        problems=tuple(problems),
    )


def _tick(tick: Tick) -> dict[str, Any]:
    return {
        "symbol": tick.symbol,
        "candle_open_time": to_text(tick.candle_open_time) if tick.candle_open_time else None,
        "signal": tick.signal and str(tick.signal),
        "decision": tick.decision,
        "reason": tick.reason and str(tick.reason),
        "client_order_id": tick.client_order_id,
        "order_state": tick.order_state and str(tick.order_state),
    }


def _table(ticks: tuple[Tick, ...]) -> Table:
    rows = tuple(tuple("-" if value is None else value for value in _shown(tick).values()) for tick in ticks)
    return Table(("symbol", "candle", "signal", "decision", "reason", "order", "state"), rows)


def _shown(tick: Tick) -> dict[str, Any]:
    opened = tick.candle_open_time
    return _tick(tick) | {"candle_open_time": moment(opened) if opened else None}

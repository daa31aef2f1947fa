"""``thunes demo``: the whole bot on a simulated market, in a home of its own, in a few minutes."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import money
from thunes_cli.cli.result import Result
from thunes_cli.cli.run import hurried, parse_seconds, parse_speed, secrets_of
from thunes_cli.counts import count

if TYPE_CHECKING:
    from thunes_cli.cli.narration import Scene
    from thunes_cli.daemon.assembly import HomeSettings
    from thunes_cli.daemon.loop import RunReport
    from thunes_cli.ledger.connection import Ledger

SPEED = Decimal(576)  # two simulated days in five minutes
MARKET_SECONDS = 2 * 86400
_SETTINGS = """\
# Settings of a demonstration home: three symbols, five-minute candles, a quick trend follower.
ENVIRONMENT=sim
SYMBOLS=BTCUSDT,ETHUSDT,BNBUSDT
DEFAULT_TIMEFRAME=5m
SIGNAL_INTERVAL_SECONDS=300
STRATEGY=sma
SMA_FAST=10
SMA_SLOW=30
"""
_LOOK = (
    "status",
    "positions list --all",
    "orders list --since all",
    "pnl --since all",
    "explain position:1",
    "balance",
)


@command(
    examples=("thunes demo", "thunes demo --duration 60", "thunes demo --home ~/thunes-demo --speed 1200"),
    exits=(
        (0, "ended well: time over, or Ctrl-C"),
        *(11, 13),
        (78, "that home is not a simulator's"),
        (130, "left without waiting for the step in flight, because asked twice"),
    ),
)
def demo(
    call: Call,
    *,
    speed: Annotated[
        str | None, typer.Option("--speed", metavar="N", help=f"Market seconds a second; {SPEED} unless given.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="S", help="Seconds; two simulated days unless given.")
    ] = None,
    home: Annotated[
        str | None, typer.Option("--home", metavar="DIR", help="Home to make or go on with; a fresh one unless given.")
    ] = None,
) -> Result:
    """Trade a simulated market in a home of its own.

    A real daemon, a real ledger and audit trail, and an exchange of its own over HTTP: nothing is needed, nothing else
    is touched. On a terminal it shows what happens; ends with a summary and with commands to look around with.
    """
    from thunes_cli.daemon.assembly import HomeSettings

    rate = parse_speed(speed) or SPEED
    seconds = parse_seconds(duration) or float(MARKET_SECONDS / rate)
    place = _make_home(home or call.home_option, call)
    configured = HomeSettings(place, _settings(place))
    report = _run(call, configured, speed=rate, duration_s=seconds)
    return _result(place, report)


def _make_home(wanted: str | None, call: Call) -> Path:
    """The demonstration's home with its settings; never the operator's own unless named."""
    from thunes_cli.clock import Clock
    from thunes_cli.config.home import ENV_FILE, create_home, find_home
    from thunes_cli.config.private_file import write_private_file
    from thunes_cli.model import Environment
    from thunes_cli.ops.homes import existing_home, make_home

    home = find_home(wanted, call.environ) if wanted else Path(tempfile.mkdtemp(prefix="thunes-demo-"))
    if existing_home(home) is None:
        create_home(home)
        if not (home / ENV_FILE).exists():
            write_private_file(home / ENV_FILE, _SETTINGS)
    make_home(home, environment=Environment.SIM, clock=Clock())
    return home


def _settings(home: Path) -> Any:
    """The home's own file alone: what an operator has in the environment is for another bot."""
    from thunes_cli.config.load import load_settings

    return load_settings(home, {}).settings


def _run(call: Call, configured: HomeSettings, *, speed: Decimal, duration_s: float) -> RunReport:
    from thunes_cli.cli.exchange_link import link_to
    from thunes_cli.config.home import LEDGER, LOG
    from thunes_cli.daemon.logs import logging_to
    from thunes_cli.daemon.loop import RunRequest, run_daemon
    from thunes_cli.daemon.signals import StopRequest, signals_asking
    from thunes_cli.ledger.connection import Ledger

    if not call.quiet:
        call.streams.stderr.write(f"demo in {configured.home}, {duration_s:.0f} s at {speed} times the speed\n")
        call.streams.stderr.flush()
    began = time.monotonic()
    ledger = Ledger(configured.home / LEDGER)
    with contextlib.ExitStack() as stack:
        stack.callback(ledger.close)
        watch, handlers = _watching(call, ledger, stack, lambda: began + duration_s - time.monotonic())
        settings = configured.settings
        stack.enter_context(
            logging_to(
                configured.home / LOG,
                level=settings.log_level,
                log_format=settings.log_format,
                secrets=secrets_of(settings),
                stderr=None,
                also=handlers,
            )
        )
        stop = stack.enter_context(StopRequest())
        stack.enter_context(signals_asking(stop))
        request = RunRequest(command="demo", duration_s=duration_s, watch=watch)
        return run_daemon(configured, lambda: link_to(configured, speed=speed), stop, request)


def _watching(
    call: Call, ledger: Ledger, stack: contextlib.ExitStack, seconds_left: Callable[[], float]
) -> tuple[Callable[[], None] | None, list[Any]]:
    """What is called again and again while it trades, and the log handlers it wants: a view, lines, or nothing."""

    def read(look: Callable[[sqlite3.Connection], None]) -> None:
        with ledger.read() as connection:
            look(connection)

    if call.quiet:
        return None, []
    if call.streams.stdout_is_tty and not call.json:
        from thunes_cli.cli.live_view import LiveView

        view = stack.enter_context(LiveView(call.streams, read, title="THUNES demo", seconds_left=seconds_left))
        return view.draw, [view.log]
    return _line_teller(call, read), []


def _line_teller(call: Call, read: Callable[[Callable[[sqlite3.Connection], None]], None]) -> Callable[[], None]:
    """One plain line per event on stderr: stdout is for the answer."""
    from thunes_cli.cli.narration import Narrator

    narrator = Narrator()
    read(narrator.begin)

    def tell(connection: sqlite3.Connection) -> None:
        for happening in narrator.news(connection):
            call.streams.stderr.write(f"{happening}\n")
        call.streams.stderr.flush()

    return lambda: read(tell)


def _result(home: Path, report: RunReport) -> Result:
    from thunes_cli.cli.narration import read_scene
    from thunes_cli.clock import utc_now
    from thunes_cli.config.home import LEDGER
    from thunes_cli.ledger.connection import open_for_reading

    connection = open_for_reading(home / LEDGER)
    try:
        scene = read_scene(connection, wall=utc_now())
    finally:
        connection.close()
    data = {"ran_s": report.ran_s, "ticks": report.ticks, "orders": report.orders}
    more = {
        "home": str(home),
        "buys": scene.buys,
        "sells": scene.sells,
        "realized": scene.realized,
        "unrealized": scene.unrealized,
        "fees": scene.fees,
        "audit_records": scene.trail_records,
    }
    return Result(data=data | more, text=_summary(home, report, scene), changed=True, home=home, **hurried(report))


def _summary(home: Path, report: RunReport, scene: Scene) -> tuple[str, ...]:
    held = ", ".join(position.symbol for position in scene.held) or "nothing"
    place = shlex.quote(str(home))
    thunes = f"{_program()} --home {place}"
    ran = f"ran {report.ran_s:.0f} s, until {scene.now:%Y-%m-%d %H:%M}Z market time"
    made = f"{count(scene.orders, 'order')} ({count(scene.buys, 'buy')}, {count(scene.sells, 'sell')})"
    realised = f"realised {money(scene.realized, sign=True)} after fees of {money(scene.fees)}"
    return (
        f"{ran}: {count(report.ticks, 'check')}, {made}, {count(scene.fills, 'fill')}",
        f"{realised}, unrealised {money(scene.unrealized, sign=True)}; held: {held}",
        f"audit trail: {count(scene.trail_records, 'record')}",
        "",
        "look around:",
        *(f"  {thunes} {words}" for words in _LOOK),
        f"go on: {_program()} demo --home {place}",
    )


def _program() -> str:
    """How this very command can be typed again: by its name, or from a checkout by its place."""
    if shutil.which("thunes") is not None:
        return "thunes"
    place = Path(sys.executable).with_name("thunes")
    here = Path.cwd()
    return shlex.quote(str(place.relative_to(here) if place.is_relative_to(here) else place))

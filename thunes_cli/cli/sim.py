"""``thunes sim serve``: a simulated exchange on this machine, for trying things out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.result import Result
from thunes_cli.config.home import SIM
from thunes_cli.config.tilde import expanded

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings


@command(
    examples=(
        "thunes sim serve --port 8080",
        "thunes sim serve --candles BTCUSDT-1m-20230301-20230321.csv.gz --speed 600",
        "thunes sim serve --step --seed 7",
    ),
    exits=(
        (0, "served until it was told to stop"),
        (11, "that directory is being served already"),
        (13, "cannot listen there, for one because the port is in use"),
        (78, "an option or a candle file cannot be used"),
    ),
)
def sim_serve(
    call: Call,
    *,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any free one.")] = 0,
    candles: Annotated[
        list[Path] | None,
        typer.Option("--candles", metavar="FILE", help="Recorded candles, CSV or CSV.gz; repeatable."),
    ] = None,
    speed: Annotated[str | None, typer.Option("--speed", metavar="N", help="Market seconds a second.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Move the last candle to this minute.")] = False,
    step: Annotated[bool, typer.Option("--step", help="Stand still; POST /sim/step moves one candle.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Of the synthetic market.")] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="WHEN", help="Where trading begins: a date, a time, or a number of candles."),
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where it keeps its state; else the home's sim/.")
    ] = None,
    allow_gaps: Annotated[bool, typer.Option("--allow-gaps", help="Missing candles are outages, not errors.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Forget what the directory holds.")] = False,
) -> Result:
    """Serve a simulated exchange on this machine, until SIGTERM or Ctrl-C.

    The first line on stdout is one JSON object with its addresses and an API key. It speaks Binance's REST protocol:
    point a home at it with BINANCE_REST_URL. In a simulator home `thunes run` finds it by itself. Without a home and
    without --dir its state is forgotten when it ends.
    """
    from thunes_cli.cli.run import parse_speed
    from thunes_cli.cli.sim_link import TEMPORARY_PREFIX
    from thunes_cli.cli.simulating import market_options, simulator_problems
    from thunes_cli.sim.options import SimOptions
    from thunes_cli.sim.serve import serve

    home = _simulator_home(call)
    chosen: dict[str, Any] = market_options(_settings(call, home))
    if candles:
        chosen["candles"] = tuple(expanded(path) for path in candles)
    if seed is not None:
        chosen["seed"] = seed
    rate = parse_speed(speed)
    if rate is not None:
        chosen["speed"] = rate
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as temporary, simulator_problems():
        if directory is None:
            directory = Path(temporary) if home is None else home / SIM
        options = SimOptions(
            directory=directory,
            host=host,
            port=port,
            now=now,
            step=step,
            start=start,
            allow_gaps=allow_gaps,
            reset=reset,
            **chosen,
        )
        serve(options, out=call.streams.stdout)
    return Result(streamed=True)


def _simulator_home(call: Call) -> Path | None:
    """The home, when there is one and it is a simulator's: no other home has anything to do with this."""
    from thunes_cli.errors import NotFound
    from thunes_cli.model import Environment
    from thunes_cli.ops.homes import existing_home

    try:
        identity = existing_home(call.home)
    except NotFound:
        return None
    return call.home if identity is not None and identity.environment is Environment.SIM else None


def _settings(call: Call, home: Path | None) -> Settings:
    """Of the simulator's home; without one the ``SIM_*`` variables alone."""
    from thunes_cli.config.load import load_settings

    environ = {name: value for name, value in call.environ.items() if name.startswith("SIM_")}
    return load_settings(home, environ, env_file=call.env_file).settings

"""``thunes init``: make a home for one environment and one account."""

from __future__ import annotations

from typing import Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import typed
from thunes_cli.cli.result import Result
from thunes_cli.clock import Clock
from thunes_cli.config.home import check_takeable
from thunes_cli.errors import ConfigError, OtherEnvironment
from thunes_cli.model import Environment
from thunes_cli.ops.homes import Made, existing_home, make_home, plan_home

PHRASE = "trade live"
_WARNING = "This home will trade with real money."


@command(
    examples=(
        "thunes init",
        "thunes --home ~/testnet init --environment testnet",
        'thunes init --environment live --confirm "trade live"',
    ),
    exits=((0, "the home is there, new or already so"), 5, 6, 7, (10, "the home belongs to another user"), 13, 78),
)
def init(
    call: Call,
    *,
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Which exchange; as set, else sim. Fixed for ever.")
    ] = None,
    phrase: Annotated[
        str | None, typer.Option("--confirm", metavar="PHRASE", help=f'"{PHRASE}", for a live home.')
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Create a home for one environment and one account.

    A home holds the settings, the ledger, the audit trail and the log of one bot. An existing home is left as it is.
    """
    home = call.home
    check_takeable(home)
    present = existing_home(home)
    wanted = _wanted(call, environment, present.environment if present is not None else None)
    if present is not None and present.environment is not wanted:
        raise OtherEnvironment(present.environment, wanted)
    own_settings = call.env_file is None
    if dry_run:
        steps = plan_home(home, write_settings=own_settings)
        return Result(data={"plan": list(steps)}, text=steps or ("nothing to do",))
    if present is None and wanted is Environment.LIVE:
        call.confirm_phrase(_WARNING, phrase=PHRASE, given=phrase)
    made = make_home(home, environment=wanted, clock=Clock(), write_settings=own_settings)
    return Result(
        data={
            "home": str(home),
            "environment": str(made.identity.environment),
            "instance": made.identity.instance,
            "created": present is None,
        },
        text=_text(call, made, created=present is None),
        changed=bool(made.steps),
    )


def _wanted(call: Call, option: Environment | None, present: Environment | None) -> Environment:
    """The option, else what the settings say, else what the home is, else the simulator; they must not contradict.

    Raises:
        ConfigError: option and settings say different things: no later command would work (78).
    """
    from thunes_cli.config.faults import place
    from thunes_cli.config.load import load_settings
    from thunes_cli.config.settings import DEFAULT_ORIGIN

    settings = load_settings(call.home, call.environ, env_file=call.env_file).settings
    origin = settings.origin("ENVIRONMENT")
    if origin == DEFAULT_ORIGIN:
        return option or present or Environment.SIM
    if option is not None and option is not settings.environment:
        raise ConfigError(
            f"--environment says {option}, but ENVIRONMENT is {settings.environment}, {place(origin)}",
            hint="change one of them, or choose another home: thunes --home DIR init",
        )
    return settings.environment


def _text(call: Call, made: Made, *, created: bool) -> tuple[str, ...]:
    if not made.steps:
        return (f"this home exists already; instance {made.identity.instance}",)
    first = f"created, instance {made.identity.instance}" if created else "completed: " + ", ".join(made.steps)
    return first, f"next: {_next(call, made.identity.environment)}"


def _next(call: Call, environment: Environment) -> str:
    if environment is Environment.SIM:
        return typed(call, "run") + "   (or: thunes demo)"
    file = call.env_file or call.home / ".env"
    return f"put the API key into {file}, then: {typed(call, 'config check --online')}"

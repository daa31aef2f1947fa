"""``thunes config check`` and ``thunes config show``: would these settings trade, and where do they come from?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import read_book
from thunes_cli.cli.result import Problem, Result, Table, failure
from thunes_cli.errors import ConfigError, ExitCode, OtherEnvironment

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings
    from thunes_cli.ledger.identity import Identity
    from thunes_cli.ops.check import Check
    from thunes_cli.ops.online_checks import OnlineChecks


@command(
    examples=("thunes config show", "thunes config show --json"),
    exits=((0, "shown"), 10, (78, "a setting is wrong; all that is wrong is listed")),
)
def config_show(call: Call) -> Result:
    """The settings in force and where each came from.

    Secrets are masked; a fingerprint (the start of their SHA-256) tells one key from another.
    """
    from thunes_cli.config.home import require_home
    from thunes_cli.config.load import load_settings
    from thunes_cli.config.settings import NAMES

    home = require_home(call.home)
    settings = load_settings(home, call.environ, env_file=call.env_file).settings
    shown = {name: _setting(settings, name) for name in NAMES}
    rows = tuple((name, _cell(entry), entry["origin"]) for name, entry in shown.items())
    return Result(data={"settings": shown}, text=(Table(("setting", "value", "from"), rows),))


def _setting(settings: Settings, name: str) -> dict[str, Any]:
    from thunes_cli.config.fields import as_text
    from thunes_cli.config.secrets import Secret

    value = settings.value(name)
    origin = settings.origin(name)
    if isinstance(value, Secret):
        return {"value": str(value), "origin": origin, "fingerprint": value.fingerprint()}
    if value is None or isinstance(value, bool | int | float):
        return {"value": value, "origin": origin}
    if isinstance(value, tuple):
        return {"value": [as_text(item) for item in value], "origin": origin}
    return {"value": as_text(value), "origin": origin}


def _cell(entry: dict[str, Any]) -> str:
    value = entry["value"]
    if "fingerprint" in entry:
        return f"{value} ({entry['fingerprint']})"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(value)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@command(
    examples=("thunes config check", "thunes config check --online", "thunes config check --online --json"),
    exits=(
        (0, "these settings would trade"),
        (3, "a check failed: the table says which"),
        5,
        10,
        (12, "the exchange rejected the API key"),
        *(13, 14),
        (78, "a setting is wrong, or the home is another environment's or account's"),
    ),
)
def config_check(
    call: Call,
    *,
    online: Annotated[bool, typer.Option("--online", help="Ask the exchange too.")] = False,
) -> Result:
    """Would these settings trade?

    Without --online only this machine is looked at. With it the exchange is asked too: clock, request weight, every
    symbol, whether an entry could be sold again after a stop, and the API key.
    """
    from thunes_cli.config.faults import SettingsInvalid
    from thunes_cli.config.load import load_settings
    from thunes_cli.ops.check import Check, CheckStatus

    identity = read_book(call, lambda book: book.identity)
    try:
        settings = load_settings(call.home, call.environ, env_file=call.env_file).settings
        if settings.environment is not identity.environment:
            raise OtherEnvironment(identity.environment, settings.environment)
    except ConfigError as error:
        faults = error.problems if isinstance(error, SettingsInvalid) else (error.message,)
        checks = [Check("settings", CheckStatus.FAIL, str(fault), "valid", error.hint) for fault in faults]
        # No table: the lines on stderr say it all.
        data = {"checks": [check.as_data() for check in checks]}
        return replace(failure(error), data=data)
    return _check(call, settings, identity, online=online)


def _check(call: Call, settings: Settings, identity: Identity, *, online: bool) -> Result:
    from thunes_cli.ops.check import failed
    from thunes_cli.ops.home_checks import home_checks, skipped

    checks = list(home_checks(call.home, settings))
    exit_code = ExitCode.ATTENTION if failed(checks) else ExitCode.OK
    if any(check.name == "key" for check in failed(checks)):
        checks.extend(skipped(("exchange",) if online else (), "no key to ask with"))
    elif online:
        with _exchange(call, settings, identity) as asking:
            checks.extend(asking.run())
        exit_code = asking.exit_code or (ExitCode.ATTENTION if failed(checks) else ExitCode.OK)
    return _result(checks, exit_code)


def _result(checks: list[Check], exit_code: ExitCode) -> Result:
    from thunes_cli.ops.check import CheckStatus, failed

    rows = tuple((check.name, str(check.status), check.value, check.expected) for check in checks)
    warnings = [check for check in checks if check.status is CheckStatus.WARN and check.hint]
    return Result(
        data={"checks": [check.as_data() for check in checks]},
        text=(
            Table(("check", "status", "found", "expected"), rows),
            *(f"warning: {check.name}: {check.value}\n  hint: {check.hint}" for check in warnings),
        ),
        exit_code=exit_code,
        problems=tuple(Problem("check_failed", f"{check.name}: {check.value}", check.hint) for check in failed(checks)),
    )


@contextmanager
def _exchange(call: Call, settings: Settings, identity: Identity) -> Iterator[OnlineChecks]:
    """The exchange of these settings behind this home's breaker and ban clock: a ban binds this command too."""
    from thunes_cli.audit.journal import Journal
    from thunes_cli.cli.exchange_link import link_to
    from thunes_cli.clock import Clock
    from thunes_cli.config.home import LEDGER, TRAIL
    from thunes_cli.daemon.assembly import HomeSettings
    from thunes_cli.exchange.binance import connect
    from thunes_cli.exchange.breaker import Breaker
    from thunes_cli.exchange.guarded import GuardedExchange
    from thunes_cli.exchange.rate_gate import RateGate
    from thunes_cli.ledger.breakers import BreakerLimits
    from thunes_cli.ledger.connection import Ledger
    from thunes_cli.ops.online_checks import OnlineChecks, OnlineFacts

    journal = Journal(Ledger(call.home / LEDGER), call.home / TRAIL, Clock(identity.anchor))
    gate = RateGate(journal)
    limits = BreakerLimits(settings.breaker_fail_max, settings.breaker_window_seconds, settings.breaker_reset_seconds)
    try:
        with link_to(HomeSettings(call.home, settings), speed=None) as link:
            exchange = connect(
                link.endpoints,
                link.credentials,
                clock=journal.clock,
                recv_window_ms=settings.recv_window_ms,
                timeout_s=settings.request_timeout_seconds,
                on_headers=gate.observe,
                on_limits=gate.set_limits,
            )
            guarded = GuardedExchange(exchange, breaker=Breaker(journal, limits=limits), gate=gate)
            facts = OnlineFacts(settings, link.endpoints.rest_url, journal.clock, identity.uid, lambda: gate.usage)
            yield OnlineChecks(guarded, facts)
    finally:
        journal.close()

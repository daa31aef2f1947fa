"""Asking a home's exchange something signed, from a command that trades nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thunes_cli.cli.call import Call
from thunes_cli.errors import OtherEnvironment

if TYPE_CHECKING:
    from thunes_cli.audit.journal import Journal
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.settings import Settings
    from thunes_cli.exchange.guarded_binance import GuardedBinance
    from thunes_cli.ledger.identity import Identity


@dataclass(frozen=True, slots=True)
class Asked:
    """The exchange of a home, behind its breaker and ban clock: a ban binds commands too. ``key`` is what signs."""

    exchange: GuardedBinance
    key: Credentials
    settings: Settings
    journal: Journal


@contextmanager
def asking(call: Call, identity: Identity) -> Iterator[Asked]:
    """Reach the exchange of the settings in force while the block runs. An alert that this raises is sent at once.

    Raises:
        SettingsInvalid, OtherEnvironment, no usable key (78).
        ExchangeFailure: the exchange's clock cannot be read (13).
    """
    from thunes_cli.audit.journal import Journal
    from thunes_cli.cli.alerting import send_now
    from thunes_cli.cli.exchange_link import link_to
    from thunes_cli.clock import Clock
    from thunes_cli.config.home import LEDGER, TRAIL
    from thunes_cli.daemon.assembly import HomeSettings
    from thunes_cli.exchange.clock_sync import read_anchor
    from thunes_cli.exchange.guarded_binance import open_binance
    from thunes_cli.ledger.alerts import last_alert_id
    from thunes_cli.ledger.breakers import BreakerLimits
    from thunes_cli.ledger.connection import Ledger

    settings = _settings(call, identity)
    journal = Journal(Ledger(call.home / LEDGER), call.home / TRAIL, Clock(identity.anchor))
    limits = BreakerLimits(settings.breaker_fail_max, settings.breaker_window_seconds, settings.breaker_reset_seconds)
    with journal.read() as connection:
        told = last_alert_id(connection)
    try:
        with link_to(HomeSettings(call.home, settings), speed=None) as link:
            exchange = open_binance(
                link.endpoints,
                link.credentials,
                journal,
                limits=limits,
                recv_window_ms=settings.recv_window_ms,
                timeout_s=settings.request_timeout_seconds,
            )
            # In memory only: the anchor on the ledger is the daemon's business.
            journal.clock.set_anchor(read_anchor(exchange, journal.clock, speed=journal.clock.speed, samples=1))
            yield Asked(exchange, link.credentials, settings, journal)
    finally:
        try:
            with journal.read() as connection:
                raised = last_alert_id(connection) > told
            if raised:
                send_now(call, journal, home=call.home)  # what it cannot send waits: thunes alerts list
        finally:
            journal.close()


def _settings(call: Call, identity: Identity) -> Settings:
    from thunes_cli.config.load import load_settings

    settings = load_settings(call.home, call.environ, env_file=call.env_file).settings
    if settings.environment is not identity.environment:
        raise OtherEnvironment(identity.environment, settings.environment)
    return settings

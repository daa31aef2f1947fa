"""A breaker that opens at the fifth failure within a minute, and what it wrote down."""

from __future__ import annotations

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.breaker import Breaker
from thunes_cli.exchange.failures import ExchangeDown, ExchangeFailure
from thunes_cli.ledger.breakers import BreakerLimits, BreakerStatus, breaker_status

LIMITS = BreakerLimits(fail_max=5, window_s=60, reset_s=60)
DOWN = ExchangeDown("127.0.0.1: connection refused")


def status(journal: Journal) -> BreakerStatus:
    """As a command shows it now."""
    with journal.read() as connection:
        return breaker_status(connection, journal.clock.wall(), limits=LIMITS, monotonic=journal.clock.monotonic())


def fail(breaker: Breaker, times: int = 1, failure: ExchangeFailure = DOWN) -> None:
    """So many calls, each with this end."""
    for _ in range(times):
        breaker.failed(breaker.admit(), failure)


def events(journal: Journal) -> list[str]:
    """The trail's events, in order."""
    return [line.split('"event":"')[1].split('"')[0] for line in journal.trail.path.read_text().splitlines()]

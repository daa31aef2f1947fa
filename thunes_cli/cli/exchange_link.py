"""Which exchange a home talks to: Binance's own, a simulator served elsewhere, or one started for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from thunes_cli.cli.simulating import market_options, simulator_problems

if TYPE_CHECKING:
    from thunes_cli.daemon.assembly import ExchangeLink, HomeSettings


@contextlib.contextmanager
def link_to(configured: HomeSettings, *, speed: Decimal | None) -> Iterator[ExchangeLink]:
    """The exchange of a home while the block runs.

    Args:
        configured: the home and its settings.
        speed: how fast the exchange's clock runs; None asks a simulator, and is 1 for Binance itself.

    Raises:
        ConfigError: no usable key (78). SimulatorFailed: the embedded exchange does not start.
    """
    from thunes_cli.config.credentials import credentials
    from thunes_cli.config.endpoints import endpoints
    from thunes_cli.daemon.assembly import ExchangeLink
    from thunes_cli.model import Environment

    settings = configured.settings
    where = endpoints(settings)
    if where is None:
        with _embedded(configured, speed=speed) as link:
            yield link
        return
    told = None if settings.environment is Environment.SIM else Decimal(1)
    yield ExchangeLink(where, credentials(settings), speed=speed if speed is not None else told)


@contextlib.contextmanager
def _embedded(configured: HomeSettings, *, speed: Decimal | None) -> Iterator[ExchangeLink]:
    raise NotImplementedError
    yield

"""Which exchange a home talks to: Binance's own, a simulator served elsewhere, or one started for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from thunes_cli.cli.simulating import market_options, simulator_problems

if TYPE_CHECKING:
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.endpoints import Endpoints
    from thunes_cli.daemon.assembly import ExchangeLink, HomeSettings
    from thunes_cli.sim.embedded import Endpoint


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
    """The exchange in the home's ``sim/``: whoever serves it, else a child of ours."""
    from thunes_cli.config.home import SIM
    from thunes_cli.daemon.assembly import ExchangeLink
    from thunes_cli.sim.embedded import EmbeddedExchange
    from thunes_cli.sim.options import SimOptions

    directory = configured.home / SIM
    chosen = market_options(configured.settings) | ({} if speed is None else {"speed": speed})
    with simulator_problems(), EmbeddedExchange(directory, SimOptions(directory, **chosen)) as exchange:
        last = exchange.ensure()

        def renew() -> Decimal | None:
            nonlocal last
            with simulator_problems():
                found = exchange.ensure()
            last, before = found, last
            return None if found is before or found == before else found.speed

        where, key = _place(last)
        yield ExchangeLink(where, key, speed=last.speed, renew=renew, ends_with_us=lambda: exchange.pid is not None)


def _place(endpoint: Endpoint) -> tuple[Endpoints, Credentials]:
    from thunes_cli.config.credentials import EMBEDDED, Credentials
    from thunes_cli.config.endpoints import Endpoints
    from thunes_cli.config.secrets import Secret

    where = Endpoints(endpoint.rest_url, endpoint.stream_url, endpoint.ws_api_url, endpoint.sapi_url)
    return where, Credentials(Secret(endpoint.api_key), Secret(endpoint.api_secret), None, EMBEDDED)

"""The simulator, a proxy in front of it that misbehaves to order, and homes that trade through it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Homes, processes and trading rooms are made as the tests of those rooms make them.
sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("cli", "daemon", "exchange", "trading")]

from bot_home import BotHome  # noqa: E402 - found only after the line above
from daemon_processes import Exchange, Home, make_home, serve  # noqa: E402 - as above
from misbehaving_proxy import MisbehavingProxy  # noqa: E402 - as above


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A market that runs sixty times as fast: a one-minute candle a second."""
    served = serve(tmp_path_factory.mktemp("market"), "--speed", "60")
    yield served
    served.stop()


@pytest.fixture
def proxy(market: Exchange) -> Iterator[MisbehavingProxy]:
    """In front of that market; well-behaved until told otherwise."""
    proxy = MisbehavingProxy(market.address["rest_url"])
    yield proxy
    proxy.close()


@pytest.fixture
def home_behind(market: Exchange, proxy: MisbehavingProxy, tmp_path: Path) -> Iterator[Callable[..., Home]]:
    """Makes a home that reaches the market through the proxy; what it started is ended."""
    made: list[Home] = []

    def make(name: str = "home", **settings: str) -> Home:
        home = make_home(tmp_path / name, market.address, **{"BINANCE_REST_URL": proxy.url, **settings})
        made.append(home)
        return home

    yield make
    for home in made:
        home.close()


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home of a simulated bot, still without a past."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()

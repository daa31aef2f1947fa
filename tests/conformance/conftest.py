"""Exchanges that the foreign clients are turned on: one a module, because starting one takes longer than a test."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from serving import Serving, stepped

from thunes_cli.sim.options import SimOptions

BALANCES = (("USDT", Decimal(1_000_000)), ("BTC", Decimal(10)), ("ETH", Decimal(100)), ("BNB", Decimal(0)))


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> Iterator[None]:
    """The clients read proxies from the environment; loopback needs none."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        environment.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A market that stands still, so that two answers to one question can be compared to the last digit."""
    with Serving(stepped(tmp_path_factory.mktemp("still"), balances=BALANCES)) as serving:
        yield serving


@pytest.fixture(scope="module")
def real_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A market at the speed of the wall clock, where the documented rule for timestamps holds."""
    with Serving(SimOptions(tmp_path_factory.mktemp("real-time"), balances=BALANCES)) as serving:
        yield serving


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A market in which a minute passes each second, so that a stream has much to tell."""
    with Serving(SimOptions(tmp_path_factory.mktemp("brisk"), speed=Decimal(60), balances=BALANCES)) as serving:
        yield serving

"""A simulator for the tests of this directory, and homes on it."""

from __future__ import annotations

import pytest
from daemon_processes import make_home, serve


@pytest.fixture(scope="session")
def exchange(tmp_path_factory):
    """A market that runs sixty times as fast: a candle a second."""
    served = serve(tmp_path_factory.mktemp("sim"), "--speed", "60")
    yield served
    served.stop()


@pytest.fixture
def home(exchange, tmp_path):
    """A fresh home on that market."""
    made = make_home(tmp_path / "a home", exchange.address)
    yield made
    made.close()

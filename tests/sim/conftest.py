"""Exchanges that several tests share."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from fault_orders import fault_post
from served_here import ServedHere
from serving import Serving, stepped


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A stepped synthetic market nobody steps, for the tests of one file that need no more than an exchange."""
    with Serving(stepped(tmp_path_factory.mktemp("standing"))) as serving:
        yield serving


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Serving]:
    """A stepped synthetic market of the test's own."""
    with Serving(stepped(tmp_path / "sim")) as serving:
        yield serving


@pytest.fixture
def thin_market(tmp_path: Path) -> Iterator[Serving]:
    """One whose book holds 2,000 quote on each side."""
    with Serving(stepped(tmp_path / "sim", depth_quote=Decimal(2000))) as serving:
        yield serving


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHere]:
    """A stepped market, served by this process to the tests of one file."""
    with ServedHere(stepped(tmp_path_factory.mktemp("faults"))) as serving:
        yield serving


@pytest.fixture
def here(running: ServedHere) -> Iterator[ServedHere]:
    """The same, with no fault waiting and nobody connected before and after."""
    yield running
    fault_post(running, "/sim/faults/clear")
    running.wait_until_alone()

"""A Telegram that misbehaves to order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Homes, processes and the misbehaving proxy are made as the tests of those rooms make them.
sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("cli", "daemon", "controls", "trading")]

from fake_telegram import FakeTelegram  # noqa: E402 - beside this file


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    """Well-behaved until told otherwise."""
    fake = FakeTelegram()
    yield fake
    fake.close()

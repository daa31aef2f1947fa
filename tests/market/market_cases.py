"""Candles for the tests of the market: made up, or real ones when the shared data is there."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import strategies as st

from thunes_cli.clock import from_ms
from thunes_cli.model import Candle

D = Decimal
DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared market data is not there")

closes = st.lists(st.integers(1, 10**6).map(lambda cents: Decimal(cents) / 100), min_size=1, max_size=120)


def candle_at(index: int, close: Decimal | int | str = 100, *, span: timedelta = HOUR) -> Candle:
    """The candle number ``index`` after START, all prices equal."""
    price, opened = Decimal(close), START + index * span
    return Candle(opened, opened + span, price, price, price, price, Decimal(1))


def series(prices: Iterable[Decimal | int | str]) -> list[Candle]:
    """Candles that close at these prices, without a gap."""
    return [candle_at(index, price) for index, price in enumerate(prices)]


def real_candles(name: str, *, span: timedelta) -> list[Candle]:
    """The candles of a file of the shared data."""
    with gzip.open(DATA / name, "rt", encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    candles = []
    for row in rows:
        text = row["open_time"]
        opened = from_ms(int(text)) if text.isdigit() else datetime.fromisoformat(text)
        prices = (Decimal(row[field]) for field in ("open", "high", "low", "close", "volume"))
        candles.append(Candle(opened, opened + span, *prices))
    return candles

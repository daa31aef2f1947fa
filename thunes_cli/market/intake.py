"""Where the reader of a stream leaves what it heard, and the trading thread finds it. The reader never waits.

Closed candles are kept until they are taken. Prices may be dropped when nobody takes them for long: the oldest first,
and counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.model import Candle

_MOST_PRICES = 4096
_MOST_CANDLES = 1000  # of a symbol; whoever comes so late has to ask for them in any case


class Tick(NamedTuple):
    """A price of a stream: ``at`` is the market time it was told at, ``monotonic`` when it arrived."""

    symbol: str
    price: Decimal
    at: datetime
    monotonic: float


class Intake:
    """Shared by the reader of a stream and the trading thread. ``on_tick`` is called for watched symbols only."""

    def __init__(self, *, on_tick: Callable[[], None] = lambda: None, most_prices: int = _MOST_PRICES) -> None:
        self._lock = threading.Lock()
        self._on_tick = on_tick
        self._on_close: Callable[[], None] = lambda: None
        self._arrived: dict[str, datetime] = {}
        self._most_prices = most_prices
        self._latest: dict[str, Tick] = {}
        self._ticks: deque[Tick] = deque()
        self._watched: frozenset[str] = frozenset()
        self._closed: dict[str, deque[Candle]] = {}
        self._dropped = 0
        self._candles = 0

    # -- the reader --------------------------------------------------------------------------------------------

    def put(self, tick: Tick, closed: Candle | None) -> None:
        """Leave a price, and a candle that has closed."""
        with self._lock:
            self._latest[tick.symbol] = tick
            if closed is not None:
                self._candles += 1
                self._closed.setdefault(tick.symbol, deque(maxlen=_MOST_CANDLES)).append(closed)
                self._arrived[tick.symbol] = closed.close_time
            watched = tick.symbol in self._watched
            if watched:
                if len(self._ticks) >= self._most_prices:
                    self._ticks.popleft()
                    self._dropped += 1
                self._ticks.append(tick)
        if watched:
            self._on_tick()
        if closed is not None:
            self._on_close()

    # -- the trading thread ------------------------------------------------------------------------------------

    def wake_by(self, *, on_tick: Callable[[], None], on_close: Callable[[], None]) -> None:
        """Whom to tell of prices of watched symbols, and of closed candles."""
        self._on_tick, self._on_close = on_tick, on_close

    def watch(self, symbols: Collection[str]) -> None:
        """Keep every price of these symbols, and of no others, until it is taken."""
        watched = frozenset(symbols)
        if watched != self._watched:
            with self._lock:
                self._watched = watched

    def latest(self, symbol: str) -> Tick | None:
        """The newest price of a symbol."""
        with self._lock:
            return self._latest.get(symbol)

    def take_ticks(self) -> list[Tick]:
        """Every price of watched symbols that was not taken yet, oldest first."""
        with self._lock:
            taken = list(self._ticks)
            self._ticks.clear()
            return taken

    def take_arrivals(self) -> dict[str, datetime]:
        """The symbols whose candles have closed since the last time, with the end of the last one."""
        with self._lock:
            taken, self._arrived = self._arrived, {}
            return taken

    def take_closed(self, symbol: str) -> list[Candle]:
        """Every closed candle of a symbol that was not taken yet, in the order in which they came."""
        with self._lock:
            waiting = self._closed.get(symbol)
            if not waiting:
                return []
            taken = list(waiting)
            waiting.clear()
            return taken

    @property
    def dropped(self) -> int:
        """How many prices were dropped because nobody took them."""
        return self._dropped

    @property
    def candles(self) -> int:
        """How many closed candles came, those included that came twice."""
        return self._candles

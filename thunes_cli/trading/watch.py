"""One strategy watching one symbol: fed every closed candle once, remembering what it said lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from thunes_cli.market.strategies import load_strategy
from thunes_cli.model import Candle, Signal

REMEMBERED_CANDLES = 300  # how far back an unheard SELL is looked for after downtime


class Watch:
    """Keeps the signals of the candles it was fed; candles it has seen are skipped, a hole starts it anew."""

    def __init__(self, symbol: str, strategy: str, params: Mapping[str, Any]) -> None:
        self.symbol = symbol
        self.strategy = strategy
        self._params = params
        self._start()

    def _start(self) -> None:
        self._source = load_strategy(self.strategy, self.symbol, self._params)
        self._last: Candle | None = None
        self._signals: deque[Signal] = deque(maxlen=REMEMBERED_CANDLES)

    @property
    def candles_needed(self) -> int:
        """How many closed candles to show it at first."""
        return self._source.history_needed + REMEMBERED_CANDLES

    @property
    def latest(self) -> Candle | None:
        """The newest candle it has seen."""
        return self._last

    @property
    def signals(self) -> Sequence[Signal]:
        """What it said, oldest first."""
        return tuple(self._signals)

    @property
    def signal(self) -> Signal | None:
        """What it says of the newest candle."""
        if self._last is None or not self._signals:
            return None
        newest = self._signals[-1]
        return newest if newest.candle_open_time == self._last.open_time else None

    def observe(self, candles: Sequence[Candle]) -> None:
        """Take in what is new among closed candles, oldest first.

        Raises:
            StrategyBroken: the strategy failed on a candle.
        """
        if candles and self._last is not None and candles[0].open_time > self._last.close_time:
            self._start()
        known = len(candles)
        while known and (self._last is None or candles[known - 1].open_time > self._last.open_time):
            known -= 1
        for candle in candles[known:]:
            signal = self._source.update(candle)
            self._last = candle
            if signal is not None:
                self._signals.append(signal)

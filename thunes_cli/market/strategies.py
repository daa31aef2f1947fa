'''What a strategy is, and where strategies come from.

A strategy is shown closed candles, one after the other in the order of time, and may advise to buy or to sell after
each. It is pure: what it says depends on nothing but its parameters and the candles it has seen, so the same candles
always give the same advice, and it cannot see ahead. It does not place orders, and it knows neither positions, nor
stops, nor limits: risk rules and the stop-loss are not its business.

A strategy of your own is one class and one entry point. All of ``breakout.py``::

    from thunes_cli.market.strategies import Advice, whole_number
    from thunes_cli.model import Side

    class Breakout:
        """Buy a close above the last N highs, sell one below the last N lows."""

        def __init__(self, symbol, params):
            self.candles = whole_number(params, "BREAKOUT_CANDLES", default=20)
            self.history_needed = self.candles + 1
            self.seen = []

        def update(self, candle):
            before, self.seen = self.seen, [*self.seen, candle][-self.candles:]
            if len(before) == self.candles and candle.close > max(old.high for old in before):
                return Advice(Side.BUY, {"close": str(candle.close)})
            if len(before) == self.candles and candle.close < min(old.low for old in before):
                return Advice(Side.SELL)
            return None

and in the ``pyproject.toml`` of its package::

    [project.entry-points."thunes.strategies"]
    breakout = "breakout:Breakout"

Install the package beside THUNES and set ``STRATEGY=breakout``.
'''

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol, cast

from thunes_cli.errors import ConfigError
from thunes_cli.model import Candle, Side, Signal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "thunes.strategies"
# Looked up without importlib.metadata: reading every installed package's metadata costs more than the rest of a check.
_BUILT_IN = {"rsi": "thunes_cli.market.rsi:RsiReversal", "sma": "thunes_cli.market.sma:SmaCrossover"}


class StrategyBroken(ConfigError):
    """the strategy {0!r} cannot be used: {1}"""

    code = "strategy_broken"
    hint = "repair or reinstall the package that provides it, or set STRATEGY=rsi or STRATEGY=sma"


@dataclass(frozen=True, slots=True)
class Advice:
    """What a strategy wants after a candle. ``facts`` are the numbers that decided, for ``explain``."""

    side: Side
    facts: Mapping[str, str] = field(default_factory=dict)


class Strategy(Protocol):
    """What a strategy must offer; see the module's example."""

    @property
    def history_needed(self) -> int:
        """How many of the latest closed candles settle what the strategy says of the last of them."""

    def update(self, candle: Candle, /) -> Advice | None:
        """Take the candle that has just closed."""


class StrategyFactory(Protocol):
    """Makes a strategy; usually the class itself. ``params`` are settings by name (``SMA_FAST`` …)."""

    def __call__(self, symbol: str, params: Mapping[str, Any], /) -> Strategy:
        """A strategy that has seen no candle.

        Raises:
            ConfigError: a parameter is out of its range.
        """


class SignalSource:
    """A strategy at work on one symbol: turns its advice into signals of the candle that has just closed."""

    def __init__(self, name: str, symbol: str, *, factory: StrategyFactory, params: Mapping[str, Any]) -> None:
        self.name = name
        self.symbol = symbol
        self._strategy = self._made(factory, params)
        self._last: datetime | None = None
        self.history_needed = self._strategy.history_needed

    def update(self, candle: Candle) -> Signal | None:
        """The signal of this candle, which must be closed and newer than any before.

        Raises:
            StrategyBroken: the strategy failed, or answered with something that is no advice.
            ValueError: the candle is not newer than the last one.
        """
        if self._last is not None and candle.open_time <= self._last:
            raise ValueError(f"{self.symbol}: candle {candle.open_time} after {self._last}")
        self._last = candle.open_time
        try:
            advice = self._strategy.update(candle)
            if advice is None:
                return None
            side, facts = Side(advice.side), {str(name): str(value) for name, value in advice.facts.items()}
        except (Exception, SystemExit) as error:  # whatever it is, it is somebody else's
            raise StrategyBroken(self.name, f"it failed on the candle of {candle.open_time}: {error!r}") from error
        return Signal(
            symbol=self.symbol,
            strategy=self.name,
            side=side,
            candle_open_time=candle.open_time,
            candle_close_time=candle.close_time,
            price=candle.close,
            facts=facts,
        )

    def _made(self, factory: StrategyFactory, params: Mapping[str, Any]) -> Strategy:
        try:
            strategy = factory(self.symbol, dict(params))
            needed = strategy.history_needed
            usable = callable(strategy.update) and isinstance(needed, int) and needed > 0
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # whatever it is, it is somebody else's
            raise StrategyBroken(self.name, repr(error)) from error
        if not usable:
            raise StrategyBroken(self.name, "it needs a method update(candle) and a positive history_needed")
        return strategy


def load_strategy(name: str, symbol: str, params: Mapping[str, Any]) -> SignalSource:
    """The strategy called ``name``: one of ours, or one of the entry-point group ``thunes.strategies``.

    Raises:
        ConfigError: no such strategy (the known ones are named), or a parameter is out of its range.
        StrategyBroken: it cannot be imported or made.
    """
    return SignalSource(name, symbol, factory=_find_factory(name), params=params)


def known_strategies() -> tuple[str, ...]:
    """The names that :func:`load_strategy` knows, sorted. Reads the metadata of every installed package."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in _entry_points())}))


def whole_number(params: Mapping[str, Any], name: str, *, default: int) -> int:
    """A parameter as a positive whole number; absent, empty or None means the default.

    Raises:
        ConfigError: it is something else.
    """
    number = decimal_number(params, name, default=Decimal(default))
    if number <= 0 or number != number.to_integral_value():
        raise ConfigError(f"{name} must be a positive whole number, not {number}")
    return int(number)


def decimal_number(params: Mapping[str, Any], name: str, *, default: Decimal) -> Decimal:
    """A parameter as a finite decimal; absent, empty or None means the default.

    Raises:
        ConfigError: it is something else.
    """
    raw = params.get(name)
    if raw is None or raw == "":
        return default
    try:
        number = Decimal(str(raw))
    except InvalidOperation:
        raise ConfigError(f"{name} must be a number, not {raw!r}") from None
    if not number.is_finite():
        raise ConfigError(f"{name} must be a finite number, not {raw!r}")
    return number


def _find_factory(name: str) -> StrategyFactory:
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        return cast("StrategyFactory", getattr(importlib.import_module(module), attribute))
    points = {point.value: point for point in _entry_points() if point.name == name}
    if not points:
        raise ConfigError(
            f"STRATEGY {name!r} is unknown; known are {', '.join(known_strategies())}",
            hint="set STRATEGY to one of them, or install the package that provides it",
        )
    if len(points) > 1:
        raise StrategyBroken(name, f"several packages provide it: {', '.join(sorted(points))}")
    point = points.popitem()[1]
    try:
        factory = point.load()
    except (Exception, SystemExit) as error:  # whatever it is, it is somebody else's
        raise StrategyBroken(name, f"{point.value} of {_origin(point)}: {error!r}") from error
    if not callable(factory):
        raise StrategyBroken(name, f"{point.value} of {_origin(point)} is not a class or function")
    return cast("StrategyFactory", factory)


def _entry_points() -> Sequence[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415  slow to import, and only third parties need it

    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def _origin(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"

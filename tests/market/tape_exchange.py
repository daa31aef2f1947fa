"""A stand-in at the edge of the exchange protocol: a tape of candles that answers as the exchange would."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

from market_cases import HOUR, START, D, candle_at

from thunes_cli.clock import Anchor, Clock
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.model import Candle

UNFINISHED = D("0.01")
_HUNDRED = D(100)


@dataclass
class Request:
    """One question for candles."""

    limit: int
    start: datetime | None
    end: datetime | None


@dataclass
class TapeExchange:
    """Hours since START, except the ``holes``, from ``first`` on; its clock reads ``now``.

    A candle that is not over has a volume of UNFINISHED. ``quiet`` hides the open candle while nothing has traded
    in it; ``late`` holes are filled after having been asked for so many times;
    ``passing`` goes by whenever its clock is asked for.
    """

    now: datetime = START
    first: int = 0
    holes: set[int] = field(default_factory=set)
    late: dict[int, int] = field(default_factory=dict)
    quiet: bool = False
    failure: ExchangeFailure | None = None
    price: Decimal = _HUNDRED
    bad: dict[int, Candle] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    clock_readings: int = 0
    passing: timedelta = timedelta(0)

    def candles(
        self,
        _symbol: str,
        timeframe: str,
        *,
        limit: int = 500,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Candle]:
        """The first ``limit`` from ``start`` on; without it the last ``limit`` up to ``end`` or now."""
        assert (timeframe, 0 < limit <= 1000) == ("1h", True)
        self.requests.append(Request(limit, start, end))
        if self.failure is not None:
            raise self.failure
        last = (self.now - START) // HOUR
        found = [
            self._candle(index)
            for index in range(self.first, last + 1)
            if self._exists(index)
            and (start is None or START + index * HOUR >= start)
            and (end is None or START + index * HOUR <= end)
        ]
        return found[:limit] if start is not None else found[-limit:]

    def _exists(self, index: int) -> bool:
        if index in self.late:
            self.late[index] -= 1
            return self.late[index] < 0
        return index not in self.holes and not (self.quiet and START + (index + 1) * HOUR > self.now)

    def _candle(self, index: int) -> Candle:
        candle = self.bad.get(index, candle_at(index, index + 1))
        return replace(candle, volume=UNFINISHED) if candle.close_time > self.now else candle

    def server_time(self) -> datetime:
        """The tape's own clock."""
        self.clock_readings += 1
        self.now += self.passing
        return self.now

    def last_price(self, _symbol: str) -> Decimal:
        """The price it was given."""
        if self.failure is not None:
            raise self.failure
        return self.price

    def as_exchange(self) -> Exchange:
        """Itself, for who needs no more of an exchange than this."""
        return cast("Exchange", self)


class Hands:
    """The hands of a clock that only tests move; the feed's clock may run ``ahead`` of the tape's."""

    def __init__(self, tape: TapeExchange, *, ahead: timedelta = timedelta(0), speed: int = 1) -> None:
        self.wall = START
        self.seconds = 1000.0
        self._tape = tape
        self._speed = speed
        self.clock = Clock(
            Anchor(wall=START, market=START + ahead, speed=Decimal(speed)),
            wall=lambda: self.wall,
            monotonic=lambda: self.seconds,
        )

    def move(self, wall: timedelta) -> None:
        """Let wall time pass; the tape's clock follows at its speed."""
        self.wall += wall
        self.seconds += wall.total_seconds()
        self._tape.now += wall * self._speed

"""Names of market streams: which are well formed, and which topic a name stands for."""

from __future__ import annotations

import re
from collections.abc import Callable

from thunes_cli.sim import streams_events as events
from thunes_cli.sim.bars import INTERVALS
from thunes_cli.sim.market import Listing
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.streams_books import (
    BookTickerTopic,
    DepthTopic,
    FastDepthTopic,
    FastPartialDepthTopic,
    PartialDepthTopic,
    TickerTopic,
)
from thunes_cli.sim.streams_topics import (
    AveragePriceTopic,
    KlineTopic,
    MiniTickerTopic,
    SecondKlineTopic,
    Topic,
    TradeTopic,
)
from thunes_cli.sim.world import World

_NAME = re.compile(r"(?P<symbol>[^@\s/!]+)@(?P<kind>[^@\s/]+(@[^@\s/]+)?)")
_ALL_MARKET = re.compile(r"![A-Za-z0-9_]+(@[^@\s/]+){0,2}")
# Clients of old name an update speed as well, and are served.
_ALL_MINI_TICKERS = ("!miniTicker@arr", "!miniTicker@arr@1000ms", "!miniTicker@arr@3000ms")

Make = Callable[[str, Listing, int], Topic]


def well_formed(name: str) -> bool:
    """Whether a name could be a stream's. One that is not gets refused; an unknown one is accepted, and is silent."""
    return bool(_NAME.fullmatch(name) or _ALL_MARKET.fullmatch(name))


class Topics:
    """Makes the topics of one market. What several of them need of a symbol is made once."""

    def __init__(self, world: World) -> None:
        self._world = world
        engine = world.engine
        self._kinds: dict[str, Make] = {
            "trade": self._trades(events.trade),
            "aggTrade": self._trades(events.aggregate_trade),
            "bookTicker": lambda name, listing, _: BookTickerTopic(name, listing, engine),
            "miniTicker": lambda name, listing, _: MiniTickerTopic(name, [listing], as_array=False),
            "ticker": lambda name, listing, _: TickerTopic(name, listing, engine, prints=world.prints(listing)),
            "avgPrice": lambda name, listing, _: AveragePriceTopic(name, listing, world.prints(listing)),
            "depth": lambda name, listing, now: DepthTopic(name, listing, engine, now),
            "depth@1000ms": lambda name, listing, now: DepthTopic(name, listing, engine, now),
            "depth@100ms": lambda name, listing, now: FastDepthTopic(name, listing, engine, now),
        }
        for levels in (5, 10, 20):
            self._kinds[f"depth{levels}"] = self._levels(PartialDepthTopic, levels)
            self._kinds[f"depth{levels}@1000ms"] = self._levels(PartialDepthTopic, levels)
            self._kinds[f"depth{levels}@100ms"] = self._levels(FastPartialDepthTopic, levels)
        for interval in (*INTERVALS, "1M"):
            self._kinds[f"kline_{interval}"] = self._klines(interval)

    def make(self, name: str, now: int) -> Topic | None:
        """The topic of a stream, or None where there is no such symbol or kind: symbols are lower case."""
        if name in _ALL_MINI_TICKERS:
            return MiniTickerTopic(name, self._world.market, as_array=True)
        found = _NAME.fullmatch(name)
        make = self._kinds.get(found["kind"]) if found else None
        if found is None or make is None or found["symbol"] != found["symbol"].lower():
            return None
        try:
            listing = self._world.market.listing(found["symbol"].upper())
        except ApiError:
            return None
        return make(name, listing, now)

    def _trades(self, shape: Callable[..., object]) -> Make:
        prints = self._world.prints
        return lambda name, listing, now: TradeTopic(name, listing, prints(listing), now, shape=shape)

    def _klines(self, interval: str) -> Make:
        topic = SecondKlineTopic if interval == "1s" else KlineTopic
        prints = self._world.prints
        return lambda name, listing, now: topic(name, listing, interval, prints(listing), now)

    def _levels(self, topic: type[PartialDepthTopic], levels: int) -> Make:
        return lambda name, listing, _: topic(name, listing, self._world.engine, levels=levels)

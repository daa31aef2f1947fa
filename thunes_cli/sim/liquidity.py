"""What the book still holds: the market's own levels less what the account's orders took within the second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from thunes_cli.sim.amounts import ZERO
from thunes_cli.sim.book import REFILL_MS, Book
from thunes_cli.sim.market import Listing, Market
from thunes_cli.sim.orders import SimTrade
from thunes_cli.sim.store import Store


@dataclass(slots=True)
class _Eaten:
    """What takers took from the book since it was last refilled, by price."""

    slot: int
    asks: dict[Decimal, Decimal] = field(default_factory=dict)
    bids: dict[Decimal, Decimal] = field(default_factory=dict)

    def add(self, trade: SimTrade) -> None:
        side = self.asks if trade.is_buyer else self.bids
        side[trade.price] = side.get(trade.price, ZERO) + trade.quantity


class Liquidity:
    """The books of a market as the account's orders leave them."""

    def __init__(self, market: Market, store: Store) -> None:
        self._market = market
        self._store = store
        self._eaten: dict[str, _Eaten] = {}

    def book(self, listing: Listing, now: int) -> Book:
        """What the book still holds."""
        eaten = self._eaten_now(listing.spec.symbol, now)
        return self._market.full_book(listing, now).without(eaten.asks, eaten.bids)

    def take(self, trades: Iterable[SimTrade], now: int) -> None:
        """What takers got is gone until the book is refilled."""
        for trade in trades:
            self._eaten_now(trade.symbol, now).add(trade)

    def forget(self) -> None:
        """No trade has ever happened."""
        self._eaten.clear()

    def _eaten_now(self, symbol: str, now: int) -> _Eaten:
        slot = now // REFILL_MS
        eaten = self._eaten.get(symbol)
        if eaten is None or eaten.slot != slot:
            fresh = _Eaten(slot)
            if eaten is None:  # after a restart the book must not be fuller than before it
                since = (symbol, slot * REFILL_MS)
                for trade in self._store.trades("symbol = ? AND time >= ? AND is_maker = 0", since):
                    fresh.add(trade)
            eaten = self._eaten[symbol] = fresh
        return eaten

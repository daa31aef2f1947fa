"""The listed symbols with their markets: status, prices and books at an instant."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from thunes_cli.exchange.filters import SymbolRules, parse_symbol
from thunes_cli.sim.amounts import from_scaled
from thunes_cli.sim.bars import MINUTE, floor_open
from thunes_cli.sim.book import Book, BookShape, make_book
from thunes_cli.sim.rejection import invalid_symbol
from thunes_cli.sim.symbols import SymbolSpec, exchange_info_entry
from thunes_cli.sim.tape import Tape

AVERAGE_MINUTES = 5
_SHOWN = 128


@dataclass(slots=True)
class Listing:
    """One symbol. Its tape is made when it is first asked for: a market nobody watches costs nothing."""

    spec: SymbolSpec
    rules: SymbolRules
    _make: Callable[[], Tape]
    _tape: Tape | None = None
    halted_as: str | None = None
    recorded: bool = False
    # Books that were shown, with their update ids: who holds one can be told what has changed in it since.
    shown: deque[tuple[int, Book]] = field(default_factory=lambda: deque(maxlen=_SHOWN))

    @classmethod
    def of(cls, spec: SymbolSpec, make: Callable[[], Tape], *, recorded: bool) -> Listing:
        """List a symbol whose tape ``make`` makes."""
        return cls(spec, parse_symbol(exchange_info_entry(spec, "TRADING")), make, recorded=recorded)

    @property
    def tape(self) -> Tape:
        """Its candles through time."""
        if self._tape is None:
            self._tape = self._make()
        return self._tape

    def status(self, moment: int) -> str:
        """``TRADING``, what it was set to by hand, or ``BREAK`` where the recording has a gap."""
        if self.halted_as is not None:
            return self.halted_as
        return "BREAK" if self.recorded and not self.tape.trades_at(moment) else "TRADING"

    def price(self, moment: int) -> Decimal:
        """The last price."""
        return from_scaled(self.tape.price(moment))

    def average(self, moment: int) -> Decimal:
        """The average price over the filters' window."""
        return from_scaled(self.tape.average(moment, AVERAGE_MINUTES))

    def info(self, moment: int, *, permission_sets: bool = True) -> dict[str, Any]:
        """Its entry in ``exchangeInfo``."""
        return exchange_info_entry(self.spec, self.status(moment), permission_sets=permission_sets)


class Market:
    """All listings, and the shape of their books."""

    def __init__(self, listings: Mapping[str, Listing], shape: BookShape) -> None:
        self._listings = dict(listings)
        self.shape = shape

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._listings.values())

    def listing(self, symbol: str) -> Listing:
        """A symbol's listing.

        Raises:
            ApiError: −1121, there is no such symbol.
        """
        found = self._listings.get(symbol)
        if found is None:
            raise invalid_symbol()
        return found

    def full_book(self, listing: Listing, moment: int) -> Book:
        """The book as it would be if nobody had taken anything from it."""
        return make_book(listing.price(moment), listing.spec, self.shape)

    @property
    def assets(self) -> list[str]:
        """Every base and quote asset, in alphabetical order."""
        found = {each.spec.base for each in self} | {each.spec.quote for each in self}
        return sorted(found)

    def next_open(self, moment: int) -> int | None:
        """When the next candle of any symbol opens; None at the end of a recording."""
        opens = [each.tape.next_open(moment) if each.recorded else floor_open(moment, MINUTE) + MINUTE for each in self]
        return min((each for each in opens if each is not None), default=None)

"""The listed symbols with their markets: status, prices and books at an instant."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from thunes_cli.exchange.filters import CountLimit, SymbolRules, parse_symbol
from thunes_cli.sim.amounts import EXACT, from_scaled
from thunes_cli.sim.bars import MINUTE, floor_open
from thunes_cli.sim.book import Book, BookShape, make_book
from thunes_cli.sim.closures import Closure, open_spans
from thunes_cli.sim.rejection import invalid_symbol
from thunes_cli.sim.symbols import SymbolSpec, exchange_info_entry
from thunes_cli.sim.tape import Tape

AVERAGE_MINUTES = 5
_SHOWN = 128
# A filter as ``exchangeInfo`` shows it.
Filter = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PriceRange:
    """An execution rule: trades only between ``down`` and ``up`` times the reference price."""

    up: Decimal
    down: Decimal

    def around(self, reference: Decimal) -> tuple[Decimal, Decimal]:
        """Least and greatest price at which trades are permitted."""
        return EXACT.multiply(reference, self.down), EXACT.multiply(reference, self.up)


@dataclass(slots=True)
class Listing:
    """One symbol. Its tape is made when it is first asked for: a market nobody watches costs nothing.

    ``closures``: when it was closed by decree, oldest first. ``price_range``: with it the symbol has a reference
    price as well, its average price. ``own_filters``: what was changed of its filters, by type.
    """

    spec: SymbolSpec
    rules: SymbolRules
    _make: Callable[[], Tape]
    _tape: Tape | None = None
    recorded: bool = False
    closures: list[Closure] = field(default_factory=list)
    price_range: PriceRange | None = None
    own_filters: list[Filter] = field(default_factory=list)
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
        """``TRADING``, what it was set to by decree, or ``BREAK`` where the recording has a gap."""
        for each in reversed(self.closures):
            if each.covers(moment):
                return each.status
        return "BREAK" if self.recorded and not self.tape.trades_at(moment) else "TRADING"

    def open_spans(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of a span (both ends included) in which it was not closed by decree."""
        return open_spans(self.closures, begin, end)

    def price(self, moment: int) -> Decimal:
        """The last price."""
        return from_scaled(self.tape.price(moment))

    def average(self, moment: int) -> Decimal:
        """The average price over the filters' window."""
        return from_scaled(self.tape.average(moment, AVERAGE_MINUTES))

    def reference(self, moment: int) -> Decimal | None:
        """The reference price, if it has one."""
        return None if self.price_range is None else self.average(moment)

    def info(self, moment: int, *, permission_sets: bool = True) -> dict[str, Any]:
        """Its entry in ``exchangeInfo``."""
        return self._entry(self.status(moment), permission_sets=permission_sets)

    def read_rules(self, common: Sequence[Filter]) -> None:
        """Make its rules anew: the filters changed, or those that bind every symbol (``common``)."""
        self.rules = parse_symbol(self._entry("TRADING"), extra_filters=common)

    @property
    def most_amendments(self) -> int:
        """How often an order may be amended."""
        limits = (each for each in self.rules.filters if isinstance(each, CountLimit))
        return next((each.limit for each in limits if each.name == "MAX_NUM_ORDER_AMENDS"), 0)

    def _entry(self, status: str, *, permission_sets: bool = True) -> dict[str, Any]:
        entry = exchange_info_entry(self.spec, status, permission_sets=permission_sets)
        entry["filters"] = merged(entry["filters"], self.own_filters)
        return entry


def merged(filters: Sequence[Filter], changes: Sequence[Filter]) -> list[Filter]:
    """Filters with some of their types replaced, and others added."""
    changed = {each["filterType"]: each for each in changes}
    kept = [changed.pop(each["filterType"], each) for each in filters]
    return [*kept, *changed.values()]


class Market:
    """All listings, and the shape of their books.

    ``exchange_filters`` and ``asset_filters`` bind every symbol.
    """

    def __init__(self, listings: Mapping[str, Listing], shape: BookShape) -> None:
        self._listings = dict(listings)
        self.shape = shape
        self.exchange_filters: list[Filter] = []
        self.asset_filters: list[Filter] = []

    def set_filters(self, symbol: str | None, changes: Sequence[Filter]) -> None:
        """Change filters by type: of the exchange (``EXCHANGE_…``), of assets (``MAX_ASSET``), else of a symbol.

        Raises:
            ApiError: −1121, there is no such symbol.
            ValueError: a filter that cannot be read, or one of a symbol although none is named.
        """
        before = (self.exchange_filters, self.asset_filters)
        common = [each for each in changes if str(each.get("filterType", "")).startswith("EXCHANGE_")]
        assets = [each for each in changes if each.get("filterType") == "MAX_ASSET"]
        own = [each for each in changes if each not in common and each not in assets]
        if own and symbol is None:
            raise ValueError("a filter of a symbol needs the symbol")
        listing = None if symbol is None else self.listing(symbol)
        kept = [] if listing is None else listing.own_filters
        try:
            self.exchange_filters = merged(self.exchange_filters, common)
            self.asset_filters = [*(each for each in self.asset_filters if each not in assets), *assets]
            if listing is not None:
                listing.own_filters = merged(kept, own)
            self._read_rules()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.exchange_filters, self.asset_filters = before
            if listing is not None:
                listing.own_filters = kept
            self._read_rules()
            raise ValueError(f"not a filter: {error}") from None

    def _read_rules(self) -> None:
        for each in self:
            each.read_rules([*self.exchange_filters, *self.asset_filters])

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

    def find(self, symbol: str) -> Listing | None:
        """A symbol's listing, or None."""
        return self._listings.get(symbol)

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

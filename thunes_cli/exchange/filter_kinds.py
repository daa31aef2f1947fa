"""The exchange's trading filters as typed values: what ``exchangeInfo`` says of a symbol, parsed once.

Filter types, statuses and fields that are not known here are tolerated: the exchange adds some every few months,
and a bot that cannot read a new one must still be able to sell. A limit of zero means "disabled" throughout, as the
exchange's own documentation has it for prices and as its live symbols practise it for ``MARKET_LOT_SIZE``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from typing import Any

from thunes_cli.model import ZERO

# Wide enough that no sum, product or remainder of wire values (19 digits, 8 decimals) is ever rounded, whatever
# context the caller's thread has set; quotients are cut off, never rounded up.
EXACT = Context(prec=96, rounding=ROUND_DOWN)
MAX_DECIMALS = 8
_DEFAULT_AVERAGE_MINUTES = 5


@dataclass(frozen=True, slots=True)
class PriceFilter:
    """``PRICE_FILTER``: bounds and grid of price and stop price, in quote."""

    name: str
    low: Decimal
    high: Decimal
    tick: Decimal


@dataclass(frozen=True, slots=True)
class LotSize:
    """``LOT_SIZE`` (every order with a quantity) or ``MARKET_LOT_SIZE`` (market orders too), in base."""

    name: str
    low: Decimal
    high: Decimal
    step: Decimal


@dataclass(frozen=True, slots=True)
class PercentPrice:
    """``PERCENT_PRICE`` or ``PERCENT_PRICE_BY_SIDE``: multipliers of the reference price, for each side."""

    name: str
    bid_up: Decimal
    bid_down: Decimal
    ask_up: Decimal
    ask_down: Decimal
    average_minutes: int


@dataclass(frozen=True, slots=True)
class Notional:
    """``NOTIONAL`` or the older ``MIN_NOTIONAL``: bounds of price × quantity, in quote."""

    name: str
    low: Decimal
    high: Decimal
    low_to_market: bool
    high_to_market: bool
    average_minutes: int


@dataclass(frozen=True, slots=True)
class CountLimit:
    """A ``MAX_NUM_*`` or ``EXCHANGE_MAX_NUM_*`` filter: how many of something may be open at once."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class IcebergParts:
    """``ICEBERG_PARTS``: into how many visible parts an iceberg order may fall."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class MaxPosition:
    """``MAX_POSITION``: how much base the account may hold, open BUY orders included."""

    name: str
    limit: Decimal


@dataclass(frozen=True, slots=True)
class TrailingDelta:
    """``TRAILING_DELTA``: bounds of a trailing stop's distance, in basis points."""

    name: str
    above_low: int
    above_high: int
    below_low: int
    below_high: int


@dataclass(frozen=True, slots=True)
class MaxAsset:
    """``MAX_ASSET`` (shown by ``myFilters`` only): the most of one asset that a single order may move."""

    name: str
    asset: str
    limit: Decimal


Filter = (
    PriceFilter | LotSize | PercentPrice | Notional | CountLimit | IcebergParts | MaxPosition | TrailingDelta | MaxAsset
)

_COUNT_FIELDS = {
    "MAX_NUM_ORDERS": "maxNumOrders",
    "MAX_NUM_ALGO_ORDERS": "maxNumAlgoOrders",
    "MAX_NUM_ICEBERG_ORDERS": "maxNumIcebergOrders",
    "MAX_NUM_ORDER_LISTS": "maxNumOrderLists",
    "MAX_NUM_ORDER_AMENDS": "maxNumOrderAmends",
}


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """One symbol as the exchange describes it. ``unknown_filters`` names the filter types that were skipped."""

    symbol: str
    status: str
    base: str
    quote: str
    base_precision: int
    quote_precision: int
    order_types: frozenset[str]
    quote_order_qty_allowed: bool
    spot_allowed: bool
    filters: tuple[Filter, ...]
    unknown_filters: tuple[str, ...] = ()

    @property
    def tradable(self) -> bool:
        """Whether a spot market order can be placed right now."""
        return self.status == "TRADING" and self.spot_allowed and "MARKET" in self.order_types

    @property
    def lot_sizes(self) -> tuple[LotSize, ...]:
        """``LOT_SIZE`` and ``MARKET_LOT_SIZE``, those that exist: a market order obeys both."""
        return tuple(each for each in self.filters if isinstance(each, LotSize))

    @property
    def min_notional(self) -> Decimal:
        """Least quote value of a market order; zero when nothing limits it."""
        return max((each.low for each in self._notionals if each.low_to_market), default=ZERO)

    @property
    def min_quantity(self) -> Decimal:
        """Least base quantity of a market order; zero when nothing limits it."""
        return max((each.low for each in self.lot_sizes), default=ZERO)

    @property
    def max_quantity(self) -> Decimal | None:
        """Greatest base quantity of a market order; None when nothing limits it."""
        return min((each.high for each in self.lot_sizes if each.high > 0), default=None)

    @property
    def _notionals(self) -> tuple[Notional, ...]:
        return tuple(each for each in self.filters if isinstance(each, Notional))


def parse_symbol(entry: Mapping[str, Any], *, extra_filters: Iterable[Mapping[str, Any]] = ()) -> SymbolRules:
    """Read one element of ``exchangeInfo.symbols``.

    ``extra_filters`` takes filters that the exchange lists elsewhere and that bind this symbol too
    (``exchangeInfo.exchangeFilters``, ``myFilters``).

    Raises:
        ValueError: the entry has no symbol, base or quote, or a known filter holds something that is not a number.
    """
    try:
        symbol, base, quote = str(entry["symbol"]), str(entry["baseAsset"]), str(entry["quoteAsset"])
    except KeyError as missing:
        raise ValueError(f"symbol entry without {missing}") from None
    known: list[Filter] = []
    unknown: list[str] = []
    for raw in (*entry.get("filters", ()), *extra_filters):
        parsed = _parse_filter(symbol, raw)
        if parsed is None:
            unknown.append(str(raw.get("filterType", "?")))
        else:
            known.append(parsed)
    return SymbolRules(
        symbol=symbol,
        status=str(entry.get("status", "")),
        base=base,
        quote=quote,
        base_precision=int(entry.get("baseAssetPrecision", MAX_DECIMALS)),
        quote_precision=int(entry.get("quoteAssetPrecision", entry.get("quotePrecision", MAX_DECIMALS))),
        order_types=frozenset(map(str, entry.get("orderTypes", ()))),
        quote_order_qty_allowed=bool(entry.get("quoteOrderQtyMarketAllowed", False)),
        spot_allowed=bool(entry.get("isSpotTradingAllowed", True)),
        filters=tuple(known),
        unknown_filters=tuple(unknown),
    )


def _parse_filter(symbol: str, raw: Mapping[str, Any]) -> Filter | None:
    """One filter, or None for a type that is not known."""
    name = str(raw.get("filterType", "?"))
    try:
        return _parse_known(name, raw)
    except (InvalidOperation, ValueError, TypeError) as error:
        raise ValueError(f"{symbol}: filter {name} cannot be read: {dict(raw)!r}") from error


def _parse_known(name: str, raw: Mapping[str, Any]) -> Filter | None:
    if name in _PARSERS:
        return _PARSERS[name](name, raw)
    field = _COUNT_FIELDS.get(name.removeprefix("EXCHANGE_"))
    return None if field is None else CountLimit(name, int(raw.get(field, raw.get("limit", 0))))


def _parse_price(name: str, raw: Mapping[str, Any]) -> Filter:
    return PriceFilter(name, low=_money(raw, "minPrice"), high=_money(raw, "maxPrice"), tick=_money(raw, "tickSize"))


def _parse_lot(name: str, raw: Mapping[str, Any]) -> Filter:
    return LotSize(name, low=_money(raw, "minQty"), high=_money(raw, "maxQty"), step=_money(raw, "stepSize"))


def _parse_percent(name: str, raw: Mapping[str, Any]) -> Filter:
    up, down = _money(raw, "multiplierUp"), _money(raw, "multiplierDown")
    return PercentPrice(name, bid_up=up, bid_down=down, ask_up=up, ask_down=down, average_minutes=_minutes(raw))


def _parse_percent_by_side(name: str, raw: Mapping[str, Any]) -> Filter:
    return PercentPrice(
        name,
        bid_up=_money(raw, "bidMultiplierUp"),
        bid_down=_money(raw, "bidMultiplierDown"),
        ask_up=_money(raw, "askMultiplierUp"),
        ask_down=_money(raw, "askMultiplierDown"),
        average_minutes=_minutes(raw),
    )


def _parse_notional(name: str, raw: Mapping[str, Any]) -> Filter:
    """Both spellings: ``MIN_NOTIONAL`` knows ``applyToMarket`` and no maximum."""
    return Notional(
        name,
        low=_money(raw, "minNotional"),
        high=_money(raw, "maxNotional"),
        low_to_market=bool(raw.get("applyMinToMarket", raw.get("applyToMarket", False))),
        high_to_market=bool(raw.get("applyMaxToMarket", False)),
        average_minutes=_minutes(raw),
    )


def _parse_trailing(name: str, raw: Mapping[str, Any]) -> Filter:
    return TrailingDelta(
        name,
        above_low=int(raw.get("minTrailingAboveDelta", 0)),
        above_high=int(raw.get("maxTrailingAboveDelta", 0)),
        below_low=int(raw.get("minTrailingBelowDelta", 0)),
        below_high=int(raw.get("maxTrailingBelowDelta", 0)),
    )


_PARSERS: dict[str, Callable[[str, Mapping[str, Any]], Filter]] = {
    "PRICE_FILTER": _parse_price,
    "LOT_SIZE": _parse_lot,
    "MARKET_LOT_SIZE": _parse_lot,
    "PERCENT_PRICE": _parse_percent,
    "PERCENT_PRICE_BY_SIDE": _parse_percent_by_side,
    "MIN_NOTIONAL": _parse_notional,
    "NOTIONAL": _parse_notional,
    "ICEBERG_PARTS": lambda name, raw: IcebergParts(name, int(raw.get("limit", 0))),
    "MAX_POSITION": lambda name, raw: MaxPosition(name, _money(raw, "maxPosition")),
    "TRAILING_DELTA": _parse_trailing,
    "MAX_ASSET": lambda name, raw: MaxAsset(name, str(raw.get("asset", "")), _money(raw, "limit")),
}


def _minutes(raw: Mapping[str, Any]) -> int:
    return int(raw.get("avgPriceMins", _DEFAULT_AVERAGE_MINUTES))


def _money(raw: Mapping[str, Any], field: str) -> Decimal:
    """A decimal of the wire; absent means disabled. NaN and infinities are no limits."""
    value = Decimal(str(raw.get(field, "0")))
    if not value.is_finite():
        raise ValueError(f"{field} is {value}")
    return value

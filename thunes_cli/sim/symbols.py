"""The symbols the exchange lists and their entries in ``exchangeInfo``, with the filters of today's live symbols."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from thunes_cli.sim.amounts import to_scaled, wire
from thunes_cli.sim.failure import SimError

_QUOTES = ("FDUSD", "TUSD", "USDT", "USDC", "BUSD", "USDP", "DAI", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "JPY")
_FIATLIKE = frozenset({"FDUSD", "TUSD", "USDT", "USDC", "BUSD", "USDP", "DAI", "EUR"})
_ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
SELF_TRADE_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")
# tick, step, greatest LIMIT quantity, greatest MARKET quantity
_GRIDS = {
    "BTCUSDT": ("0.01", "0.00001", "9000", "120"),
    "ETHUSDT": ("0.01", "0.0001", "9000", "2800"),
    "BNBUSDT": ("0.01", "0.001", "900000", "4500"),
    "SOLUSDT": ("0.01", "0.001", "90000", "35000"),
    "LTCUSDT": ("0.01", "0.001", "900000", "16000"),
    "XRPUSDT": ("0.0001", "0.1", "9222449", "2000000"),
    "ADAUSDT": ("0.0001", "0.1", "900000", "1500000"),
    "DOGEUSDT": ("0.00001", "1", "9000000", "9000000"),
}


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """One listed symbol and its grids: ``tick`` of prices (quote), ``step`` of quantities (base)."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    max_qty: Decimal
    max_market_qty: Decimal
    min_notional: Decimal

    @property
    def scaled_tick(self) -> int:
        """The tick in hundred-millionths, as candles count."""
        return to_scaled(self.tick)

    @property
    def scaled_step(self) -> int:
        """The step in hundred-millionths."""
        return to_scaled(self.step)


def spec_of(symbol: str, *, price: Decimal | None = None, decimals: int | None = None) -> SymbolSpec:
    """The grids of a symbol: those of the live exchange where known, else fitted to a price and its decimals.

    Raises:
        SimError: a name whose quote asset cannot be told.
    """
    base, quote = _split(symbol)
    if symbol in _GRIDS:
        tick, step, most, most_market = (Decimal(each) for each in _GRIDS[symbol])
    else:
        tick = Decimal(1).scaleb(-(2 if decimals is None else decimals))
        # A step worth about half a unit of quote at most, so that small orders stay possible.
        magnitude = 0 if price is None or price <= 0 else max(-1, min(5, price.adjusted()))
        step = Decimal(1).scaleb(-magnitude) if magnitude >= 0 else Decimal(1)
        most, most_market = Decimal(9_000_000), Decimal(1_000_000)
    if decimals is not None:
        tick = min(tick, Decimal(1).scaleb(-decimals))
    least = Decimal(5) if quote in _FIATLIKE else Decimal("0.0001")
    return SymbolSpec(symbol, base, quote, tick, step, most, most_market, least)


def _split(symbol: str) -> tuple[str, str]:
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    raise SimError(
        f"cannot tell base from quote in the symbol {symbol!r}",
        f"known quotes: {', '.join(_QUOTES)}",
        code="sim_symbol",
    )


def exchange_info_entry(spec: SymbolSpec, status: str, *, permission_sets: bool = True) -> dict[str, Any]:
    """The element of ``exchangeInfo.symbols``."""
    return {
        "symbol": spec.symbol,
        "status": status,
        "baseAsset": spec.base,
        "baseAssetPrecision": 8,
        "quoteAsset": spec.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(_ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(spec),
        "permissions": [],
        "permissionSets": [["SPOT"]] if permission_sets else [],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": list(SELF_TRADE_MODES),
    }


def _filters(spec: SymbolSpec) -> list[dict[str, Any]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": wire(spec.tick),
            "maxPrice": wire(Decimal(1_000_000)),
            "tickSize": wire(spec.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": wire(spec.step),
            "maxQty": wire(spec.max_qty),
            "stepSize": wire(spec.step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": wire(spec.max_market_qty),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": wire(spec.min_notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]

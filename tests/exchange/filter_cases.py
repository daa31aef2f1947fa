"""Symbols and orders for the tests of the filters."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from thunes_cli.exchange.filters import MarketFacts, OrderDraft, SymbolRules, check_order, parse_symbol
from thunes_cli.model import Side

D = Decimal
FACTS = MarketFacts(last_price=D(100))


def rules_of(*filters: dict[str, Any], **entry: Any) -> SymbolRules:
    """A symbol with exactly these filters."""
    return parse_symbol(
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "baseAssetPrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "quoteOrderQtyMarketAllowed": True,
            "filters": filters,
            **entry,
        }
    )


def market(side: Side = Side.SELL, **amounts: Any) -> OrderDraft:
    decimals: dict[str, Any] = {name: D(amount) for name, amount in amounts.items()}
    return OrderDraft(side=side, type="MARKET", **decimals)


def limit(side: Side = Side.BUY, *, quantity: str = "1", price: str = "100", **more: Any) -> OrderDraft:
    return OrderDraft(side=side, type="LIMIT", quantity=D(quantity), price=D(price), **more)


def failed(rules: SymbolRules, draft: OrderDraft, facts: MarketFacts = FACTS) -> str | None:
    failure = check_order(rules, draft, facts)
    return None if failure is None else failure.filter


LOT = {"filterType": "LOT_SIZE", "minQty": "0.05", "maxQty": "10", "stepSize": "0.1"}
PERCENT = {"filterType": "PERCENT_PRICE", "multiplierUp": "1.5", "multiplierDown": "0.5", "avgPriceMins": 5}
BITCOIN: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET"],
    "quoteOrderQtyMarketAllowed": True,
    "isSpotTradingAllowed": True,
    "filters": [
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "100", "stepSize": "0.00000000"},
        {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True, "avgPriceMins": 5},
    ],
}

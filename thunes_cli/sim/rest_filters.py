"""Endpoints about the rules of a symbol: the filters that bind an account, execution rules, the reference price."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.amounts import wire
from thunes_cli.sim.calls import SIGNED_PARAMS, Call, Endpoint, Security, reads
from thunes_cli.sim.market import Filter, Listing
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.selection import COMBINATION, selected

# What an external calculation from the last five minutes' prices is called.
_CALCULATION = 3
_A_SYMBOL, _AT_MOST = 2, 40


def my_filters(call: Call) -> Any:
    """GET myFilters: the only place where an asset's filters show."""
    listing = call.world.market.listing(call.params.symbol())
    assets = {listing.spec.base, listing.spec.quote}
    return {
        "exchangeFilters": call.world.market.exchange_filters,
        "symbolFilters": listing.info(call.now)["filters"],
        "assetFilters": [each for each in call.world.market.asset_filters if _asset(each) in assets],
    }


def execution_rules(call: Call) -> Any:
    """GET executionRules: of one symbol, of several, of those with a status, or of all."""
    if sum(name in call.params for name in ("symbol", "symbols", "symbolStatus")) > 1:
        raise ApiError(-1128, COMBINATION)
    return {"symbolRules": [_rules(each) for each in selected(call)]}


def reference_price(call: Call) -> Any:
    """GET referencePrice."""
    listing = _with_reference(call)
    price = listing.reference(call.now)
    return {
        "symbol": listing.spec.symbol,
        "referencePrice": None if price is None else wire(price),
        "timestamp": call.now,
    }


def reference_calculation(call: Call) -> Any:
    """GET referencePrice/calculation."""
    listing = _with_reference(call)
    return {"symbol": listing.spec.symbol, "calculationType": "EXTERNAL", "externalCalculationId": _CALCULATION}


def _with_reference(call: Call) -> Listing:
    listing = call.world.market.listing(call.params.symbol())
    if listing.price_range is None:
        raise ApiError(-2043, "This symbol doesn't have a reference price.")
    return listing


def _rules(listing: Listing) -> dict[str, Any]:
    rules = []
    if listing.price_range is not None:
        up, down = format(listing.price_range.up, "f"), format(listing.price_range.down, "f")
        rules.append(
            {
                "ruleType": "PRICE_RANGE",
                "bidLimitMultUp": up,
                "bidLimitMultDown": down,
                "askLimitMultUp": up,
                "askLimitMultDown": down,
            }
        )
    return {"symbol": listing.spec.symbol, "rules": rules}


def _asset(each: Filter) -> str:
    return str(each.get("asset", ""))


def _rules_weight(params: Params) -> int:
    if "symbol" in params:
        return _A_SYMBOL
    named = params.text("symbols")
    return _AT_MOST if named is None else min(_A_SYMBOL * (named.count(",") + 1), _AT_MOST)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v3/myFilters",
        my_filters,
        weight=40,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS | reads("symbol"),
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/executionRules",
        execution_rules,
        weight=_rules_weight,
        reads=reads("symbol", "symbols", "symbolStatus"),
    ),
    Endpoint(
        "GET",
        "/api/v3/referencePrice",
        reference_price,
        weight=2,
        reads=reads("symbol"),
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/referencePrice/calculation",
        reference_calculation,
        weight=2,
        reads=reads("symbol", "symbolStatus"),
        required=("symbol",),
    ),
)

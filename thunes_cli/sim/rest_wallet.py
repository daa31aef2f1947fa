"""The wallet's endpoints (sapi): what a key may do, the system's status, fees, and whether they are paid in BNB."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.amounts import wire
from thunes_cli.sim.calls import SIGNED_PARAMS, Call, Endpoint, Security, reads
from thunes_cli.sim.rejection import ApiError, mandatory


def api_restrictions(call: Call) -> Any:
    """GET account/apiRestrictions: what the calling key may do."""
    assert call.key is not None
    return {**call.key.permissions, "createTime": call.key.created_ms}


def system_status(_: Call) -> Any:
    """GET system/status."""
    return {"status": 0, "msg": "normal"}


def trade_fee(call: Call) -> Any:
    """GET asset/tradeFee, of one symbol or all."""
    market, fees = call.world.market, call.world.engine.fees
    listings = [market.listing(call.params.symbol())] if "symbol" in call.params else list(market)
    return [
        {"symbol": each.spec.symbol, "makerCommission": wire(fees.maker), "takerCommission": wire(fees.taker)}
        for each in listings
    ]


def bnb_burn(call: Call) -> Any:
    """GET bnbBurn: whether commissions are paid in BNB."""
    return {"spotBNBBurn": call.world.engine.fees.in_bnb, "interestBNBBurn": False}


def set_bnb_burn(call: Call) -> Any:
    """POST bnbBurn: let commissions be paid in BNB, or not."""
    if "spotBNBBurn" not in call.params and "interestBNBBurn" not in call.params:
        raise mandatory("spotBNBBurn")
    if call.params.boolean("interestBNBBurn", default=False):
        raise ApiError(-1020, "This operation is not supported.")
    if "spotBNBBurn" in call.params:
        call.world.set_bnb_discount(on=call.params.boolean("spotBNBBurn", default=False))
    return bnb_burn(call)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/sapi/v1/account/apiRestrictions",
        api_restrictions,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS,
    ),
    Endpoint("GET", "/sapi/v1/system/status", system_status),
    Endpoint(
        "GET",
        "/sapi/v1/asset/tradeFee",
        trade_fee,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS | reads("symbol"),
    ),
    Endpoint("GET", "/sapi/v1/bnbBurn", bnb_burn, security=Security.USER_DATA, reads=SIGNED_PARAMS),
    Endpoint(
        "POST",
        "/sapi/v1/bnbBurn",
        set_bnb_burn,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS | reads("spotBNBBurn", "interestBNBBurn"),
    ),
)

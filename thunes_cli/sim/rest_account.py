"""Account endpoints: balances, orders, trades and commissions."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.accounts import EMPTY
from thunes_cli.sim.amounts import wire
from thunes_cli.sim.bars import DAY
from thunes_cli.sim.calls import SIGNED_PARAMS, Call, Endpoint, Security, reads
from thunes_cli.sim.order_shapes import order_json, trade_json
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.rest_trading import discount

_BASIS_POINTS = 10_000
_ZERO_RATES = {"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"}
_TRADE_COMBINATIONS = (
    {"orderId"},
    {"startTime"},
    {"endTime"},
    {"fromId"},
    {"startTime", "endTime"},
    {"orderId", "fromId"},
    set[str](),
)


def account(call: Call) -> Any:
    """GET account."""
    world = call.world
    fees = world.engine.fees
    omit = call.params.boolean("omitZeroBalances", default=False)
    assets = sorted({*world.market.assets, *world.engine.balances})
    held = ((asset, world.engine.balances.get(asset, EMPTY)) for asset in assets)
    return {
        "makerCommission": int(fees.maker * _BASIS_POINTS),
        "takerCommission": int(fees.taker * _BASIS_POINTS),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _ZERO_RATES | {"maker": wire(fees.maker), "taker": wire(fees.taker)},
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.now,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": wire(each.free), "locked": wire(each.locked)}
            for asset, each in held
            if not omit or each.free or each.locked
        ],
        "permissions": ["SPOT"],
        "uid": world.uid,
    }


def open_orders(call: Call) -> Any:
    """GET openOrders, of one symbol or all."""
    found = sorted(call.world.engine.open.values(), key=lambda each: (each.time, each.symbol, each.order_id))
    if "symbol" in call.params:
        symbol = call.world.market.listing(call.params.symbol()).spec.symbol
        found = [each for each in found if each.symbol == symbol]
    return [order_json(each) for each in found if not call.world.lag.hides(each.symbol, each.order_id, call.wall)]


def all_orders(call: Call) -> Any:
    """GET allOrders: from an id on, of a span of at most a day, or the newest; oldest first."""
    params = call.params
    where, values = _span(params, call)
    number = params.integer("orderId")
    if number is not None:
        where, values = f"{where} AND order_id >= ?", [*values, number]
    limit = params.limit(default=500, most=1000)
    if number is not None or "startTime" in params:
        found = call.world.store.orders(where, values, tail=f"ORDER BY order_id LIMIT {limit}")
    else:
        found = call.world.store.orders(where, values, tail=f"ORDER BY order_id DESC LIMIT {limit}")[::-1]
    return [order_json(each) for each in found if not call.world.lag.hides(each.symbol, each.order_id, call.wall)]


def my_trades(call: Call) -> Any:
    """GET myTrades in one of the documented combinations of parameters; oldest first."""
    params = call.params
    sent = {name for name in ("orderId", "startTime", "endTime", "fromId") if name in params}
    if sent not in _TRADE_COMBINATIONS:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    where, values = _span(params, call)
    for name, column, comparison in (("orderId", "order_id", "="), ("fromId", "trade_id", ">=")):
        number = params.integer(name)
        if number is not None:
            where, values = f"{where} AND {column} {comparison} ?", [*values, number]
    limit = params.limit(default=500, most=1000)
    if sent & {"fromId", "startTime"}:
        found = call.world.store.trades(where, values, tail=f"ORDER BY trade_id LIMIT {limit}")
    else:
        found = call.world.store.trades(where, values, tail=f"ORDER BY trade_id DESC LIMIT {limit}")[::-1]
    orders = {(each.symbol, each.order_id) for each in found}
    hidden = {order for order in orders if call.world.lag.hides(*order, call.wall)}
    return [trade_json(each) for each in found if (each.symbol, each.order_id) not in hidden]


def _span(params: Params, call: Call) -> tuple[str, list[Any]]:
    """The symbol and the span of time as a condition."""
    symbol = call.world.market.listing(params.symbol()).spec.symbol
    begin, end = params.moment("startTime"), params.moment("endTime")
    if begin is not None and end is not None:
        if end < begin:
            raise ApiError(-1130, "Data sent for parameter 'endTime' is not valid.")
        if end - begin > DAY:
            raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    where = "symbol = ?"
    values: list[Any] = [symbol]
    if begin is not None:
        where, values = f"{where} AND time >= ?", [*values, begin]
    if end is not None:
        where, values = f"{where} AND time <= ?", [*values, end]
    return where, values


def order_rate_limit(call: Call) -> Any:
    """GET rateLimit/order."""
    return call.world.usage.order_counts(call.account, call.wall)


def commission(call: Call) -> Any:
    """GET account/commission."""
    symbol = call.world.market.listing(call.params.symbol()).spec.symbol
    fees = call.world.engine.fees
    return {
        "symbol": symbol,
        "standardCommission": _ZERO_RATES | {"maker": wire(fees.maker), "taker": wire(fees.taker)},
        "specialCommission": _ZERO_RATES,
        "taxCommission": _ZERO_RATES,
        "discount": discount(call),
    }


def nothing(_: Call) -> Any:
    """GET openOrderList, allOrderList, myPreventedMatches, myAllocations: there is nothing of the kind."""
    return []


_LIST = SIGNED_PARAMS | reads("symbol", "orderId", "startTime", "endTime", "limit")
ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v3/account",
        account,
        weight=20,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS | reads("omitZeroBalances"),
    ),
    Endpoint(
        "GET",
        "/api/v3/openOrders",
        open_orders,
        weight=lambda params: 6 if "symbol" in params else 80,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS | reads("symbol"),
    ),
    Endpoint(
        "GET",
        "/api/v3/allOrders",
        all_orders,
        weight=20,
        security=Security.USER_DATA,
        reads=_LIST,
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/myTrades",
        my_trades,
        weight=lambda params: 5 if "orderId" in params else 20,
        security=Security.USER_DATA,
        reads=_LIST | reads("fromId"),
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/rateLimit/order",
        order_rate_limit,
        weight=40,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS,
    ),
    Endpoint(
        "GET",
        "/api/v3/account/commission",
        commission,
        weight=20,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS | reads("symbol"),
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/openOrderList",
        nothing,
        weight=6,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS,
    ),
    Endpoint(
        "GET",
        "/api/v3/allOrderList",
        nothing,
        weight=20,
        security=Security.USER_DATA,
        reads=_LIST | reads("fromId"),
    ),
    Endpoint(
        "GET",
        "/api/v3/myPreventedMatches",
        nothing,
        weight=lambda params: 20 if "orderId" in params else 2,
        security=Security.USER_DATA,
        reads=_LIST | reads("preventedMatchId", "fromPreventedMatchId"),
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/myAllocations",
        nothing,
        weight=20,
        security=Security.USER_DATA,
        reads=_LIST | reads("fromAllocationId"),
        required=("symbol",),
    ),
)

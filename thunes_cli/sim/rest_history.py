"""Public endpoints that tell of the market's past: its trades one by one and aggregated, and candles for charts."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, takewhile
from typing import Any

from thunes_cli.sim.amounts import from_scaled, multiply, scaled_wire, wire
from thunes_cli.sim.calls import Call, Endpoint, reads
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.rest_public import klines
from thunes_cli.sim.streams_prints import Print, Prints

_SPAN = ("startTime", "endTime")


def recent_trades(call: Call) -> Any:
    """GET trades: the newest, oldest first."""
    return [_trade(each) for each in _newest(_prints(call), call.now, _limit(call))]


def historical_trades(call: Call) -> Any:
    """GET historicalTrades: from an id on, or the newest; oldest first."""
    number = call.params.integer("fromId")
    if number is None:
        return recent_trades(call)
    return [_trade(each) for each in islice(_prints(call).from_id(number, call.now), _limit(call))]


def aggregate_trades(call: Call) -> Any:
    """GET aggTrades: from an id on, of a span of time, or the newest; oldest first."""
    params, prints, limit = call.params, _prints(call), _limit(call)
    number = params.integer("fromId")
    begin, end = (params.moment(name) for name in _SPAN)
    found: Iterable[Print]
    if number is not None:
        if begin is not None or end is not None:
            raise ApiError(-1128, "Combination of optional parameters invalid.")
        found = islice(prints.from_id(number, call.now), limit)
    elif begin is not None:
        last = call.now if end is None else min(end, call.now)
        found = islice(takewhile(lambda each: each.time <= last, prints.since(begin - 1)), limit)
    else:
        found = _newest(prints, call.now if end is None else min(end, call.now), limit)
    return [_aggregate(each) for each in found]


def _prints(call: Call) -> Prints:
    return call.world.prints(call.world.market.listing(call.params.symbol()))


def _limit(call: Call) -> int:
    return call.params.limit(default=500, most=1000)


def _newest(prints: Prints, moment: int, limit: int) -> list[Print]:
    return list(islice(prints.before(moment), limit))[::-1]


def _trade(each: Print) -> dict[str, Any]:
    return {
        "id": each.last,
        "price": scaled_wire(each.price),
        "qty": scaled_wire(each.quantity),
        "quoteQty": wire(multiply(from_scaled(each.price), from_scaled(each.quantity))),
        "time": each.time,
        "isBuyerMaker": each.buyer_is_maker,
        "isBestMatch": True,
    }


def _aggregate(each: Print) -> dict[str, Any]:
    return {
        "a": each.last,
        "p": scaled_wire(each.price),
        "q": scaled_wire(each.quantity),
        "f": each.first,
        "l": each.last,
        "T": each.time,
        "m": each.buyer_is_maker,
        "M": True,
    }


ENDPOINTS = (
    Endpoint("GET", "/api/v3/trades", recent_trades, weight=25, reads=reads("symbol", "limit"), required=("symbol",)),
    Endpoint(
        "GET",
        "/api/v3/historicalTrades",
        historical_trades,
        weight=25,
        reads=reads("symbol", "limit", "fromId"),
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/aggTrades",
        aggregate_trades,
        weight=4,
        reads=reads("symbol", "limit", "fromId", *_SPAN),
        required=("symbol",),
    ),
    Endpoint(
        "GET",
        "/api/v3/uiKlines",
        klines,
        weight=2,
        reads=reads("symbol", "interval", "timeZone", "limit", *_SPAN),
        required=("symbol", "interval"),
    ),
)

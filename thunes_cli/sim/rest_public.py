"""Public endpoints: general information and market data."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.amounts import scaled_wire, wire
from thunes_cli.sim.bars import INTERVALS, Bar
from thunes_cli.sim.calls import Call, Endpoint, reads
from thunes_cli.sim.market import AVERAGE_MINUTES, Listing
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.selection import COMBINATION, demand_status, one_or_many, selected
from thunes_cli.sim.tape import close_time

_DEPTH_LIMIT = 5000


def ping(_: Call) -> Any:
    """GET ping."""
    return {}


def server_time(call: Call) -> Any:
    """GET time."""
    return {"serverTime": call.server_time}


def exchange_info(call: Call) -> Any:
    """GET exchangeInfo: one symbol, several, those of a status, or all."""
    params = call.params
    if sum(name in params for name in ("symbol", "symbols", "permissions")) > 1:
        raise ApiError(-1128, COMBINATION)
    if "symbolStatus" in params and ("symbol" in params or "symbols" in params):
        raise ApiError(-1128, COMBINATION)
    shown = params.boolean("showPermissionSets", default=True)
    permissions = params.text("permissions")
    listings = selected(call)
    if permissions is not None and "SPOT" not in permissions:
        listings = []
    return {
        "timezone": "UTC",
        "serverTime": call.server_time,
        "rateLimits": list(call.world.usage.limits.all()),
        "exchangeFilters": call.world.market.exchange_filters,
        "symbols": [each.info(call.now, permission_sets=shown) for each in listings],
    }


def klines(call: Call) -> Any:
    """GET klines: oldest first, the last one still open."""
    params = call.params
    listing = call.world.market.listing(params.symbol())
    interval = params.text("interval") or ""
    if interval != "1M" and interval not in INTERVALS:
        raise ApiError(-1120, "Invalid interval.")
    zone = params.time_zone()
    bars = listing.tape.candles(
        interval,
        begin=params.moment("startTime"),
        end=params.moment("endTime"),
        limit=params.limit(default=500, most=1000),
        now=call.now,
        zone=zone,
    )
    return [_kline(bar, close_time(bar.open_time, interval, zone)) for bar in bars]


def _kline(bar: Bar, closes: int) -> list[Any]:
    return [
        bar.open_time,
        scaled_wire(bar.open),
        scaled_wire(bar.high),
        scaled_wire(bar.low),
        scaled_wire(bar.close),
        scaled_wire(bar.volume),
        closes,
        scaled_wire(bar.quote_volume),
        bar.trades,
        scaled_wire(bar.taker_base),
        scaled_wire(bar.taker_quote),
        "0",
    ]


def average_price(call: Call) -> Any:
    """GET avgPrice."""
    listing = call.world.market.listing(call.params.symbol())
    last = call.world.prints(listing).latest(call.now)
    traded = call.now if last is None else last.time
    return {"mins": AVERAGE_MINUTES, "price": wire(listing.average(call.now)), "closeTime": traded}


def ticker_price(call: Call) -> Any:
    """GET ticker/price."""

    def show(listing: Listing) -> dict[str, Any]:
        return {"symbol": listing.spec.symbol, "price": wire(listing.price(call.now))}

    return one_or_many(call, show)


def book_ticker(call: Call) -> Any:
    """GET ticker/bookTicker: best bid and ask with what they still hold."""

    def show(listing: Listing) -> dict[str, Any]:
        book = call.world.engine.book(listing, call.now)
        bid, ask = book.bids[:1], book.asks[:1]
        return {
            "symbol": listing.spec.symbol,
            "bidPrice": wire(bid[0].price) if bid else "0.00000000",
            "bidQty": wire(bid[0].quantity) if bid else "0.00000000",
            "askPrice": wire(ask[0].price) if ask else "0.00000000",
            "askQty": wire(ask[0].quantity) if ask else "0.00000000",
        }

    return one_or_many(call, show)


def depth(call: Call) -> Any:
    """GET depth."""
    listing = call.world.market.listing(call.params.symbol())
    demand_status(call, listing)
    limit = call.params.limit(default=100, most=_DEPTH_LIMIT)
    book = call.world.engine.book(listing, call.now)
    listing.shown.append((call.now, book))
    return {
        "lastUpdateId": call.now,
        "bids": [[wire(price), wire(quantity)] for price, quantity in book.bids[:limit]],
        "asks": [[wire(price), wire(quantity)] for price, quantity in book.asks[:limit]],
    }


def _depth_weight(params: Params) -> int:
    text = params.text("limit") or "100"
    limit = int(text) if text.isdecimal() and len(text) < 10 else 100  # noqa: PLR2004 - any number of that length
    return next((weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250)


def _ticker_weight(params: Params) -> int:
    return 2 if "symbol" in params else 4


_TICKER = reads("symbol", "symbols", "symbolStatus")
ENDPOINTS = (
    Endpoint("GET", "/api/v3/ping", ping),
    Endpoint("GET", "/api/v3/time", server_time),
    Endpoint(
        "GET",
        "/api/v3/exchangeInfo",
        exchange_info,
        weight=20,
        reads=reads("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"),
    ),
    Endpoint(
        "GET",
        "/api/v3/klines",
        klines,
        weight=2,
        reads=reads("symbol", "interval", "startTime", "endTime", "timeZone", "limit"),
        required=("symbol", "interval"),
    ),
    Endpoint("GET", "/api/v3/avgPrice", average_price, weight=2, reads=reads("symbol"), required=("symbol",)),
    Endpoint("GET", "/api/v3/ticker/price", ticker_price, weight=_ticker_weight, reads=_TICKER),
    Endpoint("GET", "/api/v3/ticker/bookTicker", book_ticker, weight=_ticker_weight, reads=_TICKER),
    Endpoint(
        "GET",
        "/api/v3/depth",
        depth,
        weight=_depth_weight,
        reads=reads("symbol", "limit", "symbolStatus"),
        required=("symbol",),
    ),
)

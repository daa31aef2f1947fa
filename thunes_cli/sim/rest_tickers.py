"""Public endpoints that sum up a span of time: the last 24 hours, a trading day, any window."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from thunes_cli.sim.amounts import EXACT, from_scaled, scaled_wire, wire
from thunes_cli.sim.bars import DAY, HOUR, MINUTE, Bar
from thunes_cli.sim.calls import Call, Endpoint, reads
from thunes_cli.sim.market import Listing
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError, illegal
from thunes_cli.sim.selection import one_or_many

_HUNDRED = Decimal(100)
_PERCENT = Decimal("0.001")
_WINDOW = r"^([1-9]|[1-5][0-9])m$|^([1-9]|1[0-9]|2[0-3])h$|^[1-7]d$"
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_MOST_SYMBOLS = 100
_A_SYMBOL, _AT_MOST = 4, 200

# First and last instant of the window, and its end as it is shown.
Window = tuple[int, int, int]


def ticker_24hr(call: Call) -> Any:
    """GET ticker/24hr."""
    mini = _is_mini(call.params)
    window = (call.now - DAY + 1, call.now, call.now)

    def show(listing: Listing) -> dict[str, Any]:
        shown = _summary(call, listing, window, mini=mini)
        return shown if mini else _with_book(call, listing, shown, before=window[0] - 1)

    return one_or_many(call, show)


def ticker_window(call: Call) -> Any:
    """GET ticker: a window of any size, which begins on a whole minute."""
    size = call.params.text("windowSize") or "1d"
    if not re.fullmatch(_WINDOW, size, re.ASCII):
        raise illegal("windowSize", _WINDOW)
    begin = (call.now - int(size[:-1]) * _UNITS[size[-1]]) // MINUTE * MINUTE
    return _of_some(call, lambda: (begin, call.now, call.now))


def ticker_trading_day(call: Call) -> Any:
    """GET ticker/tradingDay: the day that is on, in the zone asked for."""
    offset = call.params.time_zone()
    begin = (call.now + offset) // DAY * DAY - offset
    return _of_some(call, lambda: (begin, call.now, begin + DAY - 1))


def _of_some(call: Call, window: Callable[[], Window]) -> Any:
    mini = _is_mini(call.params)
    if "symbol" not in call.params and "symbols" not in call.params:
        raise ApiError(-1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!")
    named = len(call.params.symbols() or ())
    if named > _MOST_SYMBOLS:
        raise ApiError(-1101, f"Too many parameters; expected '{_MOST_SYMBOLS}' and received '{named}'.")
    return one_or_many(call, lambda listing: _summary(call, listing, window(), mini=mini))


def _is_mini(params: Params) -> bool:
    return params.choice("type", ("FULL", "MINI"), ApiError(-1139, "Invalid ticker type.")) == "MINI"


def _summary(call: Call, listing: Listing, window: Window, *, mini: bool) -> dict[str, Any]:
    tape = listing.tape
    tape.reach(call.now)
    begin, end, shown_end = window
    bar = tape.span(begin, end + 1) or _nothing(tape.price(call.now), begin)
    last = call.world.prints(listing).latest(end)
    last_id = last.last if last is not None and bar.trades else -1
    shown = {"symbol": listing.spec.symbol}
    if not mini:
        shown |= _change(bar)
    return shown | {
        "openPrice": scaled_wire(bar.open),
        "highPrice": scaled_wire(bar.high),
        "lowPrice": scaled_wire(bar.low),
        "lastPrice": scaled_wire(bar.close),
        "volume": scaled_wire(bar.volume),
        "quoteVolume": scaled_wire(bar.quote_volume),
        "openTime": begin,
        "closeTime": shown_end,
        "firstId": last_id - bar.trades + 1 if bar.trades else -1,
        "lastId": last_id,
        "count": bar.trades,
    }


def _change(bar: Bar) -> dict[str, str]:
    opened, closed = from_scaled(bar.open), from_scaled(bar.close)
    change = EXACT.subtract(closed, opened)
    percent = EXACT.divide(EXACT.multiply(change, _HUNDRED), opened).quantize(_PERCENT, context=EXACT)
    average = bar.quote_volume * 10**8 // bar.volume if bar.volume else bar.close
    return {
        "priceChange": wire(change),
        "priceChangePercent": format(percent, "f"),
        "weightedAvgPrice": scaled_wire(average),
    }


def _with_book(call: Call, listing: Listing, shown: dict[str, Any], *, before: int) -> dict[str, Any]:
    """What only the 24 hours tell: the close before them, the last trade's quantity, the best prices."""
    book = call.world.engine.book(listing, call.now)
    bid, ask = book.bids[:1], book.asks[:1]
    last = call.world.prints(listing).latest(call.now)
    return shown | {
        "prevClosePrice": scaled_wire(listing.tape.price(before)),
        "lastQty": scaled_wire(0 if last is None else last.quantity),
        "bidPrice": wire(bid[0].price) if bid else wire(Decimal(0)),
        "bidQty": wire(bid[0].quantity) if bid else wire(Decimal(0)),
        "askPrice": wire(ask[0].price) if ask else wire(Decimal(0)),
        "askQty": wire(ask[0].quantity) if ask else wire(Decimal(0)),
    }


def _nothing(price: int, moment: int) -> Bar:
    return Bar(moment, price, price, price, price, 0, 0, 0, 0, 0)


def _named(params: Params) -> int | None:
    """How many symbols a request names, before anybody has read it; None: all of them."""
    if "symbol" in params:
        return 1
    text = params.text("symbols")
    return None if text is None else text.count(",") + 1


def _day_weight(params: Params) -> int:
    count = _named(params)
    if count is None:
        return 80
    return next((weight for most, weight in ((20, 2), (100, 40)) if count <= most), 80)


def _window_weight(params: Params) -> int:
    return min(_A_SYMBOL * (_named(params) or 1), _AT_MOST)


_SOME = reads("symbol", "symbols", "type", "symbolStatus")
ENDPOINTS = (
    Endpoint("GET", "/api/v3/ticker/24hr", ticker_24hr, weight=_day_weight, reads=_SOME),
    Endpoint("GET", "/api/v3/ticker", ticker_window, weight=_window_weight, reads=_SOME | reads("windowSize")),
    Endpoint(
        "GET",
        "/api/v3/ticker/tradingDay",
        ticker_trading_day,
        weight=_window_weight,
        reads=_SOME | reads("timeZone"),
    ),
)

"""The JSON of market stream events: pure functions of what happened. ``unit`` turns ms into the client's unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from thunes_cli.sim.amounts import EXACT, from_scaled, scaled_wire, wire
from thunes_cli.sim.bars import Bar
from thunes_cli.sim.book import Book, Level
from thunes_cli.sim.streams_prints import Print
from thunes_cli.sim.tape import close_time

_HUNDRED = Decimal(100)
_PERCENT = Decimal("0.001")
_NO_TRADE = -1


def kline(symbol: str, interval: str, bar: Bar, *, last_id: int, closed: bool, moment: int, unit: int) -> Any:
    """``<symbol>@kline_<interval>``; ``last_id`` is that of the candle's last trade."""
    traded = bar.trades > 0
    return {
        "e": "kline",
        "E": moment * unit,
        "s": symbol,
        "k": {
            "t": bar.open_time * unit,
            "T": (close_time(bar.open_time, interval) + 1) * unit - 1,
            "s": symbol,
            "i": interval,
            "f": last_id - bar.trades + 1 if traded else _NO_TRADE,
            "L": last_id if traded else _NO_TRADE,
            "o": scaled_wire(bar.open),
            "c": scaled_wire(bar.close),
            "h": scaled_wire(bar.high),
            "l": scaled_wire(bar.low),
            "v": scaled_wire(bar.volume),
            "n": bar.trades,
            "x": closed,
            "q": scaled_wire(bar.quote_volume),
            "V": scaled_wire(bar.taker_base),
            "Q": scaled_wire(bar.taker_quote),
            "B": "0",
        },
    }


def trade(symbol: str, each: Print, unit: int) -> Any:
    """``<symbol>@trade``."""
    return {
        "e": "trade",
        "E": each.time * unit,
        "s": symbol,
        "t": each.last,
        "p": scaled_wire(each.price),
        "q": scaled_wire(each.quantity),
        "T": each.time * unit,
        "m": each.buyer_is_maker,
        "M": True,
    }


def aggregate_trade(symbol: str, each: Print, unit: int) -> Any:
    """``<symbol>@aggTrade``: numbered by its last trade."""
    return {
        "e": "aggTrade",
        "E": each.time * unit,
        "s": symbol,
        "a": each.last,
        "p": scaled_wire(each.price),
        "q": scaled_wire(each.quantity),
        "f": each.first,
        "l": each.last,
        "T": each.time * unit,
        "m": each.buyer_is_maker,
        "M": True,
    }


def book_ticker(symbol: str, book: Book, update_id: int) -> Any:
    """``<symbol>@bookTicker``: the one event that names neither its type nor its time."""
    bid_price, bid_quantity = best(book.bids)
    ask_price, ask_quantity = best(book.asks)
    return {"u": update_id, "s": symbol, "b": bid_price, "B": bid_quantity, "a": ask_price, "A": ask_quantity}


def best(levels: tuple[Level, ...]) -> tuple[str, str]:
    """Price and quantity of the best level, zeros where there is none."""
    return (wire(levels[0].price), wire(levels[0].quantity)) if levels else ("0.00000000", "0.00000000")


def partial_depth(book: Book, levels: int, update_id: int) -> Any:
    """``<symbol>@depth<levels>``."""
    return {
        "lastUpdateId": update_id,
        "bids": [[wire(price), wire(quantity)] for price, quantity in book.bids[:levels]],
        "asks": [[wire(price), wire(quantity)] for price, quantity in book.asks[:levels]],
    }


def mini_ticker(symbol: str, day: Bar, moment: int, unit: int) -> Any:
    """``<symbol>@miniTicker``, and an element of ``!miniTicker@arr``."""
    return {
        "e": "24hrMiniTicker",
        "E": moment * unit,
        "s": symbol,
        "c": scaled_wire(day.close),
        "o": scaled_wire(day.open),
        "h": scaled_wire(day.high),
        "l": scaled_wire(day.low),
        "v": scaled_wire(day.volume),
        "q": scaled_wire(day.quote_volume),
    }


def ticker(symbol: str, day: Bar, book: Book, last: Print, *, moment: int, unit: int) -> Any:
    """``<symbol>@ticker``: the last 24 hours, ``last`` being the last trade in them."""
    opened, closed = from_scaled(day.open), from_scaled(day.close)
    change = EXACT.subtract(closed, opened)
    percent = EXACT.divide(EXACT.multiply(change, _HUNDRED), opened).quantize(_PERCENT, context=EXACT)
    average = day.quote_volume * 10**8 // day.volume if day.volume else day.close
    bid_price, bid_quantity = best(book.bids)
    ask_price, ask_quantity = best(book.asks)
    return {
        "e": "24hrTicker",
        "E": moment * unit,
        "s": symbol,
        "p": wire(change),
        "P": format(percent, "f"),
        "w": scaled_wire(average),
        "x": scaled_wire(day.open),
        "c": scaled_wire(day.close),
        "Q": scaled_wire(last.quantity),
        "b": bid_price,
        "B": bid_quantity,
        "a": ask_price,
        "A": ask_quantity,
        "o": scaled_wire(day.open),
        "h": scaled_wire(day.high),
        "l": scaled_wire(day.low),
        "v": scaled_wire(day.volume),
        "q": scaled_wire(day.quote_volume),
        "O": day.open_time * unit,
        "C": moment * unit,
        "F": last.last - day.trades + 1,
        "L": last.last,
        "n": day.trades,
    }


def average_price(symbol: str, price: Decimal, *, minutes: int, last_trade: int, moment: int, unit: int) -> Any:
    """``<symbol>@avgPrice``."""
    return {
        "e": "avgPrice",
        "E": moment * unit,
        "s": symbol,
        "i": f"{minutes}m",
        "w": wire(price),
        "T": last_trade * unit,
    }


def depth_update(symbol: str, changed: tuple[list[Level], list[Level]], ids: tuple[int, int], when: int) -> Any:
    """``<symbol>@depth``: levels that changed since the last event; ``when`` is in the client's unit already."""
    return {
        "e": "depthUpdate",
        "E": when,
        "s": symbol,
        "U": ids[0],
        "u": ids[1],
        "b": [[wire(price), wire(quantity)] for price, quantity in changed[0]],
        "a": [[wire(price), wire(quantity)] for price, quantity in changed[1]],
    }

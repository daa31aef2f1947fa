"""From the exchange's JSON to our values. Pure; unknown fields and enum values pass, wrong shapes do not.

Shapes: Binance's spot API documentation (2026-07). Decimals are strings, ids and times integers (ms).
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, TypeVar

from thunes_cli.clock import from_ms
from thunes_cli.exchange.filters import SymbolRules, parse_symbol
from thunes_cli.ledger.bans import RateLimits
from thunes_cli.model import ZERO, Account, Balance, Candle, ClientOrderId, KeyRestrictions, OrderReport, Side, Trade

_MOST_DIGITS = 40  # either side of the point; anything longer is garbage
_NUMBER = re.compile(rf"-?[0-9]{{1,{_MOST_DIGITS}}}(\.[0-9]{{1,{_MOST_DIGITS}}})?")
_MONEY_STEP = Decimal("0.00000001")  # the exchange keeps eight decimals of every quote amount
_CANDLE_FIELDS = 7  # of 12; the rest is not ours
_MILLISECOND = timedelta(milliseconds=1)
_T = TypeVar("_T")


class MalformedReply(ValueError):
    """The reply is not what the documentation promises; the text says where."""


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedReply(f"{what} is not an object")
    return value


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise MalformedReply(f"{what} is not a list")
    return value


def _field(entry: Mapping[str, Any], name: str) -> Any:
    try:
        return entry[name]
    except KeyError:
        raise MalformedReply(f"there is no {name}") from None


def _decimal(value: Any, what: str) -> Decimal:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        if number.is_finite() and abs(number.adjusted()) <= _MOST_DIGITS:
            return number
    raise MalformedReply(f"{what} is not a number")


def _price(value: Any, what: str) -> Decimal:
    price = _decimal(value, what)
    if price <= 0:
        raise MalformedReply(f"{what} is not above zero")
    return price


def _int(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedReply(f"{what} is not an integer")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise MalformedReply(f"{what} is not a text")
    return value


def _time(value: Any, what: str) -> datetime:
    try:
        return from_ms(_int(value, what))
    except OverflowError:
        raise MalformedReply(f"{what} is not a time") from None


def _side(value: Any) -> Side:
    try:
        return Side(value)
    except ValueError:
        raise MalformedReply("side is neither BUY nor SELL") from None


def _each(value: Any, what: str, parse: Callable[[Any], _T]) -> list[_T]:
    return [parse(item) for item in _list(value, what)]


def server_time(reply: Any) -> datetime:
    """``GET /time``."""
    return _time(_field(_object(reply, "the time"), "serverTime"), "serverTime")


def price(reply: Any) -> Decimal:
    """``GET /ticker/price`` and ``GET /avgPrice`` of one symbol."""
    return _price(_field(_object(reply, "the price"), "price"), "price")


def symbol_rules(reply: Any) -> dict[str, SymbolRules]:
    """``GET /exchangeInfo``: the rules by symbol."""
    info = _object(reply, "exchangeInfo")
    everywhere = info.get("exchangeFilters") or []
    try:
        rules = [
            parse_symbol(_object(entry, "a symbol"), extra_filters=everywhere)
            for entry in _list(_field(info, "symbols"), "symbols")
        ]
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
        raise MalformedReply(f"exchangeInfo: {error}") from None
    return {rule.symbol: rule for rule in rules}


def rate_limits(reply: Any) -> RateLimits:
    """``exchangeInfo.rateLimits``: what is allowed in a minute, ten seconds and a day; None where it is not told."""
    told: dict[tuple[str, str, int], int] = {}
    for limit in reply.get("rateLimits") or () if isinstance(reply, dict) else ():
        with contextlib.suppress(LookupError, TypeError):
            key = (limit["rateLimitType"], limit["interval"], limit["intervalNum"])
            if type(limit["limit"]) is int and limit["limit"] > 0:
                told[key] = limit["limit"]
    return RateLimits(
        weight_1m=told.get(("REQUEST_WEIGHT", "MINUTE", 1)),
        orders_10s=told.get(("ORDERS", "SECOND", 10)),
        orders_1d=told.get(("ORDERS", "DAY", 1)),
    )


def candles(reply: Any) -> list[Candle]:
    """``GET /klines``: oldest first, each later than the one before."""
    parsed = _each(reply, "klines", _candle)
    if any(later.open_time <= earlier.open_time for earlier, later in itertools.pairwise(parsed)):
        raise MalformedReply("klines are not in order")
    return parsed


def _candle(row: Any) -> Candle:
    fields = _list(row, "a kline")
    if len(fields) < _CANDLE_FIELDS:
        raise MalformedReply("a kline has too few fields")
    volume = _decimal(fields[5], "kline volume")
    candle = Candle(
        open_time=_time(fields[0], "kline openTime"),
        close_time=_time(fields[6], "kline closeTime") + _MILLISECOND,
        open=_price(fields[1], "kline open"),
        high=_price(fields[2], "kline high"),
        low=_price(fields[3], "kline low"),
        close=_price(fields[4], "kline close"),
        volume=volume,
    )
    if candle.close_time <= candle.open_time or volume < 0:
        raise MalformedReply("a kline contradicts itself")
    return candle


def account(reply: Any) -> Account:
    """``GET /account``; assets of which there is nothing are left out."""
    entry = _object(reply, "the account")
    balances = _each(_field(entry, "balances"), "balances", _balance)
    can_trade = _field(entry, "canTrade")
    if not isinstance(can_trade, bool):
        raise MalformedReply("canTrade is not true or false")
    return Account(
        uid=str(_int(_field(entry, "uid"), "uid")),
        can_trade=can_trade,
        balances={balance.asset: balance for balance in balances if balance.total},
    )


def _balance(item: Any) -> Balance:
    entry = _object(item, "a balance")
    return Balance(
        asset=_text(_field(entry, "asset"), "asset"),
        free=_decimal(_field(entry, "free"), "free"),
        locked=_decimal(_field(entry, "locked"), "locked"),
    )


def key_restrictions(reply: Any) -> KeyRestrictions:
    """``GET /sapi/v1/account/apiRestrictions``: every yes-or-no it holds, by the exchange's names, and its dates."""
    entry = _object(reply, "apiRestrictions")
    times = {name: entry.get(name) for name in ("createTime", "tradingAuthorityExpirationTime")}
    created, until = (_time(value, name) if value else None for name, value in times.items())
    permissions = {str(name): value for name, value in entry.items() if isinstance(value, bool)}
    return KeyRestrictions(permissions, created_at=created, trading_until=until)


def order(reply: Any, *, time_field: str = "time") -> OrderReport:
    """``GET /order`` and each of ``openOrders``, ``allOrders``."""
    entry = _object(reply, "the order")
    return OrderReport(
        symbol=_text(_field(entry, "symbol"), "symbol"),
        order_id=_int(_field(entry, "orderId"), "orderId"),
        client_order_id=ClientOrderId(_text(_field(entry, "clientOrderId"), "clientOrderId")),
        side=_side(_field(entry, "side")),
        status=_text(_field(entry, "status"), "status"),
        orig_qty=_decimal(_field(entry, "origQty"), "origQty"),
        orig_quote_qty=_decimal(entry.get("origQuoteOrderQty", 0), "origQuoteOrderQty"),
        executed_qty=_decimal(_field(entry, "executedQty"), "executedQty"),
        executed_quote=_decimal(_field(entry, "cummulativeQuoteQty"), "cummulativeQuoteQty"),
        time=_time(_field(entry, time_field), time_field),
    )


def orders(reply: Any) -> list[OrderReport]:
    """``openOrders`` and ``allOrders``, oldest first."""
    return sorted(_each(reply, "the orders", order), key=lambda report: report.order_id)


def placed_order(reply: Any) -> OrderReport:
    """The FULL reply to a new order, with its trades.

    The fills carry no quote amount: it is price × quantity, cut after eight decimals. When they do not add up to the
    order's own totals ``trades`` stays empty, so that the caller asks for the trades instead of booking a guess.
    """
    report = order(reply, time_field="transactTime")
    fills = _list(reply.get("fills", []), "fills")
    trades = tuple(_fill(item, report) for item in fills)
    quantity = sum((trade.quantity for trade in trades), ZERO)
    quote = sum((trade.quote_quantity for trade in trades), ZERO)
    complete = quantity == report.executed_qty and quote == report.executed_quote
    return replace(report, trades=trades if complete else ())


def _fill(item: Any, report: OrderReport) -> Trade:
    entry = _object(item, "a fill")
    fill_price = _price(_field(entry, "price"), "fill price")
    quantity = _price(_field(entry, "qty"), "fill qty")
    return Trade(
        symbol=report.symbol,
        trade_id=_int(_field(entry, "tradeId"), "tradeId"),
        order_id=report.order_id,
        side=report.side,
        price=fill_price,
        quantity=quantity,
        quote_quantity=(fill_price * quantity).quantize(_MONEY_STEP, rounding=ROUND_DOWN),
        commission=_decimal(_field(entry, "commission"), "commission"),
        commission_asset=_text(_field(entry, "commissionAsset"), "commissionAsset"),
        time=report.time,
    )


def trades(reply: Any) -> list[Trade]:
    """``GET /myTrades``, oldest first."""
    return sorted(_each(reply, "the trades", _trade), key=lambda trade: trade.trade_id)


def _trade(item: Any) -> Trade:
    entry = _object(item, "a trade")
    is_buyer = _field(entry, "isBuyer")
    if not isinstance(is_buyer, bool):
        raise MalformedReply("isBuyer is not true or false")
    return Trade(
        symbol=_text(_field(entry, "symbol"), "symbol"),
        trade_id=_int(_field(entry, "id"), "id"),
        order_id=_int(_field(entry, "orderId"), "orderId"),
        side=Side.BUY if is_buyer else Side.SELL,
        price=_price(_field(entry, "price"), "trade price"),
        quantity=_price(_field(entry, "qty"), "trade qty"),
        quote_quantity=_decimal(_field(entry, "quoteQty"), "quoteQty"),
        commission=_decimal(_field(entry, "commission"), "commission"),
        commission_asset=_text(_field(entry, "commissionAsset"), "commissionAsset"),
        time=_time(_field(entry, "time"), "time"),
        is_maker=entry.get("isMaker") is True,
    )

"""Gathering what the exchange knows of one order: its trades, the value of fees in a third asset, its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.model import ZERO, Order, OrderReport, Trade
from thunes_cli.trading.booking import Evidence
from thunes_cli.trading.fee_values import value_fees

_DAY = timedelta(hours=24)
PAGE = 500  # what the exchange lists at least when there is so much; a shorter answer is the last


def gather(exchange: Exchange, journal: Journal, order: Order, report: OrderReport) -> Evidence:
    """Everything booking needs: the reply's own trades when they are complete, else those the exchange lists.

    Raises:
        ExchangeFailure: the trades cannot be had now; the order stays unfinished and is asked for again.
    """
    trades: Sequence[Trade] = report.trades
    if sum((trade.quantity for trade in trades), ZERO) < report.executed_qty:
        trades = _all_trades(exchange, report)
    values = value_fees(exchange, journal, trades, base=order.base, quote=order.quote)
    return Evidence(report=report, trades=trades, fee_values=values)


def _all_trades(exchange: Exchange, report: OrderReport) -> list[Trade]:
    page = exchange.trades(report.symbol, order_id=report.order_id)
    if len(page) < PAGE:
        return page
    # Asked for no trade to begin with, the exchange may list the newest ones only.
    found = page = exchange.trades(report.symbol, order_id=report.order_id, from_trade_id=0)
    while len(page) >= PAGE:
        page = exchange.trades(report.symbol, order_id=report.order_id, from_trade_id=found[-1].trade_id + 1)
        found += page
    return found


def orders_of_a_day(exchange: Exchange, symbol: str, start: datetime) -> list[OrderReport]:
    """Every order of a symbol, whoever made it, within 24 hours of market time (no single question spans more).

    Raises:
        ExchangeFailure: a question failed.
    """
    found = page = exchange.orders(symbol, start=start)
    while len(page) >= PAGE and page[-1].time <= start + _DAY:
        page = exchange.orders(symbol, from_order_id=found[-1].order_id + 1)
        found += page
    return found

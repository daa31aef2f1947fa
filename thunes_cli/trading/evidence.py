"""Gathering what the exchange knows of one order: its trades, and the value of fees kept in a third asset."""

from __future__ import annotations

from collections.abc import Sequence

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.model import ZERO, Order, OrderReport, Trade
from thunes_cli.trading.booking import Evidence
from thunes_cli.trading.fee_values import value_fees

PAGE = 1000  # the exchange lists no more at once


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
    found = exchange.trades(report.symbol, order_id=report.order_id)
    page = found
    while len(page) >= PAGE:
        page = exchange.trades(report.symbol, order_id=report.order_id, from_trade_id=found[-1].trade_id + 1)
        found += page
    return found

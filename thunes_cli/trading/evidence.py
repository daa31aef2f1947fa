"""Gathering what the exchange knows of one order: its trades, and the value of fees kept in a third asset."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger.fills import FeeValue
from thunes_cli.ledger.known import read_prices
from thunes_cli.model import ZERO, Order, OrderReport, Trade
from thunes_cli.trading.accounting import fee_in_quote
from thunes_cli.trading.booking import Evidence

_log = logging.getLogger(__name__)


def gather(exchange: Exchange, journal: Journal, order: Order, report: OrderReport) -> Evidence:
    """Everything booking needs: the reply's own trades when they are complete, else those the exchange lists.

    Raises:
        ExchangeFailure: the trades cannot be had now; the order stays unfinished and is asked for again.
    """
    trades: Sequence[Trade] = report.trades
    if sum((trade.quantity for trade in trades), ZERO) < report.executed_qty:
        trades = exchange.trades(order.symbol, order_id=report.order_id)
    return Evidence(report=report, trades=trades, fee_values=value_fees(exchange, journal, order, trades))


def value_fees(exchange: Exchange, journal: Journal, order: Order, trades: Sequence[Trade]) -> dict[int, FeeValue]:
    """Value fees in a third asset (BNB) at the price of now; the last known price, marked, when there is none."""
    values: dict[int, FeeValue] = {}
    prices: dict[str, FeeValue] = {}
    for trade in trades:
        asset = trade.commission_asset
        if fee_in_quote(trade.commission, asset, price=trade.price, base=order.base, quote=order.quote) is not None:
            continue
        if asset not in prices:
            prices[asset] = _price(exchange, journal, f"{asset}{order.quote}")
        price = prices[asset]
        values[trade.trade_id] = FeeValue(trade.commission * price.quote, price.how)
    return values


def _price(exchange: Exchange, journal: Journal, symbol: str) -> FeeValue:
    try:
        return FeeValue(exchange.last_price(symbol), "market")
    except ExchangeFailure as error:
        _log.warning("no price for the fee: symbol=%s error=%s", symbol, error)
    with journal.read() as connection:
        known = read_prices(connection).get(symbol)
    return FeeValue(Decimal(0), "unknown") if known is None else FeeValue(known[0], "last_known")

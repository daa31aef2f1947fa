"""What the account's stream tells, taken in at once: our fills are booked, a stranger's order is told of.

The stream is the quick way, never the only one: booking is the same and idempotent, whatever came first, and what an
event leaves open is asked for over REST.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.account_line import Event, execution
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.exchange.replies import MalformedReply
from thunes_cli.ledger import fills, orders
from thunes_cli.model import Order, OrderReport, OrderState
from thunes_cli.trading.booking import Evidence, book, state_of
from thunes_cli.trading.fee_values import value_fees
from thunes_cli.trading.order_fit import is_ours
from thunes_cli.trading.resolution import RETRY
from thunes_cli.trading.strangers import Strangers
from thunes_cli.trading.symbols import SymbolBook
from thunes_cli.trading.time_fit import answer_slack

_log = logging.getLogger(__name__)

_EXECUTION = "executionReport"


class TakenIn(NamedTuple):
    """What came of some events: how many fills were booked, and whether ledger and exchange should be compared."""

    booked: int
    compare: bool


class AccountEvents:
    """Takes in the events of one account. Not for concurrent use; beside the trading thread it may run."""

    def __init__(self, journal: Journal, exchange: Exchange, symbols: SymbolBook, *, max_daily_loss: Decimal) -> None:
        self._journal = journal
        self._exchange = exchange
        self._symbols = symbols
        self._max_daily_loss = max_daily_loss
        self._strangers = Strangers(journal)

    def take_in(self, events: Sequence[Event]) -> TakenIn:
        """Book and tell, event by event; one that makes no sense is passed over and compared for."""
        booked, compare = 0, False
        for event in events:
            try:
                if event["e"] == _EXECUTION:
                    count, doubtful = self._take_execution(event)
                    booked += count
                    compare = compare or doubtful
                else:  # something came or went outside the market, or is new to us
                    compare = True
            except (MalformedReply, ArithmeticError) as error:
                _log.warning("account event passed over: why=%s", error)
                compare = True
        return TakenIn(booked, compare)

    def _take_execution(self, event: Event) -> tuple[int, bool]:
        report = execution(event)
        with self._journal.read() as connection:
            order = orders.find_order(connection, report.client_order_id)
        fits = order is not None and order.exchange_order_id in {None, report.order_id}
        if order is not None and fits and is_ours(order, report, slack=answer_slack(self._journal.clock)):
            return self._book(order, report), False
        resting = event.get("x") == "NEW" and event.get("o") != "MARKET"
        if state_of(report) is OrderState.ACKED and not report.executed_qty and not resting:
            return 0, False  # the next event says what came of it
        return 0, self._strangers.note(report)

    def _book(self, order: Order, report: OrderReport) -> int:
        """Book what an event of ours says; how many fills were new."""
        if not report.executed_qty and state_of(report) is OrderState.ACKED:
            return 0
        with self._journal.read() as connection:
            known = fills.known_trade_ids(connection, order.id)
        fresh = [trade for trade in report.trades if trade.trade_id not in known]
        if not fresh and not order.state.live:
            return 0
        values = value_fees(self._exchange, self._journal, fresh, base=order.base, quote=order.quote)
        rules = self._symbols.known(order.symbol)
        with self._journal.change() as change:
            evidence = Evidence(report=report, trades=fresh, fee_values=values)
            after = book(change, order.id, evidence, rules=rules, max_daily_loss=self._max_daily_loss)
            if after.state.live:
                orders.postpone(change.connection, order.id, next_try_wall=change.at_wall + RETRY)
        _log.info(
            "account event booked: client_order_id=%s state=%s fills=%d",
            *(order.client_order_id, after.state, len(fresh)),
        )
        return len(fresh)

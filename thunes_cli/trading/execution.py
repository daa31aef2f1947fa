"""Sending one order, exactly once: SENT is committed before the first byte, every doubt becomes UNKNOWN.

Nothing here ever sends an order a second time but for the one answer that proves it was refused for its timestamp
(−1021), and then SENT is committed again with the new one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.clock import Clock, to_ms, to_text
from thunes_cli.exchange.failures import (
    ExchangeFailure,
    OutcomeUnknown,
    Rejected,
    TimestampRejected,
)
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import controls, orders
from thunes_cli.model import MarketOrder, Order, OrderReport, OrderState, Rejection, Side
from thunes_cli.process import boot_id
from thunes_cli.risk.wire import wire_refusal
from thunes_cli.trading.booking import book
from thunes_cli.trading.evidence import gather
from thunes_cli.trading.order_fit import is_ours
from thunes_cli.trading.symbols import SymbolBook
from thunes_cli.trading.time_fit import answer_slack

_log = logging.getLogger(__name__)


class Execution:
    """Takes an INTENT to its end, or to UNKNOWN, where resolution takes over."""

    def __init__(
        self,
        journal: Journal,
        exchange: Exchange,
        symbols: SymbolBook,
        *,
        max_daily_loss: Decimal,
        resync: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._symbols = symbols
        self._max_daily_loss = max_daily_loss
        self._resync = resync

    def execute(self, order: Order) -> Order:
        """Send an INTENT and book the answer; returns the order as the ledger has it then."""
        if order.side is Side.SELL:
            self._journal.drain(wait_seconds=0.0)  # an exit does not wait for whoever holds the trail's lock
        elif (drained := self._journal.drain()) is not DrainOutcome.CLEAN:
            reason = Rejection.TAMPERED if drained is DrainOutcome.TAMPERED else Rejection.AUDIT
            return self._end(order, OrderState.NOT_PLACED, why=reason, expected=OrderState.INTENT)
        return self._commit_and_send(order, expected=OrderState.INTENT, may_retry=True)

    def _commit_and_send(self, order: Order, *, expected: OrderState, may_retry: bool) -> Order:
        order = self._commit_sent(order, expected=expected)
        if order.state is OrderState.SENT:
            return self._send(order, may_retry=may_retry)
        self._journal.drain()
        return order

    def _send(self, order: Order, *, may_retry: bool) -> Order:
        assert order.sent_timestamp_ms is not None
        wire = MarketOrder(
            symbol=order.symbol,
            side=order.side,
            client_order_id=order.client_order_id,
            quantity=order.requested_base,
            quote_quantity=order.requested_quote,
        )
        try:
            report = self._exchange.place(wire, timestamp_ms=order.sent_timestamp_ms)
        except TimestampRejected as error:
            if not may_retry or not self._read_clock_anew():
                return self._end(order, OrderState.REJECTED, why=error.message, code=error.business_code)
            return self._commit_and_send(order, expected=OrderState.SENT, may_retry=False)
        except Rejected as error:
            return self._end(order, OrderState.REJECTED, why=error.message, code=error.business_code)
        except OutcomeUnknown as error:
            return self._doubt(order, error.message)
        except ExchangeFailure as error:
            return self._end(order, OrderState.NOT_PLACED, why=error.message)
        return self._book(order, report)

    def _read_clock_anew(self) -> bool:
        try:
            self._resync()
        except ExchangeFailure as error:
            _log.warning("the exchange's clock could not be read: why=%s", error)
            return False
        return True

    def _book(self, order: Order, report: OrderReport) -> Order:
        if not is_ours(order, report, slack=answer_slack(self._journal.clock)):
            return self._doubt(order, "the answer does not fit the order")
        try:
            evidence = gather(self._exchange, self._journal, order, report)
        except ExchangeFailure as error:
            return self._doubt(order, error.message)
        rules = self._symbols.known(order.symbol)
        with self._journal.change() as change:
            return book(change, order.id, evidence, rules=rules, max_daily_loss=self._max_daily_loss)

    def _commit_sent(self, order: Order, *, expected: OrderState) -> Order:
        """The second transaction: what may have changed since the decision is read again, then SENT.

        Its records are drained with those of the answer: nothing may come between this commit and the first byte,
        whose timestamp grows old meanwhile.
        """
        clock = self._journal.clock
        with self._journal.change(drain=False) as change:
            connection = change.connection
            blocked = _blocked(change, order, clock)
            if blocked is not None:
                return _end(change, order, OrderState.NOT_PLACED, why=blocked, expected=(expected,))
            sent = orders.change_state(
                connection,
                order.id,
                expected=(expected,),
                to=OrderState.SENT,
                at=change.at,
                sent_timestamp_ms=to_ms(clock.now()),
                recv_window_ms=self._exchange.recv_window_ms,
                sent_wall=to_text(change.at_wall),
                sent_mono=clock.monotonic(),
                sent_boot=boot_id(),
            )
            if sent:
                change.record(
                    Event.ORDER_SENT,
                    symbol=order.symbol,
                    side=order.side,
                    client_order_id=order.client_order_id,
                    signal_id=order.signal_id,
                    position=order.position_id,
                    attempt=order.attempt,
                )
            return orders.read_order(connection, order.id)

    def _doubt(self, order: Order, why: str) -> Order:
        _log.warning("order outcome unknown: client_order_id=%s why=%s", order.client_order_id, why)
        with self._journal.change() as change:
            moved = orders.change_state(
                change.connection,
                order.id,
                expected=(OrderState.SENT,),
                to=OrderState.UNKNOWN,
                at=change.at,
                error=why,
                next_try_wall=to_text(change.at_wall),
            )
            if moved:
                change.record(Event.ORDER_UNKNOWN, symbol=order.symbol, client_order_id=order.client_order_id, why=why)
            return orders.read_order(change.connection, order.id)

    def _end(
        self,
        order: Order,
        state: OrderState,
        *,
        why: str,
        code: int | None = None,
        expected: OrderState = OrderState.SENT,
    ) -> Order:
        _log.warning("order ended: client_order_id=%s state=%s why=%s", order.client_order_id, state, why)
        with self._journal.change() as change:
            return _end(change, order, state, why=why, code=code, expected=(expected,))


def _end(
    change: Change,
    order: Order,
    state: OrderState,
    *,
    why: str,
    expected: tuple[OrderState, ...],
    code: int | None = None,
) -> Order:
    moved = orders.change_state(
        change.connection, order.id, expected=expected, to=state, at=change.at, error=why, error_code=code
    )
    if moved:
        event = Event.ORDER_NOT_PLACED if state is OrderState.NOT_PLACED else Event.ORDER_FINISHED
        change.record(
            event,
            symbol=order.symbol,
            side=order.side,
            client_order_id=order.client_order_id,
            state=state,
            why=why,
            code=code,
            signal_id=order.signal_id,
            position=order.position_id,
            attempt=order.attempt,
        )
    return orders.read_order(change.connection, order.id)


def _blocked(change: Change, order: Order, clock: Clock) -> str | None:
    """Why an order must not leave now: the controls as they are at this commit. Exits are held by the wire alone."""
    refusal = wire_refusal(change.connection, clock)
    if refusal is not None:
        return f"{refusal.reason} ({refusal.detail})"
    if order.side is Side.SELL:
        return None
    if controls.read_kill_switch(change.connection).active:
        return Rejection.KILL_SWITCH
    if order.symbol in controls.frozen_symbols(change.connection):
        return Rejection.FROZEN
    return None

"""Leaving a position: the wish stands until it is fulfilled, one attempt at a time, never more than what is held."""

from __future__ import annotations

import logging
import sqlite3
from datetime import datetime
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import wait_is_over
from thunes_cli.exchange.classify import ORDER_REJECTED
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.filters import MarketFacts, SymbolRules, shape_market_sell
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import order_numbers, orders, positions
from thunes_cli.ledger.identity import read_identity, take_client_order_id
from thunes_cli.ledger.reconcile import is_known
from thunes_cli.model import ZERO, ExitReason, Order, OrderState, Position, PositionStatus, Side, plain
from thunes_cli.process import this_process
from thunes_cli.risk.exits import BLOCKED_AFTER, LAST_BACK_OFF
from thunes_cli.risk.wire import wire_refusal
from thunes_cli.trading.booking import close_if_sold
from thunes_cli.trading.booking_alerts import tell_stop
from thunes_cli.trading.execution import Execution
from thunes_cli.trading.exit_delay import delay_exit
from thunes_cli.trading.findings import Kind
from thunes_cli.trading.symbols import SymbolBook

_log = logging.getLogger(__name__)


class Exits:
    """Sells positions that want to be left."""

    def __init__(self, journal: Journal, exchange: Exchange, symbols: SymbolBook, execution: Execution) -> None:
        self._journal = journal
        self._exchange = exchange
        self._symbols = symbols
        self._execution = execution

    def want(self, position: Position, reason: ExitReason, *, price: Decimal | None = None) -> bool:
        """Set the wish; the first reason stays. False when it is set already."""
        with self._journal.change(drain=False) as change:
            if not positions.want_exit(change.connection, position.id, reason, since=change.at):
                return False
            change.record(
                Event.EXIT_WANTED,
                symbol=position.symbol,
                position=position.id,
                reason=reason,
                price=price,
                stop_price=position.stop_price,
                entry_price=position.entry_price,
            )
            if reason is ExitReason.STOP_LOSS and price is not None:
                tell_stop(change, position, price)
        self._journal.drain(wait_seconds=0.0)  # the sale does not wait for whoever holds the trail's lock
        return True

    def attempt(self, position: Position, *, price: Decimal | None) -> Order | None:
        """One attempt when one is due; the order as it ended (or not), None when none was made.

        Args:
            position: one with ``exit_wanted``.
            price: the last price; None asks the exchange.
        """
        with self._journal.read() as connection:
            clock = self._journal.clock
            if not _due(connection, position, clock.wall()) or wire_refusal(connection, clock) is not None:
                return None
            wiped = _was_wiped(connection)
            refused = order_numbers.last_refusal(connection, position.id) == ORDER_REJECTED
        if wiped:
            self._hold_back(position, "the exchange was wiped and has our coins no more: thunes reconcile --apply")
            return None
        try:
            held = self._held(position) if refused else position.quantity
            amount = self._sellable_amount(position, held, price)
        except ExchangeFailure as error:
            _log.warning("exit waits: symbol=%s why=%s", position.symbol, error)
            return None
        order = None if amount is None else self._intend(position, amount)
        if order is None:
            return None
        order = self._execution.execute(order)
        self._after(position, order)
        return order

    def _held(self, position: Position) -> Decimal:
        """What the account really has of a position: what somebody took out must not keep the rest from being sold."""
        balance = self._exchange.account().balances.get(position.base)
        return min(position.quantity, ZERO if balance is None else balance.free)

    def _sellable_amount(self, position: Position, held: Decimal, price: Decimal | None) -> Decimal | None:
        """What one SELL can carry now; None, with the reason written down, when the exchange would take nothing."""
        rules = self._symbols.rules(position.symbol)
        if rules is None or not rules.tradable:
            self._hold_back(position, f"the symbol is {'delisted' if rules is None else rules.status}")
            return None
        facts = self._facts(position.symbol, price)
        shaped = shape_market_sell(rules, held, facts)
        if shaped.failure is None:
            return shaped.amount
        if held < position.quantity:
            self._hold_back(position, f"the account has only {plain(held)} {position.base} free")
            return None
        self._unsellable(position, rules, facts, why=f"{shaped.failure.message}: {shaped.failure.detail}")
        return None

    def _facts(self, symbol: str, price: Decimal | None) -> MarketFacts:
        last = self._exchange.last_price(symbol) if price is None else price
        return MarketFacts(last_price=last, average_price=self._exchange.average_price(symbol))

    def _intend(self, position: Position, amount: Decimal) -> Order | None:
        try:
            with self._journal.change(drain=False) as change:
                connection = change.connection
                fresh = positions.read_position(connection, position.id)
                if fresh.status is not PositionStatus.OPEN or fresh.quantity != position.quantity:
                    return None
                attempt = order_numbers.last_attempt(connection, position.id) + 1
                order = orders.insert_intent(
                    connection,
                    orders.NewOrder(
                        client_order_id=take_client_order_id(connection, Side.SELL),
                        exchange_epoch=fresh.exchange_epoch,
                        symbol=fresh.symbol,
                        base=fresh.base,
                        quote=fresh.quote,
                        side=Side.SELL,
                        strategy=fresh.strategy,
                        stop_loss_pct=fresh.stop_loss_pct,
                        requested_base=amount,
                        position_id=fresh.id,
                        attempt=attempt,
                        reason=fresh.exit_wanted,
                    ),
                    at=change.at,
                    owner=this_process(),
                )
                change.record(
                    Event.ORDER_INTENT,
                    symbol=order.symbol,
                    side=order.side,
                    client_order_id=order.client_order_id,
                    position=fresh.id,
                    attempt=attempt,
                    quantity=amount,
                    reason=fresh.exit_wanted,
                )
                return order
        except sqlite3.IntegrityError:
            return None  # another process got there first: one live order a symbol

    def _after(self, position: Position, order: Order) -> None:
        """Wait longer after each attempt that did not sell; doubt has no back-off, resolution ends it."""
        if order.state is OrderState.FILLED or order.state.live:
            return
        if order.state is OrderState.REJECTED:
            self._symbols.doubt(order.symbol)  # a halt, or filters that changed
        why = order.error or f"order {order.client_order_id} ended {order.state}"
        with self._journal.change() as change:
            failed = order_numbers.failed_attempts(change.connection, position.id)
            delay_exit(change, position.id, failed=max(failed, 1), why=why)

    def _hold_back(self, position: Position, why: str) -> None:
        """No attempt now: it could not be executed."""
        with self._journal.change() as change:
            failed = order_numbers.failed_attempts(change.connection, position.id) + 1
            delay_exit(change, position.id, failed=max(failed, BLOCKED_AFTER), why=why)

    def _unsellable(self, position: Position, rules: SymbolRules, facts: MarketFacts, *, why: str) -> None:
        """Too small for any SELL: what a sale left over is dust; anything else stays, and says so."""
        if position.sold_qty > 0:
            with self._journal.change() as change:
                fresh = positions.read_position(change.connection, position.id)
                if fresh.status is not PositionStatus.OPEN:
                    return
                fresh = close_if_sold(change, fresh, rules=rules, price=facts.last_price)
            if fresh.status is PositionStatus.CLOSED:
                return
        self._hold_back(position, why)


def _was_wiped(connection: sqlite3.Connection) -> bool:
    """Whether the exchange was found wiped, and the operator has not accepted that yet.

    What the account holds of an asset then is a new grant, and not ours.
    """
    epoch = read_identity(connection).exchange_epoch
    return is_known(connection, Kind.EXCHANGE_RESET, exchange_epoch=epoch)


def _due(connection: sqlite3.Connection, position: Position, wall: datetime) -> bool:
    """Whether it is still held, nothing of the symbol is on its way, and the wait after the last attempt is over."""
    now = positions.read_position(connection, position.id)
    if now.status is not PositionStatus.OPEN:
        return False
    if not wait_is_over(now.exit_next_try_wall, wall, longest=LAST_BACK_OFF):
        return False
    return orders.live_order(connection, position.symbol) is None

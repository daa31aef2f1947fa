"""Finding out what became of an order, by asking and never by sending again.

A negative is believed only with proof: the exchange's clock is past the order's last valid instant by a margin, as
much has gone by on our own monotonic clock, three answers "no such order" lie at least two seconds apart, and the
exchange's list of orders since then holds none of its id. An order of its id that is not the one we sent says no more
than "no such order". Any other answer proves nothing. Balances and lists of orders come from different sources at the
exchange: an account whose coins moved as the order would have moved them contradicts lists that do not know it, and
nothing is concluded for as long as a list may lag.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import from_ms, to_text, wait_is_over
from thunes_cli.counts import count
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import order_numbers, orders
from thunes_cli.ledger.orders import Sending
from thunes_cli.model import Order, OrderReport, OrderState, plain
from thunes_cli.process import boot_id, is_alive, this_process
from thunes_cli.risk.wire import wire_refusal
from thunes_cli.trading.booking import book
from thunes_cli.trading.doubts import tell_doubts
from thunes_cli.trading.evidence import gather, orders_of_a_day
from thunes_cli.trading.exit_delay import delay_exit
from thunes_cli.trading.expected import differences, trace_of
from thunes_cli.trading.order_fit import is_ours, names
from thunes_cli.trading.symbols import SymbolBook
from thunes_cli.trading.time_fit import answer_slack

_log = logging.getLogger(__name__)

ABSENCES_NEEDED = 3
ABSENCE_DISTANCE = timedelta(seconds=2)
RETRY = timedelta(seconds=1)
# From sending; what balances show and lists still do not know then is not this order.
LAG_AT_MOST = timedelta(minutes=10)


class _Looked(NamedTuple):
    """What the account holds beyond the ledger's word, by asset, and when (monotonic) it was asked for."""

    at_mono: float
    differing: Mapping[str, Decimal]


class Resolver:
    """Brings unfinished orders to their end. One pass is quick; what must be waited for is written down."""

    def __init__(
        self,
        journal: Journal,
        exchange: Exchange,
        symbols: SymbolBook,
        *,
        margin: timedelta,
        max_daily_loss: Decimal,
        in_flight: Callable[[], frozenset[int]] = frozenset,
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._symbols = symbols
        self._margin = margin
        self._max_daily_loss = max_daily_loss
        self._in_flight = in_flight
        self._began_mono = journal.clock.monotonic()
        self._looked: _Looked | None = None

    def adopt(self) -> int:
        """Take over what dead processes left: an INTENT was never sent, a SENT may have been. Returns how many."""
        adopted = 0
        with self._journal.read() as connection:
            sendings = orders.unfinished(connection)
        for sending in sendings:
            if not self._abandoned(sending):
                continue
            if sending.order.state is OrderState.INTENT:
                adopted += self._move(
                    sending.order, OrderState.NOT_PLACED, why="whoever made it ended before sending it"
                )
            elif sending.order.state is OrderState.SENT:
                adopted += self._move(sending.order, OrderState.UNKNOWN, why="whoever sent it ended before the answer")
        return adopted

    def resolve_due(self) -> int:
        """Adopt, then ask once for every order whose time has come; returns how many are still unresolved."""
        self.adopt()
        wall = self._journal.clock.wall()
        with self._journal.read() as connection:
            blocked = wire_refusal(connection, self._journal.clock) is not None
            sendings = orders.unfinished(connection)
        asked, self._looked = {OrderState.UNKNOWN, OrderState.ACKED}, None
        for sending in sendings:
            due = wait_is_over(sending.next_try_wall, wall, longest=max(RETRY, ABSENCE_DISTANCE))
            if due and not blocked and sending.order.state in asked:
                self._resolve(sending)
        tell_doubts(self._journal)
        with self._journal.read() as connection:
            return orders.count_unresolved(connection)

    def _abandoned(self, sending: Sending) -> bool:
        if sending.order.id in self._in_flight():
            return False
        owner = sending.owner
        return owner is None or owner == this_process() or not is_alive(owner)

    def _resolve(self, sending: Sending) -> None:
        order = sending.order
        try:
            report = self._exchange.order(order.symbol, order.client_order_id)
            if report is not None and is_ours(order, report, slack=answer_slack(self._journal.clock)):
                self._book(order, report)
            else:
                self._count_absence(sending)
        except ExchangeFailure as error:
            self._postpone(order, error.message)

    def _book(self, order: Order, report: OrderReport) -> None:
        evidence = gather(self._exchange, self._journal, order, report)
        rules = self._symbols.known(order.symbol)
        with self._journal.change() as change:
            after = book(change, order.id, evidence, rules=rules, max_daily_loss=self._max_daily_loss)
            if after.state.live:
                orders.postpone(change.connection, order.id, next_try_wall=change.at_wall + RETRY)
        _log.info("order resolved: client_order_id=%s state=%s", order.client_order_id, after.state)

    def _count_absence(self, sending: Sending) -> None:
        mono, boot = self._journal.clock.monotonic(), boot_id()
        fresh = sending.last_absence_mono is None or sending.last_absence_boot != boot
        if not fresh and mono - (sending.last_absence_mono or 0.0) < ABSENCE_DISTANCE.total_seconds():
            self._postpone(sending.order, "too soon to count again")
            return
        absences = 1 if fresh else sending.absences + 1
        due = absences >= ABSENCES_NEEDED and self._proof_is_due(sending, mono)
        if due and not self._listed(sending.order) and sending.order.state is not OrderState.ACKED:
            if self._shows_in_the_account(sending, mono):
                return
            self._move(
                sending.order,
                OrderState.NOT_PLACED,
                why=f"proven: {count(absences, 'answer')} that there is no such order",
            )
            return
        with self._journal.change() as change:
            orders.note_absence(
                change.connection,
                sending.order.id,
                absences=absences,
                mono=mono,
                boot=boot,
                next_try_wall=change.at_wall + ABSENCE_DISTANCE,
            )

    def _proof_is_due(self, sending: Sending, mono: float) -> bool:
        """Whether the order could no longer be accepted, by the exchange's clock and by our own."""
        assert sending.order.sent_timestamp_ms is not None
        if self._exchange.server_time() <= from_ms(sending.order.sent_timestamp_ms) + self._span(sending):
            return False
        return self._is_past(sending, mono)

    def _span(self, sending: Sending) -> timedelta:
        """How long after its sending an order may still be accepted."""
        assert sending.order.recv_window_ms is not None
        return timedelta(milliseconds=sending.order.recv_window_ms) + self._margin

    def _is_past(self, sending: Sending, mono: float) -> bool:
        return mono - self._waiting_since(sending) > self._span(sending).total_seconds()

    def _waiting_since(self, sending: Sending) -> float:
        """A monotonic reading of an earlier boot says nothing; then the time since our own start must do."""
        return self._began_mono if sending.sent_boot != boot_id() else (sending.sent_mono or self._began_mono)

    def _shows_in_the_account(self, sending: Sending, mono: float) -> bool:
        """Whether balances contradict the lists: coins came or went as this order would have moved them."""
        if mono - self._waiting_since(sending) > LAG_AT_MOST.total_seconds():
            return False
        order = sending.order
        if self._looked is None or not self._is_past(sending, self._looked.at_mono):
            asked_mono, account = self._journal.clock.monotonic(), self._exchange.account()
            with self._journal.read() as connection:
                self._looked = _Looked(asked_mono, differences(connection, account))
        trace = trace_of(order, self._looked.differing)
        if trace is None:
            return False
        self._postpone(order, f"no list knows it, but the account's {order.base} differs by {plain(trace)}")
        return True

    def _listed(self, order: Order) -> bool:
        """Whether the exchange's list of orders since it was sent holds one of its id; if it is ours, it is booked."""
        assert order.sent_timestamp_ms is not None
        slack = answer_slack(self._journal.clock)
        named = [
            report
            for report in orders_of_a_day(self._exchange, order.symbol, from_ms(order.sent_timestamp_ms) - slack)
            if report.client_order_id == order.client_order_id or names(order, report)
        ]
        for report in named:
            if is_ours(order, report, slack=slack):
                self._book(order, report)
                return True
        if named:
            self._postpone(order, "the exchange's order of that id is not the one we sent")
        return bool(named)

    def _postpone(self, order: Order, why: str) -> None:
        _log.info("order still unresolved: client_order_id=%s why=%s", order.client_order_id, why)
        with self._journal.change() as change:
            orders.postpone(change.connection, order.id, next_try_wall=change.at_wall + RETRY)

    def _move(self, order: Order, to: OrderState, *, why: str) -> bool:
        """Compare-and-set from the state that was seen; False when somebody was quicker."""
        negative = to is OrderState.NOT_PLACED
        with self._journal.change() as change:
            moved = orders.change_state(
                change.connection,
                order.id,
                expected=(order.state,),
                to=to,
                at=change.at,
                error=why,
                next_try_wall=None if negative else to_text(change.at_wall),
            )
            if moved:
                change.record(
                    Event.ORDER_NOT_PLACED if negative else Event.ORDER_UNKNOWN,
                    symbol=order.symbol,
                    side=order.side,
                    client_order_id=order.client_order_id,
                    why=why,
                    signal_id=order.signal_id,
                    position=order.position_id,
                    attempt=order.attempt,
                )
            if moved and negative and order.state is OrderState.UNKNOWN and order.attempt is not None:
                assert order.position_id is not None
                failed = order_numbers.failed_attempts(change.connection, order.position_id)
                delay_exit(change, order.position_id, failed=failed, why=why, proven=True)
        return moved

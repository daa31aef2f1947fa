"""Selling positions because the operator says so, now: the same wish and the same attempts as any other exit.

It works beside a daemon, which may be at the same position: whoever comes first sells, the ledger lets no second order
through, and both see the end. Doubt is resolved before anything is answered.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import orders, positions
from thunes_cli.model import ExitReason, Order, OrderState, Position, PositionStatus
from thunes_cli.risk.wire import wire_refusal
from thunes_cli.trading.exiting import Exits
from thunes_cli.trading.operator_word import Judgement
from thunes_cli.trading.resolution import Resolver

_PAUSE_S = 0.2
_MOST_ATTEMPTS = 5  # a book that runs dry gives a part each time


class Outcome(enum.StrEnum):
    """What became of one position. Unless it is closed, the wish stands and the daemon goes on with it."""

    CLOSED = "closed"
    UNSOLD = "unsold"
    IN_DOUBT = "in doubt"
    UNREACHABLE = "unreachable"


@dataclass(slots=True)
class Closing:
    """One position on its way out; ``why`` says what holds it, ``wished`` whether this call made the wish."""

    position: Position
    outcome: Outcome = Outcome.UNSOLD
    why: str = ""
    wished: bool = False
    made: list[int] = field(default_factory=list)


class Closer:
    """Closes positions on behalf of one command. ``wait`` waits so many seconds of network time."""

    def __init__(
        self,
        journal: Journal,
        exchange: Exchange,
        exits: Exits,
        resolver: Resolver,
        *,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._exits = exits
        self._resolver = resolver
        self._wait = wait

    def close(self, held: Sequence[Position], who: Judgement, *, timeout: timedelta) -> list[Closing]:
        """Wish all of them away first, then sell one after the other.

        Args:
            held: open positions.
            who: says so.
            timeout: network time for all of them; what is in doubt then stays in doubt.
        """
        deadline_mono = self._journal.clock.monotonic() + timeout.total_seconds()
        closings = [self._wish(position, who) for position in held]
        for closing in closings:
            self._sell(closing, deadline_mono)
        return closings

    def _wish(self, position: Position, who: Judgement) -> Closing:
        with self._journal.change() as change:
            connection = change.connection
            wished = positions.want_exit(connection, position.id, ExitReason.OPERATOR, since=change.at)
            # Whatever an earlier attempt ran into: the operator does not wait for its back-off.
            positions.set_exit_back_off(connection, position.id, next_try_wall=None, problem=None)
            if wished:
                change.record(
                    Event.EXIT_WANTED,
                    symbol=position.symbol,
                    position=position.id,
                    reason=ExitReason.OPERATOR,
                    why=who.reason,
                    actor=who.actor,
                    **who.facts,
                )
        return Closing(position, wished=wished)

    def _sell(self, closing: Closing, deadline_mono: float) -> None:
        """Attempt, resolve, attempt again, until it is closed or nothing more can be done now."""
        while True:
            live = self._look(closing)
            if closing.outcome is Outcome.CLOSED:
                return
            over = self._journal.clock.monotonic() >= deadline_mono
            if live is not None:
                closing.outcome, closing.why = Outcome.IN_DOUBT, f"order {live.client_order_id} is {live.state}"
                if over:
                    return
                self._resolver.resolve_due()
                if self._look(closing) is not None:
                    self._wait(_PAUSE_S)
                continue
            closing.outcome = Outcome.UNSOLD
            if over or len(closing.made) >= _MOST_ATTEMPTS or not self._attempt(closing):
                return

    def _look(self, closing: Closing) -> Order | None:
        """The position as it is now, and the order of its symbol that is still on its way."""
        with self._journal.read() as connection:
            closing.position = positions.read_position(connection, closing.position.id)
            if closing.position.status is PositionStatus.CLOSED:
                closing.outcome = Outcome.CLOSED
            return orders.live_order(connection, closing.position.symbol)

    def _attempt(self, closing: Closing) -> bool:
        """One attempt; False when another one now would be no better."""
        position = closing.position
        with self._journal.read() as connection:
            refusal = wire_refusal(connection, self._journal.clock)
        if refusal is not None:
            closing.outcome, closing.why = Outcome.UNREACHABLE, f"{refusal.reason}: {refusal.detail}"
            return False
        try:
            price = self._exchange.last_price(position.symbol)
        except ExchangeFailure as error:
            closing.outcome, closing.why = Outcome.UNREACHABLE, error.message
            return False
        order = self._exits.attempt(position, price=price)
        if order is None:
            return self._nothing_was_sent(closing)
        closing.made.append(order.id)
        if order.executed_qty > 0 or order.state.live or order.state is OrderState.FILLED:
            self._clear_back_off(position)  # a part was sold: the rest is not to wait
            return True
        closing.why = order.error or f"order {order.client_order_id} ended {order.state}"
        return False

    def _nothing_was_sent(self, closing: Closing) -> bool:
        """Somebody else has the symbol at this moment, or the exchange would not take it."""
        live = self._look(closing)
        if live is not None or closing.outcome is Outcome.CLOSED:
            return True
        closing.why = closing.position.exit_problem or "the exchange did not answer"
        if closing.position.exit_problem is None:
            closing.outcome = Outcome.UNREACHABLE
        return False

    def _clear_back_off(self, position: Position) -> None:
        with self._journal.change() as change:
            positions.set_exit_back_off(change.connection, position.id, next_try_wall=None, problem=None)

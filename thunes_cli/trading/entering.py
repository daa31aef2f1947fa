"""Deciding about a BUY signal: the facts are read and the intent is written in one transaction."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.clock import EPOCH
from thunes_cli.errors import LedgerGone
from thunes_cli.exchange.filters import MarketFacts, SymbolRules, shape_market_buy
from thunes_cli.ledger import orders
from thunes_cli.ledger.decisions import insert_decision
from thunes_cli.ledger.identity import read_identity, take_client_order_id
from thunes_cli.model import ZERO, ClientOrderId, Decision, Order, Side, Signal
from thunes_cli.process import this_process
from thunes_cli.risk.facts import Outside, read_facts
from thunes_cli.risk.rules import Limits, decide
from thunes_cli.trading.plan import TradingPlan

_MIB = 1024 * 1024
_MAX_PRICE_AGE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Quote:
    """What the network said just before the decision: the symbol's rules, its prices, when they were asked for."""

    rules: SymbolRules | None
    facts: MarketFacts
    at: datetime


# While nothing may be sent there is no price: the rules then say why not, in their order, the breaker among them.
NO_QUOTE = Quote(rules=None, facts=MarketFacts(last_price=ZERO, average_price=ZERO), at=EPOCH)


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision, and the order it made or found; ``order`` is new when it is an INTENT of this call."""

    decision: Decision
    order: Order | None = None


class Entries:
    """Asks the rules about BUY signals and writes down what they say."""

    def __init__(self, journal: Journal, plan: TradingPlan, limits: Limits, *, home: Path) -> None:
        self._journal = journal
        self._plan = plan
        self._limits = limits
        self._home = home

    def decide(self, signal: Signal, quote: Quote, *, exits_only: str | None = None) -> Entry:
        """Approve or refuse; the answer and, if approved, the INTENT are committed on return, not yet sent.

        ``exits_only`` says why no entries are made at all.

        Raises:
            LedgerGone: what is written down now would be lost, so nothing is bought.
        """
        if not self._journal.ledger.is_in_place():
            raise LedgerGone(self._journal.ledger.path)
        amount, problem = self._amount(quote)
        outside = self._outside(quote, exits_only, problem)
        with self._journal.change(drain=False) as change:
            existing = orders.order_of_signal(change.connection, signal.id)
            if existing is not None:
                return Entry(Decision(approved=True), existing)
            facts = read_facts(change.connection, signal, outside, self._journal.clock)
            decision = decide(facts, self._limits)
            order = None
            if decision.approved:
                assert quote.rules is not None, "the rules refuse a symbol without rules"
                order = self._intend(change, signal, quote.rules, amount)
            _write_down(change, signal, decision, order.client_order_id if order else None)
        if order is None and change.recorded:
            self._journal.drain()  # nothing follows that would
        return Entry(decision, order)

    def _amount(self, quote: Quote) -> tuple[Decimal, str | None]:
        if quote.rules is None or not quote.rules.tradable:
            return self._plan.quote_amount, None
        shaped = shape_market_buy(quote.rules, self._plan.quote_amount, quote.facts)
        return shaped.amount, None if shaped.failure is None else f"{shaped.failure.message}: {shaped.failure.detail}"

    def _outside(self, quote: Quote, exits_only: str | None, filter_problem: str | None) -> Outside:
        speed = max(Decimal(1), self._journal.clock.speed)
        status = "delisted" if quote.rules is None else quote.rules.status
        return Outside(
            quote_amount=self._plan.quote_amount,
            price_at=quote.at,
            max_price_age=_MAX_PRICE_AGE * float(speed),
            skew=abs(self._journal.clock.step),
            trail=self._journal.drain(),
            free_mib=shutil.disk_usage(self._home).free // _MIB,
            min_free_mib=self._plan.min_free_mib,
            max_signal_age=self._plan.max_signal_age,
            exits_only=exits_only,
            not_tradable=None if quote.rules is not None and quote.rules.tradable else status,
            filter_problem=filter_problem,
        )

    def _intend(self, change: Change, signal: Signal, rules: SymbolRules, amount: Decimal) -> Order:
        connection = change.connection
        new = orders.NewOrder(
            client_order_id=take_client_order_id(connection, Side.BUY),
            exchange_epoch=read_identity(connection).exchange_epoch,
            symbol=signal.symbol,
            base=rules.base,
            quote=rules.quote,
            side=Side.BUY,
            strategy=signal.strategy,
            stop_loss_pct=self._plan.stop_loss_pct,
            requested_quote=amount,
            signal_id=signal.id,
        )
        return orders.insert_intent(connection, new, at=change.at, owner=this_process())


def _write_down(change: Change, signal: Signal, decision: Decision, client_order_id: ClientOrderId | None) -> None:
    new = insert_decision(change.connection, signal, decision, at=change.at, client_order_id=client_order_id)
    if not new:
        return
    change.record(
        Event.TRADE_APPROVED if decision.approved else Event.TRADE_REJECTED,
        symbol=signal.symbol,
        side=signal.side,
        signal_id=signal.id,
        strategy=signal.strategy,
        price=signal.price,
        reason=decision.reason,
        client_order_id=client_order_id,
        **{key: value for key, value in (signal.facts | decision.facts).items() if key not in _OWN_KEYS},
    )
    if client_order_id is not None:
        change.record(
            Event.ORDER_INTENT,
            symbol=signal.symbol,
            side=signal.side,
            client_order_id=client_order_id,
            signal_id=signal.id,
        )


# Facts of a strategy may be called anything; they never hide what the record itself says.
_OWN_KEYS = frozenset(
    {
        *("v", "seq", "prev", "timestamp", "event"),
        *("symbol", "side", "signal_id", "strategy", "price", "reason", "client_order_id"),
    }
)

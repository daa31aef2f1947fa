"""Rows for coins that moved by a person's word: an order that was never sent and a fill that is folded like a trade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.ledger import fills, orders, positions
from thunes_cli.ledger.identity import read_identity, take_word_id
from thunes_cli.model import ZERO, FillSource, Order, Position, Side
from thunes_cli.trading.accounting import EXACT
from thunes_cli.trading.booking import refold
from thunes_cli.trading.plan import TradingPlan

_NAMES = {
    FillSource.ADOPTED: "ADOPTED",
    FillSource.MANUAL: "MANUAL_RECONCILIATION",
    FillSource.RESET: "EXCHANGE_RESET",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who says it and why; ``facts`` go to the trail."""

    actor: str
    reason: str
    facts: Mapping[str, str | int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of the base, and what one is worth in quote."""

    quantity: Decimal
    price: Decimal

    @property
    def value(self) -> Decimal:
        """In quote."""
        return EXACT.multiply(self.quantity, self.price)


def adopt_coins(
    change: Change, rules: SymbolRules, amount: Amount, *, present: Position | None, plan: TradingPlan, who: Judgement
) -> tuple[Order, Position]:
    """Add coins to the symbol's position, or to a new one; the position is folded anew."""
    connection = change.connection
    order = _insert_order(
        change,
        orders.NewOrder(
            client_order_id=take_word_id(connection, _NAMES[FillSource.ADOPTED]),
            exchange_epoch=present.exchange_epoch if present else read_identity(connection).exchange_epoch,
            symbol=rules.symbol,
            base=rules.base,
            quote=rules.quote,
            side=Side.BUY,
            strategy=present.strategy if present else plan.strategy,
            stop_loss_pct=present.stop_loss_pct if present else plan.stop_loss_pct,
            reason=who.reason,
        ),
        amount,
    )
    position_id = present.id if present else positions.open_position(connection, order, entry_time=change.at)
    return order, _fold_in(change, FillSource.ADOPTED, order, position_id, amount)


def take_coins(
    change: Change, source: FillSource, position: Position, amount: Amount, *, who: Judgement
) -> tuple[Order, Position]:
    """Take coins out of a position, which is folded anew."""
    order = _insert_order(
        change,
        orders.NewOrder(
            client_order_id=take_word_id(change.connection, _NAMES[source]),
            exchange_epoch=position.exchange_epoch,
            symbol=position.symbol,
            base=position.base,
            quote=position.quote,
            side=Side.SELL,
            strategy=position.strategy,
            stop_loss_pct=position.stop_loss_pct,
            reason=who.reason,
        ),
        amount,
    )
    return order, _fold_in(change, source, order, position.id, amount)


def release_wiped(change: Change, position: Position, who: Judgement) -> None:
    """A wiped exchange has the coins no more: the position ends at cost, outside the result."""
    order, after = take_coins(change, FillSource.RESET, position, Amount(position.quantity, ZERO), who=who)
    change.record(
        Event.POSITION_RELEASED,
        symbol=position.symbol,
        position=position.id,
        client_order_id=order.client_order_id,
        quantity=position.quantity,
        cost=position.cost,
        pnl=after.realized,
        reason="the exchange was wiped",
        actor=who.actor,
    )


def said_already(change: Change, position: Position, amount: Amount, who: Judgement) -> bool:
    """Whether the same coins were adopted into this position with the same words before."""
    made = orders.list_orders(change.connection, position_id=position.id)
    said = {order.id for order in made if order.reason == who.reason}
    return any(
        fill.source is FillSource.ADOPTED and fill.order_id in said and Amount(fill.quantity, fill.price) == amount
        for fill in fills.fills_of_position(change.connection, position.id)
    )


def _insert_order(change: Change, order: orders.NewOrder, amount: Amount) -> Order:
    return orders.insert_word(change.connection, order, quantity=amount.quantity, value=amount.value, at=change.at)


def _fold_in(change: Change, source: FillSource, order: Order, position_id: int, amount: Amount) -> Position:
    orders.set_position(change.connection, order.id, position_id)
    fills.insert_word(
        change.connection,
        order,
        position_id=position_id,
        source=source,
        quantity=amount.quantity,
        price=amount.price,
        quote_quantity=amount.value,
        at=change.at,
    )
    return refold(change, position_id)

"""Turning the exchange's answer about an order into fills, position, kill switch, trail and alerts: one transaction.

Idempotent: booking the same answer again changes nothing. An order ends only when every fill of its executed
quantity is booked, so a missing fill keeps it live and resolution asks for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.ledger import fills, orders, positions
from thunes_cli.ledger.fills import FeeValue
from thunes_cli.ledger.positions import DustMove
from thunes_cli.model import (
    ZERO,
    Order,
    OrderReport,
    OrderState,
    Position,
    PositionStatus,
    Side,
    Trade,
    plain,
)
from thunes_cli.risk import kill_switch
from thunes_cli.trading.accounting import apply_fold, fee_in_quote, fold
from thunes_cli.trading.booking_alerts import tell_closed, tell_late_order, tell_reused_trade_id
from thunes_cli.trading.symbols import unsellable

_STATES = {
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
}
_OPEN_STATES = (OrderState.SENT, OrderState.UNKNOWN, OrderState.ACKED)
# A proven negative that the exchange contradicts after all is booked, never ignored; so is a fill that an order lacks
# which was taken for finished.


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the network said about one order, gathered before the transaction.

    ``fee_values`` has a value for each trade whose fee is neither in base nor in quote, by trade id.
    """

    report: OrderReport
    trades: Sequence[Trade]
    fee_values: Mapping[int, FeeValue]


def state_of(report: OrderReport) -> OrderState:
    """Our state for the exchange's status; a status we do not know is still being worked on."""
    return _STATES.get(report.status, OrderState.ACKED)


def book(
    change: Change, order_id: int, evidence: Evidence, *, rules: SymbolRules | None, max_daily_loss: Decimal
) -> Order:
    """Book what is new in the evidence and move the order on; returns the order as it is then."""
    order = before = orders.read_order(change.connection, order_id)
    order = _book_trades(change, order, evidence)
    booked = fills.fills_of_order(change.connection, order.id)
    executed = sum((fill.quantity for fill in booked), ZERO)
    late = before.state.unplaced or (not before.state.live and executed > before.executed_qty)
    complete = executed >= evidence.report.executed_qty
    after = state_of(evidence.report) if complete else OrderState.ACKED
    moved = orders.change_state(
        change.connection,
        order.id,
        expected=(*_OPEN_STATES, *((before.state,) if late else ())),
        to=after,
        at=change.at,
        exchange_order_id=evidence.report.order_id,
        executed_qty=plain(executed),
        executed_quote=plain(sum((fill.quote_quantity for fill in booked), ZERO)),
        next_try_wall=None,
        absences=0,
        error=None,
    )
    order = orders.read_order(change.connection, order.id)
    if moved and late:
        change.record(Event.ORDER_FOUND_LATE, **_facts(order), taken_for=before.state)
        tell_late_order(change, order, before)
    if moved and not order.state.live:
        _finish(change, order, rules)
    elif moved:
        change.record(Event.ORDER_ACKED, **_facts(order))
    kill_switch.trip_if_due(change, max_daily_loss=max_daily_loss)
    return order


def _book_trades(change: Change, order: Order, evidence: Evidence) -> Order:
    connection = change.connection
    known = fills.known_trade_ids(connection, order.id)
    fresh = [trade for trade in evidence.trades if trade.trade_id not in known and not _taken(change, order, trade)]
    if not fresh:
        return order
    position_id = _position_for(change, order, fresh[0])
    booked = [trade for trade in fresh if _insert(change, order, trade, position_id, evidence.fee_values)]
    position = refold(change, position_id)
    for trade in booked:
        change.record(
            Event.FILL_BOOKED,
            symbol=trade.symbol,
            client_order_id=order.client_order_id,
            position=position_id,
            trade_id=trade.trade_id,
            side=trade.side,
            price=trade.price,
            quantity=trade.quantity,
            quote_quantity=trade.quote_quantity,
            fee=trade.commission,
            fee_asset=trade.commission_asset,
            traded_at=trade.time,
            position_quantity=position.quantity,
        )
    return orders.read_order(connection, order.id)


def _taken(change: Change, order: Order, trade: Trade) -> bool:
    """Whether the trade's id is booked on another order: only a wiped exchange counts anew. Nothing is guessed then."""
    booked = fills.find_fill(change.connection, trade.symbol, trade.trade_id, exchange_epoch=order.exchange_epoch)
    if booked is None:
        return False
    tell_reused_trade_id(change, order, trade)
    return True


def _insert(change: Change, order: Order, trade: Trade, position_id: int, fee_values: Mapping[int, FeeValue]) -> bool:
    inside = fee_in_quote(
        trade.commission, trade.commission_asset, price=trade.price, base=order.base, quote=order.quote
    )
    unknown = FeeValue(ZERO, "unknown")
    fee = FeeValue(inside, "exact") if inside is not None else fee_values.get(trade.trade_id, unknown)
    return fills.insert_fill(change.connection, trade, order=order, position_id=position_id, fee=fee, at=change.at)


def _position_for(change: Change, order: Order, trade: Trade) -> int:
    """The position a fill belongs to: the order's own, else the symbol's open one, else a new one.

    A position that was closed meanwhile opens again, unless another one of the symbol is open by now.
    """
    connection = change.connection
    existing = positions.position_of_symbol(connection, order.symbol)
    if order.position_id is not None and existing is None:
        return order.position_id
    if order.position_id is not None and existing is not None and order.side is Side.SELL:
        return order.position_id
    if existing is not None:
        position_id = existing.id
    else:
        position_id = positions.open_position(connection, order, entry_time=trade.time)
        _take_dust_back(change, order, position_id)
    orders.set_position(connection, order.id, position_id)
    return position_id


def _take_dust_back(change: Change, order: Order, position_id: int) -> None:
    quantity, cost = positions.dust_of_symbol(change.connection, order.symbol, exchange_epoch=order.exchange_epoch)
    if quantity <= 0:
        return
    position = positions.read_position(change.connection, position_id)
    move_dust(change, position, quantity=-quantity, cost=-cost)


def move_dust(change: Change, position: Position, *, quantity: Decimal, cost: Decimal) -> None:
    """Move a remainder out of a position (quantity > 0) or back into it (< 0), at cost."""
    move = DustMove(position.id, position.symbol, quantity, cost)
    positions.insert_dust_move(change.connection, move, position=position, at=change.at)
    change.record(
        Event.DUST_MOVED,
        symbol=position.symbol,
        position=position.id,
        quantity=quantity,
        cost=cost,
        asset=position.base,
    )


def refold(change: Change, position_id: int) -> Position:
    """Fold a position anew from its fills and dust moves, and store it."""
    connection = change.connection
    position = positions.read_position(connection, position_id)
    rows = fills.fills_of_position(connection, position_id)
    folded = fold(rows, positions.dust_moves_of_position(connection, position_id), base=position.base)
    stored = {fill.id: fill.realized for fill in rows}
    for fill_id, realized in folded.realized_by_fill:
        if stored[fill_id] != realized:
            fills.save_realized(connection, fill_id, realized)
    position = apply_fold(position, folded)
    positions.save_position(connection, position)
    return position


def _finish(change: Change, order: Order, rules: SymbolRules | None) -> None:
    change.record(Event.ORDER_FINISHED, **_facts(order))
    if order.position_id is None:
        return
    position = positions.read_position(change.connection, order.position_id)
    if order.side is Side.BUY:
        change.record(
            Event.POSITION_OPENED,
            symbol=position.symbol,
            position=position.id,
            quantity=position.quantity,
            entry_price=position.entry_price,
            stop_price=position.stop_price,
            client_order_id=order.client_order_id,
        )
    elif order.executed_qty > 0:
        price = order.executed_quote / order.executed_qty
        close_if_sold(change, position, rules=rules, price=price, reason=order.reason)


def close_if_sold(
    change: Change,
    position: Position,
    *,
    rules: SymbolRules | None,
    price: Decimal,
    reason: str | None = None,
) -> Position:
    """End a position after a SELL: what is left and too small to sell goes to the dust account, once.

    ``reason`` is why it was sold: the wish itself ends with the position, and does not outlive its last fill.
    """
    left, reason = position.quantity, reason or position.exit_wanted
    if position.status is PositionStatus.OPEN and left > 0 and position.sold_qty > 0 and unsellable(rules, left, price):
        move_dust(change, position, quantity=left, cost=position.cost)
        position = refold(change, position.id)
    if position.status is PositionStatus.OPEN:
        return position
    change.record(
        Event.POSITION_CLOSED,
        symbol=position.symbol,
        position=position.id,
        entry_price=position.entry_price,
        exit_price=position.exit_price,
        pnl=position.realized,
        fees=position.fees,
    )
    tell_closed(change, position, reason=reason)
    return position


def _facts(order: Order) -> dict[str, str | int | None]:
    return {
        "symbol": order.symbol,
        "side": order.side,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "state": order.state,
        "executed_qty": plain(order.executed_qty),
        "executed_quote": plain(order.executed_quote),
        "signal_id": order.signal_id,
        "position": order.position_id,
        "attempt": order.attempt,
    }

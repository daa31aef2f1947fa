"""Orders and trades as the exchange keeps them, and the JSON in which it shows them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from thunes_cli.model import Side
from thunes_cli.sim.amounts import EXACT, ZERO, multiply, wire

OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED"})


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A new order as it was sent, parsed; amounts that were not sent are None."""

    symbol: str
    side: Side
    type: str
    client_order_id: str
    time_in_force: str | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    iceberg_qty: Decimal | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None


@dataclass(frozen=True, slots=True)
class SimOrder:
    """One order. Times are market ms; ``executed_qty`` is the truth whatever the status."""

    symbol: str
    order_id: int
    client_order_id: str
    side: Side
    type: str
    time_in_force: str
    status: str
    price: Decimal
    orig_qty: Decimal
    orig_quote_qty: Decimal
    executed_qty: Decimal
    executed_quote: Decimal
    stop_price: Decimal
    iceberg_qty: Decimal
    time: int
    update_time: int
    working_time: int
    expiry_reason: str | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None

    @property
    def open(self) -> bool:
        """Whether it rests on the book."""
        return self.status in OPEN_STATUSES

    @property
    def left(self) -> Decimal:
        """Base quantity not executed yet."""
        return EXACT.subtract(self.orig_qty, self.executed_qty)

    @property
    def reserved(self) -> Decimal:
        """What is locked for the rest of a resting order: quote for a BUY, base for a SELL."""
        if not self.open:
            return ZERO
        return multiply(self.price, self.left) if self.side is Side.BUY else self.left


@dataclass(frozen=True, slots=True)
class SimTrade:
    """One execution. The commission is in ``commission_asset``: what the order received."""

    symbol: str
    trade_id: int
    order_id: int
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


def order_json(order: SimOrder) -> dict[str, Any]:
    """The shape of GET order, openOrders and allOrders."""
    shown = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "price": wire(order.price),
        "origQty": wire(order.orig_qty),
        "executedQty": wire(order.executed_qty),
        "cummulativeQuoteQty": wire(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": str(order.side),
        "stopPrice": wire(order.stop_price),
        "icebergQty": wire(order.iceberg_qty),
        "time": order.time,
        "updateTime": order.update_time,
        "isWorking": True,
        "workingTime": order.working_time,
        "origQuoteOrderQty": wire(order.orig_quote_qty),
        "selfTradePreventionMode": "NONE",
    }
    return shown | _conditional(order)


def placed_json(order: SimOrder, trades: tuple[SimTrade, ...], form: str) -> dict[str, Any]:
    """The reply to a new order: ``ACK``, ``RESULT`` or ``FULL``."""
    shown: dict[str, Any] = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.update_time,
    }
    if form == "ACK":
        return shown
    shown |= _amounts_json(order)
    shown |= {"workingTime": order.working_time}
    if form == "FULL":
        shown["fills"] = [
            {
                "price": wire(each.price),
                "qty": wire(each.quantity),
                "commission": wire(each.commission),
                "commissionAsset": each.commission_asset,
                "tradeId": each.trade_id,
            }
            for each in trades
        ]
    return shown | {"selfTradePreventionMode": "NONE"} | _shown_stop(order) | _conditional(order)


def canceled_json(order: SimOrder, original_id: str) -> dict[str, Any]:
    """The reply to a cancel; the order carries the cancel's id by now."""
    shown = {
        "symbol": order.symbol,
        "origClientOrderId": original_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.update_time,
    }
    return shown | _amounts_json(order) | {"selfTradePreventionMode": "NONE"} | _shown_stop(order) | _conditional(order)


def trade_json(trade: SimTrade) -> dict[str, Any]:
    """The shape of myTrades."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": wire(trade.price),
        "qty": wire(trade.quantity),
        "quoteQty": wire(trade.quote),
        "commission": wire(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.time,
        "isBuyer": trade.is_buyer,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def _amounts_json(order: SimOrder) -> dict[str, Any]:
    return {
        "price": wire(order.price),
        "origQty": wire(order.orig_qty),
        "executedQty": wire(order.executed_qty),
        "origQuoteOrderQty": wire(order.orig_quote_qty),
        "cummulativeQuoteQty": wire(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": str(order.side),
    }


def _shown_stop(order: SimOrder) -> dict[str, Any]:
    shown = {}
    if order.stop_price:
        shown["stopPrice"] = wire(order.stop_price)
    if order.iceberg_qty:
        shown["icebergQty"] = wire(order.iceberg_qty)
    return shown


def _conditional(order: SimOrder) -> dict[str, Any]:
    """Fields that appear only when they have something to say."""
    shown: dict[str, Any] = {}
    if order.expiry_reason is not None:
        shown["expiryReason"] = order.expiry_reason
    if order.strategy_id is not None:
        shown["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        shown["strategyType"] = order.strategy_type
    return shown

"""The JSON in which orders and trades are shown: pure functions of them."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.amounts import ZERO, wire
from thunes_cli.sim.orders import NOT_YET, Amendment, SimOrder, SimTrade


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
        "isWorking": order.working,
        "workingTime": order.working_time,
        "origQuoteOrderQty": wire(order.orig_quote_qty),
        "selfTradePreventionMode": order.self_trade_mode,
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
    return shown | {"selfTradePreventionMode": order.self_trade_mode} | _shown_stop(order) | _conditional(order)


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


def amended_json(order: SimOrder, original_id: str) -> dict[str, Any]:
    """The ``amendedOrder`` of a reply to an amendment."""
    shown = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "origClientOrderId": original_id,
        "clientOrderId": order.client_order_id,
        "price": wire(order.price),
        "qty": wire(order.orig_qty),
        "executedQty": wire(order.executed_qty),
        "preventedQty": wire(ZERO),
        "quoteOrderQty": wire(order.orig_quote_qty),
        "cumulativeQuoteQty": wire(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": str(order.side),
        "workingTime": order.working_time,
        "selfTradePreventionMode": order.self_trade_mode,
    }
    return shown | _shown_stop(order) | _conditional(order)


def amendment_json(each: Amendment) -> dict[str, Any]:
    """The shape of GET order/amendments."""
    return {
        "symbol": each.symbol,
        "orderId": each.order_id,
        "executionId": each.execution_id,
        "origClientOrderId": each.orig_client_order_id,
        "newClientOrderId": each.new_client_order_id,
        "origQty": wire(each.orig_qty),
        "newQty": wire(each.new_qty),
        "time": each.time,
    }


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
    if order.trailing_delta is not None:
        shown["trailingDelta"] = order.trailing_delta
        shown["trailingTime"] = NOT_YET if order.trailing_time is None else order.trailing_time
    if order.strategy_id is not None:
        shown["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        shown["strategyType"] = order.strategy_type
    return shown

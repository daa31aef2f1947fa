"""Trading endpoints: placing, testing, querying and cancelling orders."""

from __future__ import annotations

from typing import Any

from thunes_cli.model import Side
from thunes_cli.sim.amounts import wire
from thunes_cli.sim.calls import SIGNED_PARAMS, Call, Endpoint, Security, reads
from thunes_cli.sim.orders import OrderRequest, SimOrder, canceled_json, order_json, placed_json
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError, cancel_rejected, mandatory, not_required, order_rejected

_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_FORMS = ("ACK", "RESULT", "FULL")
_LEAST_STRATEGY_TYPE = 1_000_000
_RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}


def new_order(call: Call) -> Any:
    """POST order."""
    request = _read_request(call)
    form = _form(call.params, request)
    engine = call.world.engine
    engine.check(request, call.now)
    order, trades = engine.place(request, call.now)
    call.world.usage.order_placed(call.account, call.wall, filled=bool(trades))
    call.headers.update(call.world.usage.order_headers(call.account, call.wall))
    return placed_json(order, trades, form)


def test_order(call: Call) -> Any:
    """POST order/test: everything but the matching engine."""
    request = _read_request(call)
    _form(call.params, request)
    call.world.engine.check(request, call.now)
    if not call.params.boolean("computeCommissionRates", default=False):
        return {}
    fees = call.world.engine.fees
    return {
        "standardCommissionForOrder": {"maker": wire(fees.maker), "taker": wire(fees.taker)},
        "specialCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
        "taxCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
        "discount": NO_DISCOUNT,
    }


def query_order(call: Call) -> Any:
    """GET order."""
    return order_json(_find(call, mismatch=ApiError(-2039, "Client order ID is not correct for this order ID.")))


def cancel_order(call: Call) -> Any:
    """DELETE order."""
    cancel_id = call.params.client_id("newClientOrderId")
    restriction = call.params.choice("cancelRestrictions", _RESTRICTIONS, ApiError(-1145, "Invalid cancelRestrictions"))
    try:
        order = _find(call, mismatch=cancel_rejected())
    except ApiError as error:
        raise cancel_rejected() if error.code == -2013 else error from None  # noqa: PLR2004 - the code is the name
    if restriction is not None and order.open and order.status != _RESTRICTIONS[restriction]:
        raise cancel_rejected("Order was not canceled due to cancel restrictions.")
    return canceled_json(call.world.engine.cancel(order, cancel_id, call.now), order.client_order_id)


def cancel_all(call: Call) -> Any:
    """DELETE openOrders: every open order of a symbol."""
    symbol = call.params.symbol()
    call.world.market.listing(symbol)
    engine = call.world.engine
    open_orders = sorted((each for each in engine.open.values() if each.symbol == symbol), key=lambda o: o.order_id)
    if not open_orders:
        raise cancel_rejected()
    return [canceled_json(engine.cancel(each, None, call.now), each.client_order_id) for each in open_orders]


def _find(call: Call, *, mismatch: ApiError) -> SimOrder:
    """The order by id, by client id (the newest that carries it), or by id with the client id compared."""
    symbol = call.params.symbol()
    call.world.market.listing(symbol)
    number, name = call.params.integer("orderId"), call.params.text("origClientOrderId")
    store = call.world.store
    if number is not None:
        found = store.orders("symbol = ? AND order_id = ?", (symbol, number))
        if found and name is not None and found[0].client_order_id != name:
            raise mismatch
    elif name is not None:
        found = store.orders(
            "symbol = ? AND client_order_id = ?", (symbol, name), tail="ORDER BY order_id DESC LIMIT 1"
        )
    else:
        message = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise ApiError(-1102, message)
    if not found:
        raise ApiError(-2013, "Order does not exist.")
    return found[0]


def _form(params: Params, request: OrderRequest) -> str:
    refusal = ApiError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    default = "FULL" if request.type in {"MARKET", "LIMIT"} else "ACK"
    return params.choice("newOrderRespType", _FORMS, refusal) or default


def _read_request(call: Call) -> OrderRequest:
    """The order as it was asked for: words, amounts, and which of them its type needs."""
    params = call.params
    symbol = call.world.market.listing(params.symbol()).spec.symbol
    side = params.choice("side", tuple(Side), ApiError(-1117, "Invalid side."))
    kind = params.choice("type", _TYPES, ApiError(-1116, "Invalid orderType."))
    force = params.choice("timeInForce", ("GTC", "IOC", "FOK"), ApiError(-1115, "Invalid timeInForce."))
    params.choice(
        "selfTradePreventionMode",
        ("NONE",),
        ApiError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid."),
    )
    assert side is not None
    assert kind is not None
    strategy_type = params.integer("strategyType")
    if strategy_type is not None and strategy_type < _LEAST_STRATEGY_TYPE:
        raise ApiError(-1134, "`strategyType` was less than 1000000.")
    request = OrderRequest(
        symbol=symbol,
        side=Side(side),
        type=kind,
        client_order_id=params.client_id("newClientOrderId") or "",
        time_in_force=force,
        quantity=params.amount("quantity"),
        quote_quantity=params.amount("quoteOrderQty"),
        price=params.amount("price"),
        stop_price=params.amount("stopPrice"),
        iceberg_qty=params.decimal("icebergQty") or None,
        strategy_id=params.integer("strategyId"),
        strategy_type=strategy_type,
    )
    _check_combination(request)
    return request


def _check_combination(request: OrderRequest) -> None:
    """Which parameters go with which type."""
    if request.type == "MARKET":
        _check_market(request)
    elif request.type in {"LIMIT", "LIMIT_MAKER"}:
        _check_limit(request)
    else:
        name = request.type.replace("_", " ").capitalize()
        raise order_rejected(f"{name} orders are not supported for this symbol.")


def _check_market(request: OrderRequest) -> None:
    if request.quantity is None and request.quote_quantity is None:
        raise ApiError(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    if request.quantity is not None and request.quote_quantity is not None:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    if request.time_in_force is not None:
        raise ApiError(-1114, "TimeInForce parameter sent when not required.")
    _refuse(request, "price", "stop_price", "iceberg_qty")


def _check_limit(request: OrderRequest) -> None:
    _refuse(request, "quote_quantity", "stop_price")
    if request.type == "LIMIT_MAKER" and request.time_in_force is not None:
        raise ApiError(-1114, "TimeInForce parameter sent when not required.")
    if request.type == "LIMIT" and request.time_in_force is None:
        raise mandatory("timeInForce")
    for name, value in (("quantity", request.quantity), ("price", request.price)):
        if value is None:
            raise mandatory(name)
    if request.iceberg_qty is not None and (request.time_in_force or "GTC") != "GTC":
        raise order_rejected("Unsupported order combination")


_WIRE_NAMES = {
    "price": "price",
    "stop_price": "stopPrice",
    "iceberg_qty": "icebergQty",
    "quote_quantity": "quoteOrderQty",
}


def _refuse(request: OrderRequest, *names: str) -> None:
    for name in names:
        if getattr(request, name) is not None:
            raise not_required(_WIRE_NAMES[name])


NO_DISCOUNT = {
    "enabledForAccount": False,
    "enabledForSymbol": False,
    "discountAsset": "BNB",
    "discount": "0.75000000",
}
_NEW = SIGNED_PARAMS | reads(
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "stopPrice",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
)
_MUST = ("symbol", "side", "type")
_ONE = SIGNED_PARAMS | reads("symbol", "orderId", "origClientOrderId")
ENDPOINTS = (
    Endpoint(
        "POST", "/api/v3/order", new_order, security=Security.TRADE, reads=_NEW, required=_MUST, free_on_success=True
    ),
    Endpoint(
        "POST",
        "/api/v3/order/test",
        test_order,
        weight=lambda params: 20 if params.text("computeCommissionRates") == "true" else 1,
        security=Security.TRADE,
        reads=_NEW | reads("computeCommissionRates"),
        required=_MUST,
    ),
    Endpoint(
        "GET",
        "/api/v3/order",
        query_order,
        weight=4,
        security=Security.USER_DATA,
        reads=_ONE,
        required=("symbol",),
    ),
    Endpoint(
        "DELETE",
        "/api/v3/order",
        cancel_order,
        security=Security.TRADE,
        reads=_ONE | reads("newClientOrderId", "cancelRestrictions"),
        required=("symbol",),
        free_on_success=True,
    ),
    Endpoint(
        "DELETE",
        "/api/v3/openOrders",
        cancel_all,
        security=Security.TRADE,
        reads=SIGNED_PARAMS | reads("symbol"),
        required=("symbol",),
        free_on_success=True,
    ),
)

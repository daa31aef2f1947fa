"""New orders as they are asked for: their words and amounts, and which of them go with which type."""

from __future__ import annotations

from thunes_cli.model import Side
from thunes_cli.sim.calls import Call, reads
from thunes_cli.sim.orders import STOP_TYPES, OrderRequest
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError, mandatory, not_required, order_rejected
from thunes_cli.sim.symbols import SELF_TRADE_MODES

_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", *sorted(STOP_TYPES))
_FORMS = ("ACK", "RESULT", "FULL")
_LEAST_STRATEGY_TYPE = 1_000_000
_PEGS = ("pegPriceType", "pegOffsetValue", "pegOffsetType")
_WIRE_NAMES = {
    "quantity": "quantity",
    "price": "price",
    "stop_price": "stopPrice",
    "iceberg_qty": "icebergQty",
    "quote_quantity": "quoteOrderQty",
    "trailing_delta": "trailingDelta",
}
ORDER_PARAMS = reads(
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
    "trailingDelta",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
    *_PEGS,
)
ORDER_MUST = ("symbol", "side", "type")


def reply_form(params: Params, request: OrderRequest) -> str:
    """How much the reply tells: ACK, RESULT or FULL.

    Raises:
        ApiError: −1130, none of these.
    """
    refusal = ApiError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    default = "FULL" if request.type in {"MARKET", "LIMIT"} else "ACK"
    return params.choice("newOrderRespType", _FORMS, refusal) or default


def read_request(call: Call) -> OrderRequest:
    """The order as it was asked for.

    Raises:
        ApiError: −1121 symbol, −1115 to −1117 words, −1102, −1106, −1114, −1128 or −1130 combinations.
    """
    params = call.params
    symbol = call.world.market.listing(params.symbol()).spec.symbol
    side = params.choice("side", tuple(Side), ApiError(-1117, "Invalid side."))
    kind = params.choice("type", _TYPES, ApiError(-1116, "Invalid orderType."))
    force = params.choice("timeInForce", ("GTC", "IOC", "FOK"), ApiError(-1115, "Invalid timeInForce."))
    unknown_mode = ApiError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    mode = params.choice("selfTradePreventionMode", SELF_TRADE_MODES, unknown_mode)
    if any(name in params for name in _PEGS):
        raise order_rejected("Pegged orders are not supported for this symbol.")
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
        trailing_delta=params.integer("trailingDelta"),
        self_trade_mode=mode or "NONE",
    )
    _check_combination(request)
    return request


def _check_combination(request: OrderRequest) -> None:
    if request.type == "MARKET":
        _check_market(request)
    elif request.type in {"LIMIT", "LIMIT_MAKER"}:
        _check_limit(request)
    else:
        _check_stop(request)


def _check_market(request: OrderRequest) -> None:
    if request.quantity is None and request.quote_quantity is None:
        raise ApiError(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    if request.quantity is not None and request.quote_quantity is not None:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    _refuse_force(request)
    _refuse(request, "price", "stop_price", "iceberg_qty", "trailing_delta")


def _check_limit(request: OrderRequest) -> None:
    _refuse(request, "quote_quantity", "stop_price", "trailing_delta")
    if request.type == "LIMIT_MAKER":
        _refuse_force(request)
    elif request.time_in_force is None:
        raise mandatory("timeInForce")
    _demand(request, "quantity", "price")
    _check_iceberg(request)


def _check_stop(request: OrderRequest) -> None:
    _refuse(request, "quote_quantity")
    if request.type.endswith("_LIMIT"):
        if request.time_in_force is None:
            raise mandatory("timeInForce")
        _demand(request, "quantity", "price")
        _check_iceberg(request)
    else:
        _refuse_force(request)
        _refuse(request, "price", "iceberg_qty")
        _demand(request, "quantity")
    if request.stop_price is None and request.trailing_delta is None:
        raise ApiError(-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!")


def _check_iceberg(request: OrderRequest) -> None:
    if request.iceberg_qty is not None and (request.time_in_force or "GTC") != "GTC":
        raise order_rejected("Unsupported order combination")


def _refuse_force(request: OrderRequest) -> None:
    if request.time_in_force is not None:
        raise ApiError(-1114, "TimeInForce parameter sent when not required.")


def _demand(request: OrderRequest, *names: str) -> None:
    for name in names:
        if getattr(request, name) is None:
            raise mandatory(_WIRE_NAMES[name])


def _refuse(request: OrderRequest, *names: str) -> None:
    for name in names:
        if getattr(request, name) is not None:
            raise not_required(_WIRE_NAMES[name])

"""Trading endpoints that change what is open: cancel and replace, and amendments that keep an order's place."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.calls import SIGNED_PARAMS, Call, Endpoint, Security, reads
from thunes_cli.sim.order_requests import ORDER_MUST, ORDER_PARAMS, read_request, reply_form
from thunes_cli.sim.order_shapes import amended_json, amendment_json, placed_json
from thunes_cli.sim.orders import OrderRequest
from thunes_cli.sim.rejection import ApiError, mandatory
from thunes_cli.sim.rest_trading import ONE_ORDER, cancel, find_order, order_names, place

_SUCCESS, _FAILURE, _NOT_ATTEMPTED = "SUCCESS", "FAILURE", "NOT_ATTEMPTED"
_STOP = "STOP_ON_FAILURE"
_CANCEL_ONLY = "CANCEL_ONLY"
_NO_SUCH_ORDER = -2013

# What became of one of the two parts: a word, and the part's reply or error.
Part = tuple[str, dict[str, Any] | None]


def cancel_replace(call: Call) -> Any:
    """POST order/cancelReplace: filters and order count first, then the cancel, then the new order."""
    mode = _word(call, "cancelReplaceMode", (_STOP, "ALLOW_FAILURE"))
    if mode is None:
        raise mandatory("cancelReplaceMode")
    over_mode = _word(call, "orderRateLimitExceededMode", ("DO_NOTHING", _CANCEL_ONLY))
    request = read_request(call)
    form = reply_form(call.params, request)
    names = order_names(call, number="cancelOrderId", name="cancelOrigClientOrderId")
    engine = call.world.engine
    engine.check_precision(request)
    over = _over_limit(call)
    if over is not None and over_mode != _CANCEL_ONLY:
        raise over
    engine.check_filters(request, call.now)
    canceled = _attempt(lambda: cancel(call, *names, named=call.params.client_id("cancelNewClientOrderId")))
    if canceled[0] == _FAILURE and mode == _STOP:
        call.world.usage.order_placed(call.account, call.wall, filled=False)
        placed: Part = (_NOT_ATTEMPTED, None)
    elif over is not None:
        placed = (_FAILURE, over.body())
    else:
        placed = _attempt(lambda: _placed(call, request, form))
    return _told(canceled, placed, too_many=over is not None and mode == _STOP)


def _placed(call: Call, request: OrderRequest, form: str) -> dict[str, Any]:
    try:
        order, trades = place(call, request)
    except ApiError:
        call.world.usage.order_placed(call.account, call.wall, filled=False)
        raise
    return placed_json(order, trades, form)


def _attempt(part: Any) -> Part:
    try:
        return _SUCCESS, part()
    except ApiError as error:
        return _FAILURE, error.body()


def _over_limit(call: Call) -> ApiError | None:
    try:
        call.world.usage.demand_room(call.account, call.wall)
    except ApiError as error:
        return error
    return None


def _told(canceled: Part, placed: Part, *, too_many: bool) -> dict[str, Any]:
    parts = {
        "cancelResult": canceled[0],
        "newOrderResult": placed[0],
        "cancelResponse": canceled[1],
        "newOrderResponse": placed[1],
    }
    succeeded = [canceled[0], placed[0]].count(_SUCCESS)
    if succeeded == 2:  # noqa: PLR2004 - both
        return parts
    if succeeded:
        status = 429 if too_many else 409
        raise ApiError(-2021, "Order cancel-replace partially failed.", status=status, data=parts)
    raise ApiError(-2022, "Order cancel-replace failed.", status=429 if too_many else 400, data=parts)


def amend_order(call: Call) -> Any:
    """PUT order/amend/keepPriority: reduce an open order's quantity."""
    quantity = call.params.amount("newQty")
    if quantity is None:
        raise mandatory("newQty")
    unknown = ApiError(-2038, "Unknown order sent.")
    try:
        order = find_order(call, *order_names(call), mismatch=unknown)
    except ApiError as error:
        raise unknown if error.code == _NO_SUCH_ORDER else error from None
    if not order.open:
        raise unknown
    after, amendment = call.world.engine.amend(order, quantity, call.params.client_id("newClientOrderId"), call.now)
    return {
        "transactTime": call.now,
        "executionId": amendment.execution_id,
        "amendedOrder": amended_json(after, order.client_order_id),
    }


def amendments(call: Call) -> Any:
    """GET order/amendments, oldest first."""
    params = call.params
    symbol, number = call.world.market.listing(params.symbol()).spec.symbol, params.integer("orderId")
    assert number is not None
    first, limit = params.integer("fromExecutionId") or 0, params.limit(default=500, most=1000)
    found = [each for each in call.world.store.amendments(symbol, number) if each.execution_id >= first]
    return [amendment_json(each) for each in found[:limit]]


def _word(call: Call, name: str, allowed: tuple[str, ...]) -> str | None:
    return call.params.choice(name, allowed, ApiError(-1130, f"Data sent for parameter '{name}' is not valid."))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v3/order/cancelReplace",
        cancel_replace,
        security=Security.TRADE,
        reads=SIGNED_PARAMS
        | ORDER_PARAMS
        | reads(
            "cancelReplaceMode",
            "cancelNewClientOrderId",
            "cancelOrigClientOrderId",
            "cancelOrderId",
            "cancelRestrictions",
            "orderRateLimitExceededMode",
        ),
        required=(*ORDER_MUST, "cancelReplaceMode"),
        free_on_success=True,
    ),
    Endpoint(
        "PUT",
        "/api/v3/order/amend/keepPriority",
        amend_order,
        weight=4,
        security=Security.TRADE,
        reads=ONE_ORDER | reads("newClientOrderId", "newQty"),
        required=("symbol", "newQty"),
    ),
    Endpoint(
        "GET",
        "/api/v3/order/amendments",
        amendments,
        weight=4,
        security=Security.USER_DATA,
        reads=SIGNED_PARAMS | reads("symbol", "orderId", "fromExecutionId", "limit"),
        required=("symbol", "orderId"),
    ),
)

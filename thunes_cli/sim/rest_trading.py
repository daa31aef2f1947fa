"""Trading endpoints: placing, testing, querying and cancelling orders."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.amounts import wire
from thunes_cli.sim.calls import SIGNED_PARAMS, Call, Endpoint, Security, reads
from thunes_cli.sim.demands import may_expire
from thunes_cli.sim.fault_kinds import FaultKind
from thunes_cli.sim.order_requests import ORDER_MUST, ORDER_PARAMS, read_request, reply_form
from thunes_cli.sim.order_shapes import canceled_json, order_json, placed_json
from thunes_cli.sim.orders import OrderRequest, SimOrder, SimTrade
from thunes_cli.sim.rejection import ApiError, cancel_rejected
from thunes_cli.sim.settlement import BNB, DISCOUNT

_RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
_NO_SUCH_ORDER = -2013
_PLACING = ("POST", "/api/v3/order")
_LAG_MS = 3_000


def new_order(call: Call) -> Any:
    """POST order."""
    request = read_request(call)
    form = reply_form(call.params, request)
    engine = call.world.engine
    engine.check_precision(request)
    call.world.usage.demand_room(call.account, call.wall)
    engine.check_filters(request, call.now)
    order, trades = place(call, request)
    return placed_json(order, trades, form)


def place(call: Call, request: OrderRequest) -> tuple[SimOrder, tuple[SimTrade, ...]]:
    """Hand an order that passed the checks to the matching engine, with the faults that wait for one.

    Raises:
        ApiError: −2010, it refuses.
    """
    world = call.world
    dry = None
    if may_expire(request):
        dry = world.faults.find((FaultKind.PARTIAL_EXPIRE,), *_PLACING, call.wall)
    order, trades = world.engine.place(request, call.now, thin=dry is not None)
    if dry is not None:
        world.faults.use(dry)
    lag = world.faults.take((FaultKind.LOOKUP_LAG,), *_PLACING, call.wall)
    if lag is not None:
        queries, ms = lag.details.get("queries"), lag.details.get("ms")
        until = call.wall + (_LAG_MS if ms is None and queries is None else ms or 0)
        world.lag.hide(order.symbol, order.order_id, until=until, queries=queries or 0)
    world.usage.order_placed(call.account, call.wall, filled=bool(trades))
    call.headers.update(world.usage.order_headers(call.account, call.wall))
    return order, trades


def test_order(call: Call) -> Any:
    """POST order/test: everything but the order count and the matching engine."""
    request = read_request(call)
    reply_form(call.params, request)
    engine = call.world.engine
    engine.check_precision(request)
    engine.check_filters(request, call.now)
    if not call.params.boolean("computeCommissionRates", default=False):
        return {}
    return {
        "standardCommissionForOrder": {"maker": wire(engine.fees.maker), "taker": wire(engine.fees.taker)},
        "specialCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
        "taxCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
        "discount": discount(call),
    }


def discount(call: Call) -> dict[str, Any]:
    """What an account saves that pays its commissions in BNB."""
    return {
        "enabledForAccount": call.world.engine.fees.in_bnb,
        "enabledForSymbol": True,
        "discountAsset": BNB,
        "discount": wire(DISCOUNT),
    }


def query_order(call: Call) -> Any:
    """GET order."""
    mismatch = ApiError(-2039, "Client order ID is not correct for this order ID.")
    number, name = order_names(call)
    order = find_order(call, number, name, mismatch=mismatch)
    if call.world.lag.hides(order.symbol, order.order_id, call.wall):
        raise ApiError(_NO_SUCH_ORDER, "Order does not exist.")
    return order_json(order)


def cancel_order(call: Call) -> Any:
    """DELETE order."""
    number, name = order_names(call)
    return cancel(call, number, name, named=call.params.client_id("newClientOrderId"))


def cancel(call: Call, number: int | None, name: str | None, *, named: str | None) -> dict[str, Any]:
    """Cancel an order under a client id of the cancel's own; the reply to it.

    Raises:
        ApiError: −1145 a restriction that is none, −2011 it cannot be canceled.
    """
    restriction = call.params.choice("cancelRestrictions", _RESTRICTIONS, ApiError(-1145, "Invalid cancelRestrictions"))
    try:
        order = find_order(call, number, name, mismatch=cancel_rejected())
    except ApiError as error:
        raise cancel_rejected() if error.code == _NO_SUCH_ORDER else error from None
    if restriction is not None and order.open and order.status != _RESTRICTIONS[restriction]:
        raise cancel_rejected("Order was not canceled due to cancel restrictions.")
    return canceled_json(call.world.engine.cancel(order, named, call.now), order.client_order_id)


def cancel_all(call: Call) -> Any:
    """DELETE openOrders: every open order of a symbol."""
    symbol = call.params.symbol()
    call.world.market.listing(symbol)
    engine = call.world.engine
    open_orders = sorted((each for each in engine.open.values() if each.symbol == symbol), key=lambda o: o.order_id)
    if not open_orders:
        raise cancel_rejected()
    return [canceled_json(engine.cancel(each, None, call.now), each.client_order_id) for each in open_orders]


def order_names(
    call: Call, *, number: str = "orderId", name: str = "origClientOrderId"
) -> tuple[int | None, str | None]:
    """The id and the client id by which a request names an order.

    Raises:
        ApiError: −1102, neither was sent.
    """
    if number not in call.params and name not in call.params:
        raise ApiError(-1102, f"Param '{name}' or '{number}' must be sent, but both were empty/null!")
    return call.params.integer(number), call.params.text(name)


def find_order(call: Call, number: int | None, name: str | None, *, mismatch: ApiError) -> SimOrder:
    """The order by id, by client id (the newest that carries it), or by id with the client id compared.

    Raises:
        ApiError: −2013 there is none, ``mismatch`` it has another client id.
    """
    symbol = call.params.symbol()
    call.world.market.listing(symbol)
    store = call.world.store
    if number is not None:
        found = store.orders("symbol = ? AND order_id = ?", (symbol, number))
        if found and name is not None and found[0].client_order_id != name:
            raise mismatch
    else:
        found = store.orders(
            "symbol = ? AND client_order_id = ?", (symbol, name), tail="ORDER BY order_id DESC LIMIT 1"
        )
    if not found:
        raise ApiError(_NO_SUCH_ORDER, "Order does not exist.")
    return found[0]


_NEW = SIGNED_PARAMS | ORDER_PARAMS
ONE_ORDER = SIGNED_PARAMS | reads("symbol", "orderId", "origClientOrderId")
ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v3/order",
        new_order,
        security=Security.TRADE,
        reads=_NEW,
        required=ORDER_MUST,
        free_on_success=True,
    ),
    Endpoint(
        "POST",
        "/api/v3/order/test",
        test_order,
        weight=lambda params: 20 if (params.text("computeCommissionRates") or "").lower() == "true" else 1,
        security=Security.TRADE,
        reads=_NEW | reads("computeCommissionRates"),
        required=ORDER_MUST,
    ),
    Endpoint(
        "GET",
        "/api/v3/order",
        query_order,
        weight=4,
        security=Security.USER_DATA,
        reads=ONE_ORDER,
        required=("symbol",),
    ),
    Endpoint(
        "DELETE",
        "/api/v3/order",
        cancel_order,
        security=Security.TRADE,
        reads=ONE_ORDER | reads("newClientOrderId", "cancelRestrictions"),
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

"""The WebSocket API's methods that are REST's endpoints under another name."""

from __future__ import annotations

from collections.abc import Mapping

from thunes_cli.sim.calls import Endpoint

_NAMES = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "executionRules": ("GET", "/api/v3/executionRules"),
    "depth": ("GET", "/api/v3/depth"),
    "trades.recent": ("GET", "/api/v3/trades"),
    "trades.aggregate": ("GET", "/api/v3/aggTrades"),
    "klines": ("GET", "/api/v3/klines"),
    "uiKlines": ("GET", "/api/v3/uiKlines"),
    "avgPrice": ("GET", "/api/v3/avgPrice"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "referencePrice": ("GET", "/api/v3/referencePrice"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
    "account.rateLimits.orders": ("GET", "/api/v3/rateLimit/order"),
    "myFilters": ("GET", "/api/v3/myFilters"),
}
# Their replies tell how many orders have been placed as well.
ORDER_METHODS = frozenset({"order.place"})


def methods(endpoints: Mapping[tuple[str, str], Endpoint]) -> dict[str, Endpoint]:
    """The methods for which there is an endpoint."""
    return {name: endpoints[route] for name, route in _NAMES.items() if route in endpoints}

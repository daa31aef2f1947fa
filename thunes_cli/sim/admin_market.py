"""The simulator's own paths under ``/sim`` that change symbols and how commissions are paid."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from thunes_cli.sim.admin import Route
from thunes_cli.sim.asked import Asked
from thunes_cli.sim.closures import STATUSES
from thunes_cli.sim.market import PriceRange
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.world import World

_SECOND = 1_000


def set_symbol(world: World, body: str) -> dict[str, Any]:
    """POST /sim/symbol ``{"symbol", "status", "seconds", "filters", "price_up", "price_down"}``.

    A status holds for ``seconds`` of market time, or until the next one. ``filters`` replace those of the same type;
    ``EXCHANGE_…`` and ``MAX_ASSET`` bind every symbol. ``price_up`` and ``price_down`` are multiples of the reference
    price between which trades are permitted; both 0 takes the rule away.
    """
    asked = Asked.parse(body)
    symbol, status, seconds = asked.text("symbol"), asked.choice("status", STATUSES), asked.seconds()
    filters = asked.objects("filters")
    price_range = _price_range(asked)
    asked.check_read()
    if symbol is not None:
        world.market.listing(symbol)
    elif status is not None or price_range is not None:
        raise ApiError(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if filters is not None:
        try:
            world.set_filters(symbol, filters)
        except ValueError as error:
            raise ApiError(-1130, f"Data sent for parameter 'filters' is not valid: {error}.") from None
    if symbol is not None and status is not None:
        world.set_status(symbol, status, for_ms=None if seconds is None else int(seconds * _SECOND))
    if symbol is not None and price_range is not None:
        world.set_price_range(symbol, price_range if price_range.up else None)
    now = world.clock.now()
    return {"symbols": [{"symbol": each.spec.symbol, "status": each.status(now)} for each in world.market]}


def _price_range(asked: Asked) -> PriceRange | None:
    up, down = asked.decimal("price_up"), asked.decimal("price_down")
    if up is None and down is None:
        return None
    if up is None or down is None or not (Decimal(0) < down <= 1 <= up or up == down == 0):
        raise ApiError(-1130, "price_up and price_down go together: at least 1, and above 0 and at most 1.")
    return PriceRange(up=up, down=down)


def set_account(world: World, body: str) -> dict[str, Any]:
    """POST /sim/account ``{"bnb_discount": true}``: commissions are paid in BNB while there is enough of it."""
    asked = Asked.parse(body)
    on = asked.flag("bnb_discount")
    asked.check_read()
    if on is not None:
        world.set_bnb_discount(on=on)
    return {"bnb_discount": world.engine.fees.in_bnb}


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/sim/symbol"): set_symbol,
    ("POST", "/sim/account"): set_account,
}

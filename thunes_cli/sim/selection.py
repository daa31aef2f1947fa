"""Which symbols a request is about: ``symbol``, ``symbols``, ``symbolStatus``, or all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thunes_cli.sim.calls import Call
from thunes_cli.sim.closures import STATUSES
from thunes_cli.sim.market import Listing
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError

COMBINATION = "Combination of optional parameters invalid."


def one_or_many(call: Call, show: Callable[[Listing], dict[str, Any]]) -> Any:
    """An object for the one symbol named, else an array of those that are meant.

    Raises:
        ApiError: −1128 both, −1121 no such symbol, −1220 the one symbol has another status.
    """
    if "symbol" in call.params and "symbols" in call.params:
        raise ApiError(-1128, COMBINATION)
    listings = selected(call)
    if "symbol" in call.params:
        demand_status(call, listings[0])
        return show(listings[0])
    return [show(each) for each in listings]


def selected(call: Call) -> list[Listing]:
    """The listings that ``symbol``, ``symbols`` or ``symbolStatus`` name."""
    market, params = call.world.market, call.params
    if "symbol" in params:
        return [market.listing(params.symbol())]
    wanted = params.symbols()
    found = list(market) if wanted is None else [market.listing(each) for each in wanted]
    status = _status(params)
    return found if status is None else [each for each in found if each.status(call.now) == status]


def demand_status(call: Call, listing: Listing) -> None:
    """Refuse a symbol whose status is not the one asked for.

    Raises:
        ApiError: −1220.
    """
    status = _status(call.params)
    if status is not None and listing.status(call.now) != status:
        raise ApiError(-1220, "The symbol's status does not match the requested symbolStatus.")


def _status(params: Params) -> str | None:
    return params.choice("symbolStatus", STATUSES, ApiError(-1122, "Invalid symbolStatus."))

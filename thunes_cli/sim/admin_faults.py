"""The simulator's own paths under ``/sim`` that order faults, list them and clear them."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.admin import Route
from thunes_cli.sim.asked import Asked
from thunes_cli.sim.closures import STATUSES
from thunes_cli.sim.fault_kinds import NATURES, FaultKind, Nature, Waits
from thunes_cli.sim.faults import Fault
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.sudden_faults import STRIKES
from thunes_cli.sim.world import World

_SECOND = 1_000
_SKEW_MS = 5_000


def order_fault(world: World, body: str) -> dict[str, Any]:
    """POST /sim/fault ``{"kind": …, "count": …, "seconds": …, "path": …}``: queued, or done at once."""
    asked = Asked.parse(body)
    name = asked.text("kind") or ""
    if name not in set(FaultKind):
        raise ApiError(-1130, f"There is no fault {name!r}; there are {', '.join(FaultKind)}.")
    kind = FaultKind(name)
    strike = STRIKES.get(kind)
    if strike is not None:
        _read_all(kind, asked)
        return {"kind": name, "done": strike(world, asked), "queued": _queued(world)}
    fault = _queue(world, kind, asked)
    return {"kind": name, "fault": fault.told(), "queued": _queued(world)}


def _read_all(kind: FaultKind, asked: Asked) -> None:
    """Refuse what the kind does not take, before anything is done."""
    asked.count()
    asked.seconds()
    takes = {
        FaultKind.HALT: ("symbol", "status"),
        FaultKind.STRANGER_ORDER: ("symbol", "side", "quantity"),
        FaultKind.DEPOSIT: ("asset", "quantity"),
        FaultKind.WITHDRAW: ("asset", "quantity"),
    }.get(kind, ("path",) if kind.startswith("ws_") else ())
    for name in takes:
        if name == "status":
            asked.choice(name, STATUSES)
        elif name == "quantity":
            asked.amount(name)
        else:
            asked.text(name)
    asked.check_read()


def _queue(world: World, kind: FaultKind, asked: Asked) -> Fault:
    nature, wall = NATURES[kind], world.clock.wall_ms()
    count, seconds = asked.count(), asked.seconds()
    until = None if seconds is None else wall + int(seconds * _SECOND)
    remaining = count if count is not None or until is not None else 1
    details: dict[str, Any] = {}
    if kind is FaultKind.CLOCK_SKEW:
        remaining, details["ms"] = None, _skew(asked)
    elif kind is FaultKind.BAN_418:
        remaining, until = 1, None
        details |= {} if seconds is None else {"span_ms": int(seconds * _SECOND)}
    elif kind in {FaultKind.SLOW_BODY, FaultKind.LOOKUP_LAG}:
        details |= _not_negative("ms", asked.whole("ms"))
    if kind is FaultKind.LOOKUP_LAG:
        details |= _not_negative("queries", asked.whole("queries"))
    path = _path(nature, asked)
    asked.check_read()
    return world.faults.add(kind, path=path, remaining=remaining, until=until, details=details)


def _skew(asked: Asked) -> int:
    ms = asked.whole("ms")
    return _SKEW_MS if ms is None else ms


def _not_negative(name: str, value: int | None) -> dict[str, int]:
    if value is not None and value < 0:
        raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid: it must not be negative.")
    return {} if value is None else {name: value}


def _path(nature: Nature, asked: Asked) -> str:
    path = asked.text("path") if nature.waits is Waits.REQUEST else None
    if path is None:
        return nature.path
    method, _, wanted = path.rpartition(" ")
    if not wanted.startswith("/") or (method and not (method.isascii() and method.isalpha() and method.isupper())):
        raise ApiError(
            -1130, "Data sent for parameter 'path' is not valid: it must look like '[METHOD ]/api/v3/order'."
        )
    return path


def list_faults(world: World, _: str) -> dict[str, Any]:
    """GET /sim/faults: every kind with its effect, and what waits."""
    kinds = [{"kind": str(kind), "effect": nature.effect} for kind, nature in NATURES.items()]
    return {"kinds": kinds, "queued": _queued(world)}


def clear(world: World, _: str) -> dict[str, Any]:
    """POST /sim/faults/clear: nothing waits, nobody is banned, every symbol trades, connections are well again."""
    cleared = world.faults.clear()
    world.lag.forget()
    lifted = world.usage.bans.lift()
    connections = world.connections
    connections.silence(on=False)
    connections.refuse(on=False)
    connections.twice = connections.reversed = 0
    now, resumed = world.clock.now(), []
    for listing in world.market:
        if listing.closures and listing.closures[-1].covers(now):
            world.set_status(listing.spec.symbol, "TRADING")
            resumed.append(listing.spec.symbol)
    return {"cleared": cleared, "bans_lifted": lifted, "resumed": resumed, "queued": _queued(world)}


def _queued(world: World) -> list[dict[str, Any]]:
    return [each.told() for each in world.faults]


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/sim/fault"): order_fault,
    ("GET", "/sim/faults"): list_faults,
    ("POST", "/sim/faults/clear"): clear,
}

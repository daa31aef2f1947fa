"""The simulator's own paths under ``/sim``: its clock, a step of it, and a look inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thunes_cli.sim.amounts import wire
from thunes_cli.sim.asked import Asked
from thunes_cli.sim.keys import ApiKey
from thunes_cli.sim.order_shapes import order_json, trade_json
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.world import World

_SHOWN = 200
_MOST_STEPS = 1_000_000
_NAMED_BY = 8

Route = Callable[[World, str], dict[str, Any]]


def clock(world: World, _: str) -> dict[str, Any]:
    """GET /sim/clock: ``speed`` is the rate right now (0 while time stands still), ``nominal_speed`` the set one."""
    now = world.clock.now()
    return {
        "market_time_ms": now,
        "speed": format(world.clock.rate, "f"),
        "nominal_speed": format(world.clock.speed, "f"),
        "step": world.clock.step,
        "finished": world.clock.finished,
        "start_ms": world.clock.start,
        "end_ms": world.clock.end,
        "instance": world.instance,
    }


def step(world: World, body: str) -> dict[str, Any]:
    """POST /sim/step: move a stepped market by one candle, or by the number in ``{"candles": n}``.

    ``moved`` tells how many candles it could move; fewer than asked means that the recording has ended.
    """
    asked = Asked.parse(body)
    wanted = asked.whole("candles")
    wanted = 1 if wanted is None else wanted
    asked.check_read()
    if not 1 <= wanted <= _MOST_STEPS:
        raise ApiError(-1135, 'Invalid JSON Request; expected {"candles": n}.')
    if not world.clock.step:
        raise ApiError(-1020, "This market runs by itself; start it with --step to step it.")
    moved = 0
    now = target = world.clock.now()
    while moved < wanted:
        opened = world.market.next_open(target)
        following = world.clock.end if opened is None else opened
        if following is None or following <= target:
            break
        target = following
        moved += 1
    if target > now:
        world.clock.move_to(target)
    world.advance(world.clock.now())
    return clock(world, "") | {"moved": moved}


def state(world: World, _: str) -> dict[str, Any]:
    """GET /sim/state: balances, the newest orders and trades, keys, faults, how many requests were served."""
    now = world.clock.now()
    world.advance(now)
    orders = world.store.orders(tail=f"ORDER BY time DESC, symbol, order_id DESC LIMIT {_SHOWN}")
    trades = world.store.trades(tail=f"ORDER BY time DESC, symbol, trade_id DESC LIMIT {_SHOWN}")
    return clock(world, "") | {
        "uid": world.uid,
        "requests": {"total": world.usage.requests.total(), "by_path": dict(sorted(world.usage.requests.items()))},
        "symbols": [{"symbol": each.spec.symbol, "status": each.status(now)} for each in world.market],
        "balances": [
            {"asset": asset, "free": wire(held.free), "locked": wire(held.locked)}
            for asset, held in sorted(world.engine.balances.items())
        ],
        "order_count": world.store.count("orders"),
        "trade_count": world.store.count("trades"),
        "orders": [order_json(each) for each in reversed(orders)],
        "trades": [trade_json(each) for each in reversed(trades)],
        "keys": [key_json(each) for each in world.keys],
        "queued": [each.told() for each in world.faults],
        "bans": world.usage.bans.told(world.clock.wall_ms()),
        "connections": len(world.connections),
    }


def key_json(key: ApiKey) -> dict[str, Any]:
    """A key for people: named by its first characters, never with its secret."""
    return {
        "key": key.api_key[:_NAMED_BY],
        "label": key.label,
        "kind": key.kind,
        "revoked": key.revoked,
        "ips": list(key.ips),
        "allowed": sorted(name for name, allowed in key.permissions.items() if allowed and name != "ipRestrict"),
        "created_ms": key.created_ms,
    }


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/sim/clock"): clock,
    ("POST", "/sim/step"): step,
    ("GET", "/sim/state"): state,
}

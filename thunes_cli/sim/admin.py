"""The simulator's own paths under ``/sim``: its clock, a step of it, and a look inside."""

from __future__ import annotations

import json
from typing import Any

from thunes_cli.sim.amounts import wire
from thunes_cli.sim.orders import order_json, trade_json
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.world import World

_SHOWN = 200
_MOST_STEPS = 1_000_000


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
    if not world.clock.step:
        raise ApiError(-1020, "This market runs by itself; start it with --step to step it.")
    wanted, moved = _candles(body), 0
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
    world.engine.advance(world.clock.now())
    return clock(world, "") | {"moved": moved}


def _candles(body: str) -> int:
    if not body.strip():
        return 1
    try:
        wanted = json.loads(body)
        count = wanted.get("candles", 1)
    except (ValueError, AttributeError, RecursionError):
        count = None
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST_STEPS:
        raise ApiError(-1135, 'Invalid JSON Request; expected {"candles": n}.')
    return count


def state(world: World, _: str) -> dict[str, Any]:
    """GET /sim/state: balances, the newest orders and trades, how many requests were served."""
    now = world.clock.now()
    world.engine.advance(now)
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
    }


ROUTES = {
    ("GET", "/sim/clock"): clock,
    ("POST", "/sim/step"): step,
    ("GET", "/sim/state"): state,
}

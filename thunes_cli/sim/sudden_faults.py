"""Faults that wait for nothing: what happens to market, account and connections at the word of a command."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from thunes_cli.model import Side
from thunes_cli.sim.accounts import InsufficientBalance
from thunes_cli.sim.amounts import wire
from thunes_cli.sim.asked import Asked
from thunes_cli.sim.fault_kinds import FaultKind
from thunes_cli.sim.new_orders import generated_id
from thunes_cli.sim.order_shapes import order_json
from thunes_cli.sim.orders import OrderRequest
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.world import World
from thunes_cli.sim.ws_connections import Kind

_SECOND = 1_000
_BURST = 1_000
_REFUSED_SECONDS = 5.0
_CLOSED_AFTER_SECONDS = 1.0
_STRANGERS_QUOTE = Decimal(20)
_MOVED = Decimal(100)
_ASSET = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)

Done = dict[str, Any]
Strike = Callable[[World, Asked], Done]


def halt(world: World, asked: Asked) -> Done:
    """Give symbols a status, for some market time or until further notice."""
    status = asked.text("status") or "HALT"
    symbol, seconds = asked.text("symbol"), asked.seconds()
    names = [each.spec.symbol for each in world.market] if symbol is None else [symbol]
    for name in names:
        world.set_status(name, status, for_ms=None if seconds is None else int(seconds * _SECOND))
    return {"symbols": names, "status": status}


def refuse(world: World, asked: Asked) -> Done:
    """Close the listening socket and every connection for a while, once this command has its answer."""
    if world.listener is None:
        raise ApiError(-1020, "This exchange does not listen by itself.")
    seconds = float(asked.seconds() or _REFUSED_SECONDS)
    world.listener.refuse(seconds)
    return {"seconds": seconds}


def user_event_twice(world: World, asked: Asked) -> Done:
    """Report the account's next changes twice."""
    count = asked.count() or 1
    world.connections.repeat_user_events(count)
    return {"changes": count}


def user_event_reordered(world: World, asked: Asked) -> Done:
    """Report the events of the account's next changes last one first."""
    count = asked.count() or 1
    world.connections.reverse_user_events(count)
    return {"changes": count}


def ws_drop(world: World, asked: Asked) -> Done:
    """Let WebSockets fall; new ones are refused for a while."""
    connections, seconds = world.connections, asked.seconds()
    dropped = connections.drop(_kind(asked))
    if seconds:
        connections.refuse()
        _later(float(seconds), lambda: connections.refuse(on=False))
    return {"connections": dropped}


def ws_silence(world: World, asked: Asked) -> Done:
    """Say nothing any more on WebSockets, for a while or until cleared."""
    kind, seconds = _kind(asked), asked.seconds()
    reached = world.connections.silence(kind)
    if seconds:
        _later(float(seconds), lambda: world.connections.silence(kind, on=False))
    return {"connections": reached}


def ws_half_open(world: World, asked: Asked) -> Done:
    """Let nothing move any more on the WebSockets there are."""
    return {"connections": world.connections.freeze(_kind(asked))}


def ws_garbage(world: World, asked: Asked) -> Done:
    """Send what no client can read."""
    reached = 0
    for _ in range(asked.count() or 1):
        reached = world.connections.send_garbage(_kind(asked))
    return {"connections": reached}


def ws_burst(world: World, asked: Asked) -> Done:
    """Send many messages at once."""
    return {"connections": world.connections.burst(asked.count() or _BURST, _kind(asked))}


def ws_shutdown(world: World, asked: Asked) -> Done:
    """Announce the exchange's shutdown on every WebSocket, and close them."""
    seconds = asked.seconds()
    after = _CLOSED_AFTER_SECONDS if seconds is None else float(seconds)
    return {"connections": world.connections.broadcast_shutdown(world.clock.now(), drop_after=after)}


def stranger_order(world: World, asked: Asked) -> Done:
    """Place a market order that none of the account's programs knows of."""
    now = world.clock.now()
    world.advance(now)
    symbol, quantity = asked.text("symbol") or "BTCUSDT", asked.amount("quantity")
    side = Side(asked.choice("side", ("BUY", "SELL")) or "BUY")
    request = OrderRequest(
        symbol=world.market.listing(symbol).spec.symbol,
        side=side,
        type="MARKET",
        client_order_id=f"web_{generated_id(symbol, world.store.count('orders'))}",
        quantity=quantity,
        quote_quantity=_STRANGERS_QUOTE if quantity is None else None,
    )
    world.engine.check_precision(request)
    world.engine.check_filters(request, now)
    order, _ = world.engine.place(request, now)
    return {"order": order_json(order)}


def deposit(world: World, asked: Asked) -> Done:
    """Let something arrive from outside."""
    return _move(world, asked, sign=1)


def withdraw(world: World, asked: Asked) -> Done:
    """Let something leave, if it is free."""
    return _move(world, asked, sign=-1)


def wipe(world: World, _: Asked) -> Done:
    """Forget every order and trade, as the test network does about once a month."""
    world.engine.wipe(world.grant)
    world.lag.forget()
    return {}


def _move(world: World, asked: Asked, *, sign: int) -> Done:
    asset, amount = asked.text("asset") or "USDT", asked.amount("quantity") or _MOVED
    if not _ASSET.fullmatch(asset):
        raise ApiError(-1100, "Illegal characters found in parameter 'asset'; legal range is '^[A-Z0-9]{1,20}$'.")
    world.advance(world.clock.now())
    try:
        world.engine.credit(asset, sign * amount)
    except InsufficientBalance:
        raise ApiError(-2010, f"The account has not {wire(amount)} {asset} free.") from None
    return {"asset": asset, "quantity": wire(amount), "free": wire(world.engine.balances[asset].free)}


def _kind(asked: Asked) -> Kind | None:
    """Which connections a path means: the WebSocket API's, the streams', or, without a path, all."""
    path = asked.text("path")
    if path is None:
        return None
    return "api" if path.startswith("/ws-api") else "market"


def _later(seconds: float, call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


STRIKES: dict[FaultKind, Strike] = {
    FaultKind.HALT: halt,
    FaultKind.REFUSE: refuse,
    FaultKind.USER_EVENT_TWICE: user_event_twice,
    FaultKind.USER_EVENT_REORDERED: user_event_reordered,
    FaultKind.WS_DROP: ws_drop,
    FaultKind.WS_SILENCE: ws_silence,
    FaultKind.WS_HALF_OPEN: ws_half_open,
    FaultKind.WS_GARBAGE: ws_garbage,
    FaultKind.WS_BURST: ws_burst,
    FaultKind.WS_SHUTDOWN: ws_shutdown,
    FaultKind.STRANGER_ORDER: stranger_order,
    FaultKind.DEPOSIT: deposit,
    FaultKind.WITHDRAW: withdraw,
    FaultKind.WIPE: wipe,
}

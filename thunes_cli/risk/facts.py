"""Reading the facts of an entry in the transaction that decides: nothing is cached between fact and decision."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.clock import Clock
from thunes_cli.ledger import controls, orders, outbox, positions
from thunes_cli.ledger.identity import read_identity
from thunes_cli.model import ZERO, Rejection, Signal
from thunes_cli.risk.kill_switch import counted_result
from thunes_cli.risk.rules import Facts
from thunes_cli.risk.wire import wire_refusal

MAX_SKEW = timedelta(seconds=1)  # the exchange refuses timestamps more than a second ahead of its clock


@dataclass(frozen=True, slots=True)
class Outside:
    """What does not stand in the ledger, gathered just before: network answers, disk, trail, and the plan's bounds."""

    quote_amount: Decimal
    price_at: datetime
    max_price_age: timedelta
    skew: timedelta
    trail: DrainOutcome
    free_mib: int
    min_free_mib: int
    max_signal_age: timedelta
    exits_only: str | None
    not_tradable: str | None
    filter_problem: str | None


def read_facts(connection: sqlite3.Connection, signal: Signal, outside: Outside, clock: Clock) -> Facts:
    """Everything the rules ask about an entry, as it is in this transaction."""
    now = clock.now()
    switch = controls.read_kill_switch(connection)
    frozen = controls.frozen_symbols(connection).get(signal.symbol)
    wire = wire_refusal(connection, clock)
    return Facts(
        now=now,
        kill_switch_reason=(switch.reason or "activated") if switch.active else None,
        counted_result=counted_result(connection, now),
        quote_amount=outside.quote_amount,
        committed=_committed(connection),
        symbol_busy=_busy(connection, signal.symbol),
        last_loss_at=_last_loss(connection),
        breaker_open=wire.detail if wire is not None and wire.reason is Rejection.BREAKER else None,
        banned_until=wire.detail if wire is not None and wire.reason is Rejection.RATE_BAN else None,
        price_age=max(now - outside.price_at, timedelta(0)),
        max_price_age=outside.max_price_age,
        skew=outside.skew,
        max_skew=MAX_SKEW,
        frozen_reason=frozen.reason if frozen is not None else None,
        trail_problem=_trail_problem(connection, outside.trail),
        trail_tampered=outside.trail is DrainOutcome.TAMPERED,
        free_mib=outside.free_mib,
        min_free_mib=outside.min_free_mib,
        candle_close=signal.candle_close_time,
        entries_from=read_identity(connection).entries_from or now,
        max_signal_age=outside.max_signal_age,
        exits_only=outside.exits_only or _key_problem(connection),
        not_tradable=outside.not_tradable,
        filter_problem=outside.filter_problem,
    )


def _key_problem(connection: sqlite3.Connection) -> str | None:
    return "the exchange rejects the API key" if controls.key_is_rejected(connection) else None


def _committed(connection: sqlite3.Connection) -> int:
    """Symbols with a position, or with a BUY that may become one."""
    held = {position.symbol for position in positions.open_positions(connection)}
    return len(held | {order.symbol for order in orders.live_entries(connection)})


def _busy(connection: sqlite3.Connection, symbol: str) -> str | None:
    position = positions.position_of_symbol(connection, symbol)
    if position is not None:
        return f"position {position.id}"
    order = orders.live_order(connection, symbol)
    return None if order is None else f"order {order.client_order_id}"


def _last_loss(connection: sqlite3.Connection) -> datetime | None:
    closed = positions.last_closed(connection)
    return closed.exit_time if closed is not None and closed.realized < ZERO else None


def _trail_problem(connection: sqlite3.Connection, outcome: DrainOutcome) -> str | None:
    if outcome is DrainOutcome.CLEAN:
        return None
    return outbox.read_head(connection).problem or outcome.value

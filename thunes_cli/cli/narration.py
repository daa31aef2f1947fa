"""A daemon at work, told in sentences: read from the ledger, as any other process could."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from thunes_cli.cli.figures import money, price
from thunes_cli.ledger import fills, known, orders, positions
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.outbox import read_head
from thunes_cli.ledger.view_recent import alerts_after, decisions_after
from thunes_cli.model import ZERO, Fill, Order, OrderState, Position, Side, plain
from thunes_cli.trading.accounting import unrealized

_TOLD_OTHERWISE = frozenset({"stop_loss"})  # the order that follows says it


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, at a market time."""

    at: datetime
    text: str

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}Z  {self.text}"


@dataclass(frozen=True, slots=True)
class Scene:
    """How things stand. Money in quote; ``realized`` is net of fees."""

    now: datetime
    prices: dict[str, Decimal]
    held: tuple[Position, ...]
    orders: int
    fills: int
    buys: int
    sells: int
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    trail_records: int


class Narrator:
    """Tells what is new each time it is asked. Times are market times."""

    def __init__(self) -> None:
        self._last_decision = 0
        self._last_alert = 0
        self._told_orders: set[int] = set()

    def begin(self, connection: sqlite3.Connection) -> None:
        """What has happened up to now is no news."""
        self.news(connection)

    def news(self, connection: sqlite3.Connection) -> list[Happening]:
        """What happened since the last time, oldest first."""
        found = [*self._refusals(connection), *self._ended_orders(connection), *self._alerts(connection)]
        return sorted(found, key=lambda happening: happening.at)

    def _refusals(self, connection: sqlite3.Connection) -> list[Happening]:
        rows = decisions_after(connection, self._last_decision)
        if rows:
            self._last_decision = rows[-1].id
        return [
            Happening(row.at, f"{row.side} {row.symbol} refused: {row.reason}")
            for row in rows
            if row.decision == "rejected"
        ]

    def _ended_orders(self, connection: sqlite3.Connection) -> list[Happening]:
        ended = [
            order
            for order in orders.list_orders(connection)
            if not order.state.live and order.id not in self._told_orders
        ]
        self._told_orders.update(order.id for order in ended)
        return [Happening(order.updated_at, _sentence(connection, order)) for order in ended]

    def _alerts(self, connection: sqlite3.Connection) -> list[Happening]:
        rows = alerts_after(connection, self._last_alert)
        if rows:
            self._last_alert = rows[-1].id
        return [
            Happening(row.at, f"alert ({row.severity}): {row.text.partition(chr(10))[0]}")
            for row in rows
            if row.kind not in _TOLD_OTHERWISE
        ]


def _sentence(connection: sqlite3.Connection, order: Order) -> str:
    if order.executed_qty == 0:
        return f"{order.side} {order.symbol} ended {order.state}" + (f": {order.error}" if order.error else "")
    average = order.executed_quote / order.executed_qty
    paid = money(order.executed_quote, quote=order.quote)
    sentence = (
        f"{order.side:<4} {order.symbol} {plain(order.executed_qty)} at {price(average)}, {paid} {order.quote}"
        f" ({order.reason or order.strategy})"
    )
    if order.state is not OrderState.FILLED:
        sentence += f" {order.state}"
    if order.side is Side.SELL and order.position_id is not None:
        position = positions.read_position(connection, order.position_id)
        sentence += f", result {money(position.realized, quote=order.quote, sign=True)}"
    return sentence


def read_scene(connection: sqlite3.Connection, *, wall: datetime) -> Scene:
    """How things stand in the ledger now."""
    anchor = read_identity(connection).anchor
    prices = {symbol: value for symbol, (value, _) in known.read_prices(connection).items()}
    held = tuple(positions.open_positions(connection))
    booked: list[Fill] = fills.all_fills(connection)
    made = orders.list_orders(connection)
    return Scene(
        now=anchor.market_at(wall),
        prices=prices,
        held=held,
        orders=len(made),
        fills=len(booked),
        buys=sum(order.side is Side.BUY and order.executed_qty > 0 for order in made),
        sells=sum(order.side is Side.SELL and order.executed_qty > 0 for order in made),
        realized=sum((fill.realized for fill in booked), ZERO),
        unrealized=sum(
            (unrealized(position, prices[position.symbol]) for position in held if position.symbol in prices), ZERO
        ),
        fees=sum((fill.fee_quote for fill in booked), ZERO),
        trail_records=read_head(connection).seq,
    )

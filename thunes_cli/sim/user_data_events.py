"""User data events: what a change of the account looks like to whoever listens. Pure functions of the change.

One market order is told as the exchange tells it: NEW, a TRADE for each execution, EXPIRED if the book ran dry, then
the balances it changed. Every amount is the one REST shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.amounts import EXACT, ZERO, wire
from thunes_cli.sim.commits import Committed
from thunes_cli.sim.orders import SimOrder, SimTrade
from thunes_cli.sim.streams_message import Message

_NO_TRADE = -1


@dataclass(frozen=True, slots=True)
class Report:
    """One execution report: the order as it stood just then, and the execution that brought it there, if one did.

    ``kind`` is the execution type. ``original_id`` is the canceled order's own client id. ``on_book``: it rests.
    """

    order: SimOrder
    kind: str
    trade: SimTrade | None = None
    original_id: str = ""
    on_book: bool = False


def reports(committed: Committed) -> Iterator[Report]:
    """The execution reports of a change, in the order in which things happened."""
    for before, after in committed.orders:
        trades = [each for each in committed.trades if each.order_id == after.order_id and each.symbol == after.symbol]
        yield from _reports_of(before, after, trades)


def _reports_of(before: SimOrder | None, after: SimOrder, trades: Iterable[SimTrade]) -> Iterator[Report]:
    order = before
    if order is None:
        order = replace(
            after, status="NEW", executed_qty=ZERO, executed_quote=ZERO, update_time=after.time, expiry_reason=None
        )
        yield Report(order, "NEW", on_book=_working(order))
    elif _working(after) and not _working(order):
        order = replace(order, working_time=after.working_time, update_time=after.working_time)
        yield Report(order, "NEW", on_book=True)
    for trade in trades:
        executed = EXACT.add(order.executed_qty, trade.quantity)
        order = replace(
            order,
            status="FILLED" if executed >= order.orig_qty else "PARTIALLY_FILLED",
            executed_qty=executed,
            executed_quote=EXACT.add(order.executed_quote, trade.quote),
            update_time=trade.time,
        )
        yield Report(order, "TRADE", trade, on_book=after.open)
    if after.status != order.status:
        original = "" if before is None or after.status != "CANCELED" else before.client_order_id
        yield Report(after, after.status, original_id=original)


def _working(order: SimOrder) -> bool:
    """Whether it is (or was) on the book; an order that waits for its trigger has no working time yet."""
    return order.working_time > 0


def execution_report(report: Report, *, execution_id: int, moment: int, unit: int) -> Any:
    """``executionReport``."""
    order, trade = report.order, report.trade
    shown: dict[str, Any] = {
        "e": "executionReport",
        "E": moment * unit,
        "s": order.symbol,
        "c": order.client_order_id,
        "S": str(order.side),
        "o": order.type,
        "f": order.time_in_force,
        "q": wire(order.orig_qty),
        "p": wire(order.price),
        "P": wire(order.stop_price),
        "F": wire(order.iceberg_qty),
        "g": -1,
        "C": report.original_id,
        "x": report.kind,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": wire(trade.quantity if trade else ZERO),
        "z": wire(order.executed_qty),
        "L": wire(trade.price if trade else ZERO),
        "n": wire(trade.commission) if trade else "0",
        "N": trade.commission_asset if trade else None,
        "T": order.update_time * unit,
        "t": trade.trade_id if trade else _NO_TRADE,
        "I": execution_id,
        "w": report.on_book,
        "m": trade.is_maker if trade else False,
        "M": trade is not None,
        "O": order.time * unit,
        "Z": wire(order.executed_quote),
        "Y": wire(trade.quote if trade else ZERO),
        "Q": wire(order.orig_quote_qty),
    }
    if _working(order):
        shown["W"] = order.working_time * unit
    return shown | {"V": "NONE"} | _conditional(order)


def _conditional(order: SimOrder) -> dict[str, Any]:
    """Fields that appear only when they have something to say."""
    shown: dict[str, Any] = {}
    if order.strategy_id is not None:
        shown["j"] = order.strategy_id
    if order.strategy_type is not None:
        shown["J"] = order.strategy_type
    if order.expiry_reason is not None:
        shown["eR"] = order.expiry_reason
    return shown


def account_position(holdings: Iterable[tuple[str, Holding]], *, changed: int, moment: int, unit: int) -> Any:
    """``outboundAccountPosition``: the balances after a change at market time ``changed``."""
    return {
        "e": "outboundAccountPosition",
        "E": moment * unit,
        "u": changed * unit,
        "B": [{"a": asset, "f": wire(held.free), "l": wire(held.locked)} for asset, held in holdings],
    }


def balance_update(asset: str, delta: Decimal, *, moment: int, unit: int) -> Any:
    """``balanceUpdate``: something came from, or went, outside the market."""
    return {"e": "balanceUpdate", "E": moment * unit, "a": asset, "d": wire(delta), "T": moment * unit}


def terminated(moment: int, unit: int) -> Any:
    """``eventStreamTerminated``."""
    return {"e": "eventStreamTerminated", "E": moment * unit}


def messages(committed: Committed, *, now: int, next_execution: Callable[[], int]) -> list[Message]:
    """All events of a change, in order."""
    told = [_report_message(report, next_execution(), now) for report in reports(committed)]
    changed = [(asset, *pair) for asset, pair in sorted(committed.balances.items()) if pair[0] != pair[1]]
    when = max((order.update_time for _, order in committed.orders), default=now)
    if not committed.orders:
        told.extend(
            _balance_message(asset, EXACT.subtract(after.free, before.free), now) for asset, before, after in changed
        )
    if changed:
        told.append(_position_message([(asset, after) for asset, _, after in changed], when, now))
    return told


def _report_message(report: Report, execution_id: int, now: int) -> Message:
    return Message("", lambda unit: execution_report(report, execution_id=execution_id, moment=now, unit=unit))


def _balance_message(asset: str, delta: Decimal, now: int) -> Message:
    return Message("", lambda unit: balance_update(asset, delta, moment=now, unit=unit))


def _position_message(holdings: list[tuple[str, Holding]], when: int, now: int) -> Message:
    return Message("", lambda unit: account_position(holdings, changed=when, moment=now, unit=unit))

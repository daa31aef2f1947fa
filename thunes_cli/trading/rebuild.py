"""Making a ledger anew from what the exchange remembers, for the day the disk died.

Our client ids carry instance and epoch, so the exchange's list of orders says which are ours. They are booked one after
the other as they were then: orders, fills, positions, dust and results come out as they had been. What the exchange
never knew is lost: which signal and which strategy made an order, and with which stop; today's settings stand in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.errors import ConfigError, OtherAccount
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import orders, positions
from thunes_cli.ledger.baseline import EpochBegin, baseline_taken, forget_baseline, save_baseline
from thunes_cli.ledger.fills import FeeValue
from thunes_cli.ledger.identity import (
    read_identity,
    save_entries_from,
    save_uid,
    skip_order_numbers,
    take_over_instance,
)
from thunes_cli.model import ZERO, Fill, PositionStatus, Trade, plain
from thunes_cli.risk import kill_switch
from thunes_cli.trading.accounting import asset_effects
from thunes_cli.trading.booking import Evidence, book
from thunes_cli.trading.fee_values import UNKNOWN, FeePrices
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.rebuild_survey import Survey, Traces
from thunes_cli.trading.reconcile_apply import insert_lost_order
from thunes_cli.trading.reconcile_inputs import Market
from thunes_cli.trading.reconcile_reading import Progress, silently

_log = logging.getLogger(__name__)

FEES_VALUED = 200  # fees in a third asset that are valued at once; the hourly comparison corrects the others
_NO_LIMIT = Decimal("1e18")


class LedgerInUse(ConfigError):
    """this ledger has {0} orders: only an empty one is rebuilt"""

    code = "ledger_not_empty"
    hint = "make a home of its own: thunes --home DIR init; then there: thunes reconcile --rebuild"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was made. ``skipped`` are sales whose purchase the exchange does not list: they count as not ours."""

    traces: Traces
    epoch: str
    orders: int
    fills: int
    positions: int
    held: int
    assets: int
    skipped: tuple[str, ...]


def require_empty(journal: Journal) -> None:
    """Refuse a ledger with a past of its own.

    Raises:
        LedgerInUse: it has orders (78).
    """
    with journal.read() as connection:
        made = len(orders.list_orders(connection))
    if made:
        raise LedgerInUse(made)


def rebuild(
    journal: Journal,
    exchange: Exchange,
    found: Survey,
    traces: Traces,
    *,
    plan: TradingPlan,
    max_daily_loss: Decimal,
    progress: Progress = silently,
) -> Rebuilt:
    """Fill the empty ledger; all or nothing. ``progress`` is told of every order.

    Raises:
        LedgerInUse: it is not empty (any more). OtherAccount: the home is bound to another account (78).
    """
    trades = _trades_of(found.market, traces)
    values = _value_fees(FeePrices(exchange, journal), found, trades)
    with journal.change() as change:
        _claim(change, found, traces)
        skipped = _book_all(change, found, traces, trades, values=values, plan=plan, progress=progress)
        made = _Made.read(change)
        _take_baseline(change, found.market, made)
        save_entries_from(change.connection, change.at)
        kill_switch.trip_if_due(change, max_daily_loss=max_daily_loss)
        identity = read_identity(change.connection)
        return Rebuilt(
            traces=traces,
            epoch=identity.epoch,
            orders=made.orders,
            fills=len(made.fills),
            positions=made.positions,
            held=made.held,
            assets=len(found.market.totals),
            skipped=tuple(skipped),
        )


@dataclass(frozen=True, slots=True)
class _Made:
    orders: int
    fills: list[Fill]
    assets: Mapping[str, tuple[str, str]]
    positions: int
    held: int

    @classmethod
    def read(cls, change: Change) -> _Made:
        from thunes_cli.ledger.fills import all_fills  # noqa: PLC0415 - the class has a field of that module's name

        rows = orders.list_orders(change.connection)
        everything = positions.all_positions(change.connection)
        return cls(
            orders=len(rows),
            fills=all_fills(change.connection),
            assets={order.symbol: (order.base, order.quote) for order in rows},
            positions=len(everything),
            held=sum(position.status is PositionStatus.OPEN for position in everything),
        )


def _trades_of(market: Market, traces: Traces) -> dict[tuple[str, int], list[Trade]]:
    ours = {(report.symbol, report.order_id) for report in traces.reports}
    found: dict[tuple[str, int], list[Trade]] = {}
    for symbol, listed in market.listed.items():
        for trade in listed.trades:
            if (symbol, trade.order_id) in ours:
                found.setdefault((symbol, trade.order_id), []).append(trade)
    return found


def _value_fees(
    prices: FeePrices, found: Survey, trades: Mapping[tuple[str, int], Sequence[Trade]]
) -> dict[tuple[str, int], FeeValue]:
    """Fees in a third asset, the newest first: each may need a question of its own."""
    everything = sorted((trade for each in trades.values() for trade in each), key=lambda t: t.time, reverse=True)
    values: dict[tuple[str, int], FeeValue] = {}
    asked = 0
    for trade in everything:
        rules = found.rules[trade.symbol]
        if trade.commission_asset in {rules.base, rules.quote} or trade.commission == 0:
            continue
        asked += 1
        known = asked <= FEES_VALUED
        value = prices.value(trade, base=rules.base, quote=rules.quote) if known else UNKNOWN
        values[trade.symbol, trade.trade_id] = value
    return values


def _claim(change: Change, found: Survey, traces: Traces) -> None:
    connection = change.connection
    made = len(orders.list_orders(connection))
    if made:
        raise LedgerInUse(made)
    identity = read_identity(connection)
    if identity.uid not in {None, found.market.uid}:
        raise OtherAccount(identity.uid, found.market.uid)
    save_uid(connection, found.market.uid)
    epoch = take_over_instance(connection, traces.instance, epochs=traces.epochs, wall=change.at_wall)
    skip_order_numbers(connection, past=traces.last_number)
    change.record(
        Event.LEDGER_REBUILT,
        instance=traces.instance,
        replaced_instance=identity.instance,
        epochs=" ".join(sorted(traces.epochs)),
        epoch=epoch,
        orders=len(traces.reports),
        first_order=traces.span[0],
        last_order=traces.span[1],
        uid=found.market.uid,
    )


def _book_all(
    change: Change,
    found: Survey,
    traces: Traces,
    trades: Mapping[tuple[str, int], Sequence[Trade]],
    *,
    values: Mapping[tuple[str, int], FeeValue],
    plan: TradingPlan,
    progress: Progress,
) -> list[str]:
    """Book every order as it was, oldest first; returns the client ids of those that could not be."""
    skipped = []
    for report in traces.reports:
        progress(1)
        rules = found.rules[report.symbol]
        order = insert_lost_order(change, report, rules=rules, plan=plan)
        if order is None:
            if report.executed_qty > 0:
                skipped.append(str(report.client_order_id))
            continue
        mine = trades.get((report.symbol, report.order_id), ())
        known = {trade.trade_id: values.get((trade.symbol, trade.trade_id), UNKNOWN) for trade in mine}
        evidence = Evidence(report=report, trades=mine, fee_values=known)
        book(change, order.id, evidence, rules=rules, max_daily_loss=_NO_LIMIT)
    return skipped


def _take_baseline(change: Change, market: Market, made: _Made) -> None:
    """What the account holds less what our trades made of it."""
    epoch = read_identity(change.connection).exchange_epoch
    effects = asset_effects(made.fills, assets=made.assets)
    rest = {name: market.totals.get(name, ZERO) - effects.get(name, ZERO) for name in {*market.totals, *effects}}
    baseline = {name: amount for name, amount in rest.items() if amount}
    if baseline_taken(change.connection, exchange_epoch=epoch) is not None:
        forget_baseline(change.connection, exchange_epoch=epoch)
    save_baseline(change.connection, baseline, exchange_epoch=epoch, at=change.at, why=EpochBegin.REBUILD)
    change.record(Event.BASELINE_RECORDED, assets=len(baseline), exchange_epoch=epoch)
    negative = sorted(name for name, amount in baseline.items() if amount < 0)
    if negative:
        _log.warning("the account holds less than our trades brought: %s", ", ".join(negative))
    _log.info(
        "baseline rebuilt: %s", ", ".join(f"{name} {plain(amount)}" for name, amount in list(baseline.items())[:9])
    )

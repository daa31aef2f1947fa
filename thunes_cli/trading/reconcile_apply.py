"""Settling what our own orders prove: fills the ledger lacks, orders it is in doubt about, fees it has otherwise."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import fills, order_numbers, orders, positions
from thunes_cli.ledger.identity import read_identity
from thunes_cli.model import ZERO, Order, OrderReport, Side, Trade, plain
from thunes_cli.risk import kill_switch
from thunes_cli.trading.booking import Evidence, book, refold
from thunes_cli.trading.evidence import gather
from thunes_cli.trading.fee_values import FeePrices, value_fees
from thunes_cli.trading.findings import Kind
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.reconcile_look import Look
from thunes_cli.trading.reconcile_orders import Matched
from thunes_cli.trading.symbols import SymbolBook

_log = logging.getLogger(__name__)
_RETRY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Applied:
    """One thing that was settled; ``what`` is a sentence."""

    kind: Kind
    what: str
    asset: str | None = None
    symbol: str | None = None
    client_order_id: str | None = None


class Settling:
    """Books on behalf of one home. What cannot be booked yet stays a finding."""

    def __init__(
        self, journal: Journal, exchange: Exchange, symbols: SymbolBook, *, plan: TradingPlan, max_daily_loss: Decimal
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._symbols = symbols
        self._plan = plan
        self._max_daily_loss = max_daily_loss

    def settle(self, look: Look) -> list[Applied]:
        """Book everything that is safe, oldest order first.

        Raises:
            ExchangeFailure: something that booking needs could not be asked for; what was booked before stays.
        """
        safe = {ref.client_order_id for f in look.comparison.findings if f.safe for ref in f.orders}
        named = [(_client_id(matched), matched) for matched in look.comparison.matched]
        chosen = [matched for name, matched in named if name in safe]
        applied = []
        for matched in sorted(chosen, key=_made_at):
            applied += self._correct_fees(matched)
            done = self._book(matched) if matched.missing or _in_doubt(matched) or matched.order is None else None
            applied += [done] if done is not None else []
        return applied

    # -- fills and doubts --------------------------------------------------------------------------------------

    def _book(self, matched: Matched) -> Applied | None:
        report = matched.report or self._ask(matched)
        if report is None:
            return None
        rules = self._symbols.known(report.symbol)
        kind = Kind.UNRESOLVED_ORDER if _in_doubt(matched) else Kind.UNRECORDED_FILL
        try:
            if matched.order is None:
                after = self._import(report, matched.missing, rules)
            else:
                after = self._book_known(matched.order, report, matched.missing, rules)
        except sqlite3.IntegrityError as error:
            _log.warning("not booked now: client_order_id=%s why=%s", report.client_order_id, error)
            return None
        if after is None or (matched.order is not None and after == matched.order):
            return None
        executed = f"{plain(after.executed_qty)} {after.base}"
        what = f"{after.side} {after.symbol} order {after.client_order_id} is {after.state}, {executed} booked"
        return Applied(kind, what, symbol=after.symbol, client_order_id=after.client_order_id)

    def _ask(self, matched: Matched) -> OrderReport | None:
        assert matched.order is not None
        return self._exchange.order(matched.order.symbol, matched.order.client_order_id)

    def _book_known(
        self, order: Order, report: OrderReport, missing: Sequence[Trade], rules: SymbolRules | None
    ) -> Order:
        evidence = self._evidence(order, report, missing, booked=order.executed_qty)
        with self._journal.change() as change:
            after = book(change, order.id, evidence, rules=rules, max_daily_loss=self._max_daily_loss)
            if after.state.live:
                orders.postpone(change.connection, order.id, next_try_wall=change.at_wall + _RETRY)
            return after

    def _evidence(self, order: Order, report: OrderReport, missing: Sequence[Trade], *, booked: Decimal) -> Evidence:
        """The listed trades when they complete the order, else what the exchange has of it now."""
        if booked + sum((trade.quantity for trade in missing), ZERO) < report.executed_qty:
            return gather(self._exchange, self._journal, order, report)
        values = value_fees(self._exchange, self._journal, missing, base=order.base, quote=order.quote)
        return Evidence(report=report, trades=missing, fee_values=values)

    def _import(self, report: OrderReport, missing: Sequence[Trade], rules: SymbolRules | None) -> Order | None:
        if rules is None:
            return None
        values = value_fees(self._exchange, self._journal, missing, base=rules.base, quote=rules.quote)
        evidence = Evidence(report=report, trades=missing, fee_values=values)
        with self._journal.change() as change:
            order = insert_lost_order(change, report, rules=rules, plan=self._plan)
            if order is None:
                return None
            return book(change, order.id, evidence, rules=rules, max_daily_loss=self._max_daily_loss)

    # -- fees --------------------------------------------------------------------------------------------------

    def _correct_fees(self, matched: Matched) -> list[Applied]:
        if not matched.drifted or matched.order is None:
            return []
        order = matched.order
        prices = FeePrices(self._exchange, self._journal)
        values = [prices.value(trade, base=order.base, quote=order.quote) for _, trade in matched.drifted]
        done = []
        with self._journal.change() as change:
            for (fill, trade), value in zip(matched.drifted, values, strict=True):
                if not fills.correct_fee(change.connection, fill, trade, value):
                    continue
                refold(change, fill.position_id)
                change.record(
                    Event.FEE_CORRECTED,
                    symbol=fill.symbol,
                    client_order_id=order.client_order_id,
                    position=fill.position_id,
                    trade_id=fill.trade_id,
                    before=fill.fee,
                    before_asset=fill.fee_asset,
                    fee=trade.commission,
                    fee_asset=trade.commission_asset,
                )
                what = f"fee of trade {trade.trade_id} of {order.client_order_id} is {plain(trade.commission)}"
                done.append(
                    Applied(Kind.FEE_DRIFT, f"{what} {trade.commission_asset}", trade.commission_asset, trade.symbol)
                )
            kill_switch.trip_if_due(change, max_daily_loss=self._max_daily_loss)
        return done


def insert_lost_order(change: Change, report: OrderReport, *, rules: SymbolRules, plan: TradingPlan) -> Order | None:
    """Write down an order of ours that only the exchange remembers; None for a SELL of a position that is not there.

    Which strategy made it, and with which stop, the exchange cannot say: those of today stand in.
    """
    connection = change.connection
    position = positions.position_of_symbol(connection, report.symbol) if report.side is Side.SELL else None
    if report.side is Side.SELL and position is None:
        return None
    order = orders.insert_found(
        connection,
        orders.NewOrder(
            client_order_id=report.client_order_id,
            exchange_epoch=read_identity(connection).exchange_epoch,
            symbol=report.symbol,
            base=rules.base,
            quote=rules.quote,
            side=report.side,
            strategy=position.strategy if position else plan.strategy,
            stop_loss_pct=position.stop_loss_pct if position else plan.stop_loss_pct,
            requested_quote=report.requested if report.by_quote else None,
            requested_base=None if report.by_quote else report.requested,
            position_id=position.id if position else None,
            attempt=order_numbers.last_attempt(connection, position.id) + 1 if position else None,
        ),
        exchange_order_id=report.order_id,
        placed_at=report.time,
        recv_window_ms=0,
        at=change.at,
    )
    change.record(
        Event.ORDER_IMPORTED,
        symbol=order.symbol,
        side=order.side,
        client_order_id=order.client_order_id,
        exchange_order_id=report.order_id,
        placed_at=report.time,
        position=order.position_id,
    )
    return order


def _in_doubt(matched: Matched) -> bool:
    return matched.order is not None and matched.order.state.live


def _client_id(matched: Matched) -> str:
    either = matched.report or matched.order
    assert either is not None
    return either.client_order_id


def _made_at(matched: Matched) -> tuple[object, int]:
    if matched.report is not None:
        return matched.report.time, matched.report.order_id
    assert matched.order is not None
    return matched.order.created_at, matched.order.exchange_order_id or 0

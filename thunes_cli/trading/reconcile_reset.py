"""A wiped exchange (a testnet is wiped every month), once the operator accepts it: a new life, a new baseline.

Positions of before end at cost, outside the result. What we bought after the wipe, before anybody noticed it, is ours
in the new life.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.errors import MismatchError
from thunes_cli.ledger import alert_kinds, alerts, controls, fills, orders, positions
from thunes_cli.ledger.baseline import EpochBegin, save_baseline
from thunes_cli.ledger.identity import begin_exchange_epoch
from thunes_cli.model import LIVE_STATES, ZERO, Order, OrderState, Side
from thunes_cli.risk.freezing import unfreeze_symbol
from thunes_cli.trading.accounting import add_effects, trade_effects
from thunes_cli.trading.findings import Kind
from thunes_cli.trading.operator_word import Judgement, release_wiped
from thunes_cli.trading.order_fit import is_ours
from thunes_cli.trading.reconcile_inputs import Books, Market
from thunes_cli.trading.reconcile_look import Look
from thunes_cli.trading.reconcile_record import ACTOR


def accept_reset(change: Change, look: Look, market: Market, who: Judgement) -> int:
    """Begin the exchange's next life; returns its number.

    Args:
        change: the transaction.
        look: the comparison that recognised the wipe.
        market: a reading from the first order on, made after that.
        who: accepts it.

    Raises:
        MismatchError: an order is on its way right now (4).
    """
    if look.books.in_flight:
        raise MismatchError("an order is on its way at this moment", hint="try again in a few seconds")
    connection = change.connection
    epoch = begin_exchange_epoch(connection)
    survivors = _survivors(look, market)
    for order in survivors:
        orders.move_to_epoch(connection, order.id, exchange_epoch=epoch)
        fills.move_fills(connection, order.id, exchange_epoch=epoch)
        if order.position_id is not None:
            positions.move_to_epoch(connection, order.position_id, exchange_epoch=epoch)
    _end_the_rest(change, look.books, {order.id for order in survivors})
    for position in positions.open_positions(connection):
        if position.exchange_epoch != epoch:
            release_wiped(change, position, who)
    baseline = _not_ours(market, survivors)
    save_baseline(connection, baseline, exchange_epoch=epoch, at=change.at, why=EpochBegin.RESET)
    _thaw(change)
    change.record(
        Event.EXCHANGE_RESET_ACCEPTED,
        exchange_epoch=epoch,
        assets=len(baseline),
        orders_kept=len(survivors),
        reason=who.reason,
        actor=who.actor,
        **who.facts,
    )
    return epoch


def _survivors(look: Look, market: Market) -> list[Order]:
    """Orders of ours in the new life: purchases that the exchange lists now, and sales of what they bought."""
    known = {order.client_order_id: order for order in look.books.orders}
    listed = []
    for each in market.listed.values():
        for report in each.orders:
            order = known.get(report.client_order_id)
            # No slack in time is needed: what was made before the wipe is not listed any more.
            if order is not None and is_ours(order, report, slack=look.at - look.books.baseline_at):
                listed.append(order)
    bought = [order for order in listed if order.side is Side.BUY]
    mixed = _positions_of_before(look.books, {order.id for order in listed})
    kept = [order for order in bought if order.position_id not in mixed or order.position_id is None]
    places = {order.position_id for order in kept if order.position_id is not None}
    return kept + [order for order in listed if order.side is Side.SELL and order.position_id in places]


def _positions_of_before(books: Books, listed: set[int]) -> set[int]:
    return {fill.position_id for fill in books.fills if fill.order_id not in listed}


def _end_the_rest(change: Change, books: Books, kept: set[int]) -> None:
    for order in books.orders:
        if not order.state.live or order.id in kept:
            continue
        ended = orders.change_state(
            change.connection,
            order.id,
            expected=LIVE_STATES,
            to=OrderState.EXPIRED,
            at=change.at,
            error="the exchange was wiped",
            next_try_wall=None,
        )
        if ended:
            change.record(
                Event.ORDER_FINISHED,
                symbol=order.symbol,
                side=order.side,
                client_order_id=order.client_order_id,
                state=OrderState.EXPIRED,
                why="the exchange was wiped",
                position=order.position_id,
            )


def _not_ours(market: Market, survivors: Sequence[Order]) -> dict[str, Decimal]:
    """What the account holds now, less what our purchases since the wipe brought."""
    names = {order.client_order_id for order in survivors}
    effects: dict[str, Decimal] = {}
    for each in market.listed.values():
        ours = {report.order_id for report in each.orders if report.client_order_id in names}
        trades = [trade for trade in each.trades if trade.order_id in ours]
        add_effects(effects, trade_effects(trades, base=each.window.base, quote=each.window.quote))
    amounts = {name: market.totals.get(name, ZERO) - effects.get(name, ZERO) for name in {*market.totals, *effects}}
    return {name: amount for name, amount in amounts.items() if amount}


def _thaw(change: Change) -> None:
    for symbol, freeze in controls.frozen_symbols(change.connection).items():
        alerts.end_condition(change.connection, alert_kinds.Kind.TRADE_ID_REUSED, key=symbol)
        if freeze.actor == ACTOR and freeze.reason.startswith(Kind.EXCHANGE_RESET):
            unfreeze_symbol(change, symbol, reason="the wiped exchange was accepted", actor=ACTOR)

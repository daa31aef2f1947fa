"""What only a person can say about coins: these are known, these are ours now, those are gone.

Each word is a row that the fold and the baseline count, with its reason and who said it; nothing is edited.

* *accept*: a difference is a deposit, a withdrawal, a trade by hand; from now on it belongs to what is not ours.
* *adopt*: coins of the account become a position of ours, at a stated cost.
* *release*: coins of a position left otherwise than by our order (``MANUAL_RECONCILIATION``), at a stated price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.errors import MismatchError, NotFound, Unavailable
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.ledger import fills, positions
from thunes_cli.ledger.baseline import FlowKind, insert_flow, read_not_ours
from thunes_cli.ledger.external import accept_external, read_external
from thunes_cli.ledger.identity import read_identity
from thunes_cli.model import ZERO, Fill, FillSource, Position, plain
from thunes_cli.risk import kill_switch
from thunes_cli.trading.booking import close_if_sold
from thunes_cli.trading.operator_word import Amount, Judgement, adopt_coins, said_already, take_coins
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.reconcile_assets import Asset
from thunes_cli.trading.reconcile_look import Look


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is not ours of an asset, before and after."""

    asset: str
    before: Decimal
    after: Decimal


class LedgerMoved(Unavailable):
    """the ledger changed while it was compared"""

    code = "ledger_moved"
    hint = "try again"


def asset_of(look: Look, name: str) -> Asset:
    """An asset as it was compared; one that nobody has is all zeros."""
    return look.comparison.assets.get(name) or Asset(name, ZERO, ZERO, ZERO, main=False)


def accept_difference(change: Change, look: Look, name: str, who: Judgement) -> Accepted:
    """Count a difference to what is not ours; nothing happens when there is none.

    Raises:
        MismatchError: our own orders, or a position, must be settled first (4).
        LedgerMoved: somebody was quicker (13).
    """
    asset = asset_of(look, name)
    _require_settled(look, name)
    _require_unmoved(change, look, name)
    after = asset.not_ours + asset.difference
    held = [position for position in look.books.positions if position.base == name]
    if asset.difference < 0 and held and asset.held < sum((position.quantity for position in held), ZERO):
        finding = asset.finding
        raise MismatchError(
            f"position {held[0].id} says that {plain(held[0].quantity)} {name} are ours; the account has"
            f" {plain(asset.held)}",
            hint=f"thunes {finding.action}" if finding is not None else "thunes reconcile",
        )
    if asset.difference == 0:
        return Accepted(name, asset.not_ours, asset.not_ours)
    epoch = read_identity(change.connection).exchange_epoch
    insert_flow(
        change.connection,
        name,
        asset.difference,
        kind=FlowKind.ACCEPTED,
        exchange_epoch=epoch,
        reason=who.reason,
        actor=who.actor,
        at=change.at,
    )
    change.record(
        Event.DIFFERENCE_ACCEPTED,
        asset=name,
        quantity=asset.difference,
        baseline_before=asset.not_ours,
        baseline_after=after,
        reason=who.reason,
        actor=who.actor,
        **who.facts,
    )
    return Accepted(name, asset.not_ours, after)


def accept_explained(change: Change, look: Look, accepted: set[str]) -> int:
    """Orders that are not ours and moved nothing but accepted assets are known from now on; returns how many."""
    epoch = read_identity(change.connection).exchange_epoch
    differing = {name for name, asset in look.comparison.assets.items() if asset.finding is not None} - accepted
    done = 0
    for order in read_external(change.connection, exchange_epoch=epoch):
        touched = {name for name, effect in order.effects.items() if effect}
        if touched & accepted and not touched & differing:
            done += accept_external(change.connection, order.symbol, order.order_id, exchange_epoch=epoch, at=change.at)
    return done


def adopt(
    change: Change,
    look: Look,
    rules: SymbolRules,
    *,
    quantity: Decimal,
    price: Decimal,
    plan: TradingPlan,
    who: Judgement,
) -> tuple[Position, bool]:
    """Make coins of the account ours, in the symbol's position; the same word twice changes nothing (then False).

    What was unexplained of the asset is taken first, the rest from what was not ours.

    Raises:
        MismatchError: the account has not so much that is not ours, or something must be settled first (4).
        LedgerMoved: somebody was quicker (13).
    """
    connection, base = change.connection, rules.base
    asset = asset_of(look, base)
    amount = Amount(quantity, price)
    present = positions.position_of_symbol(connection, rules.symbol)
    if present is not None and said_already(change, present, amount, who):
        return present, False
    _require_settled(look, base)
    _require_unmoved(change, look, base)
    free = asset.held - asset.ours
    if quantity > free:
        raise MismatchError(
            f"the account has {plain(max(free, ZERO))} {base} that are not ours, not {plain(quantity)}",
            hint=f"thunes balance {base}",
        )
    epoch = read_identity(connection).exchange_epoch
    order, position = adopt_coins(change, rules, amount, present=present, plan=plan, who=who)
    from_baseline = quantity - min(quantity, max(asset.difference, ZERO))
    if from_baseline:
        insert_flow(
            connection,
            base,
            -from_baseline,
            kind=FlowKind.ADOPTED,
            exchange_epoch=epoch,
            reason=who.reason,
            actor=who.actor,
            at=change.at,
        )
    change.record(
        Event.POSITION_ADOPTED,
        symbol=position.symbol,
        position=position.id,
        client_order_id=order.client_order_id,
        quantity=quantity,
        price=price,
        from_baseline=from_baseline,
        stop_price=position.stop_price,
        reason=who.reason,
        actor=who.actor,
        **who.facts,
    )
    return position, True


def release(
    change: Change,
    look: Look,
    position: Position,
    *,
    price: Decimal,
    quantity: Decimal | None,
    rules: SymbolRules | None,
    max_daily_loss: Decimal,
    who: Judgement,
) -> Position:
    """Take coins out of a position that the account no longer has, at the price they went for.

    Args:
        change: the transaction.
        look: a comparison that shows them missing.
        position: an open one.
        price: what one brought, in quote; zero when they are simply gone.
        quantity: how many; None for all that is missing.
        rules: of the symbol, to decide about dust.
        max_daily_loss: the loss counts.
        who: says so.

    Raises:
        MismatchError: the account has them, or something must be settled first (4).
        LedgerMoved: somebody was quicker (13).
    """
    base = position.base
    asset = asset_of(look, base)
    _require_settled(look, base)
    _require_unmoved(change, look, base)
    fresh = positions.read_position(change.connection, position.id)
    if fresh != position:
        raise LedgerMoved
    missing = min(position.quantity, -asset.difference)
    wanted = min(missing, position.quantity - asset.held) if quantity is None else quantity
    if missing <= 0 or not 0 < wanted <= missing:
        raise MismatchError(
            f"the account holds {plain(asset.held)} {base}; {plain(max(missing, ZERO))} of position {position.id} are"
            " missing there",
            hint=f"sell what is there: thunes positions close {position.symbol}",
        )
    order, after = take_coins(change, FillSource.MANUAL, position, Amount(wanted, price), who=who)
    change.record(
        Event.POSITION_RELEASED,
        symbol=position.symbol,
        position=position.id,
        client_order_id=order.client_order_id,
        quantity=wanted,
        price=price,
        pnl=after.realized,
        reason=who.reason,
        actor=who.actor,
        **who.facts,
    )
    after = close_if_sold(change, after, rules=rules, price=price or position.entry_price)
    kill_switch.trip_if_due(change, max_daily_loss=max_daily_loss)
    return after


# -- what must hold ----------------------------------------------------------------------------------------------


def _require_settled(look: Look, asset: str) -> None:
    """What our own orders explain is booked, not judged; and nobody judges a wiped exchange asset by asset."""
    if look.comparison.wiped:
        raise MismatchError("the exchange was wiped: accept that as a whole", hint="thunes reconcile --apply")
    for finding in look.comparison.findings:
        if finding.asset is not None or not finding.safe or finding.symbol is None:
            continue
        if asset in look.books.assets.get(finding.symbol, ()):
            raise MismatchError(
                f"something of our own must be booked first: {finding.message}", hint="thunes reconcile --apply"
            )


def _require_unmoved(change: Change, look: Look, asset: str) -> None:
    """Nobody else has judged this asset since the comparison."""
    epoch = read_identity(change.connection).exchange_epoch
    known = read_not_ours(change.connection, exchange_epoch=epoch).get(asset, ZERO)
    seen = _words_about(asset, look.books.fills, look.books.assets)
    now = _words_about(asset, fills.all_fills(change.connection, exchange_epoch=epoch), look.books.assets)
    if known != look.books.not_ours.get(asset, ZERO) or seen != now:
        raise LedgerMoved


def _words_about(asset: str, rows: Iterable[Fill], assets: Mapping[str, tuple[str, str]]) -> set[int]:
    words = (fill for fill in rows if fill.source is not FillSource.EXCHANGE)
    return {fill.id for fill in words if assets.get(fill.symbol, (asset,))[0] == asset}


def require_position(look: Look, symbol: str) -> Position:
    """The open position of a symbol.

    Raises:
        NotFound: there is none (10).
    """
    for position in look.books.positions:
        if position.symbol == symbol:
            return position
    raise NotFound(f"there is no open position of {symbol}", hint="thunes positions list")

"""Comparing by asset: what the account holds against what it must hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.counts import count
from thunes_cli.exchange.filters import floor_to_step
from thunes_cli.ledger.external import ExternalOrder
from thunes_cli.model import ZERO, Order, Position, Side, plain
from thunes_cli.trading.accounting import EXACT
from thunes_cli.trading.findings import Finding, Kind, OrderRef, Severity, amount
from thunes_cli.trading.reconcile_inputs import Books, Market, Terms

_PRICE_UNIT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset. ``held`` is what the account has, ``ours`` what our trades made of it, ``not_ours`` the rest we know.

    ``main``: it decides whether the comparison is clean.
    """

    name: str
    held: Decimal
    ours: Decimal
    not_ours: Decimal
    main: bool
    finding: Finding | None = None

    @property
    def expected(self) -> Decimal:
        """What the account must hold."""
        return self.ours + self.not_ours

    @property
    def difference(self) -> Decimal:
        """What nobody has explained; positive when the exchange has more."""
        return self.held - self.expected


def compare_assets(
    market: Market,
    books: Books,
    terms: Terms,
    *,
    effects: Mapping[str, Decimal],
    strange: Sequence[ExternalOrder],
    doubts: Sequence[Order] = (),
) -> dict[str, Asset]:
    """Every asset that anybody says something of, with its finding where the sides differ and no order in doubt may
    be the reason: that order is a finding of its own.
    """
    names = market.totals.keys() | effects.keys() | books.not_ours.keys()
    compared = {}
    for name in sorted(names if terms.only is None else names & terms.only):
        asset = Asset(
            name=name,
            held=market.totals.get(name, ZERO),
            ours=effects.get(name, ZERO),
            not_ours=books.not_ours.get(name, ZERO),
            main=name in terms.main,
        )
        if asset.difference and not any(_may_have_moved(order, asset) for order in doubts):
            asset = _judged(asset, books, terms, strange)
        compared[name] = asset
    return compared


def _may_have_moved(order: Order, asset: Asset) -> bool:
    """Whether an order that nobody knows the outcome of explains the difference: the lists may lag behind balances."""
    if asset.name not in {order.base, order.quote}:
        return False
    received = order.base if order.side is Side.BUY else order.quote
    if asset.name == received:
        return asset.difference > 0
    most = order.requested_quote if order.side is Side.BUY else order.requested_base
    return asset.difference < 0 and -asset.difference <= (most or ZERO)


def _judged(asset: Asset, books: Books, terms: Terms, strange: Sequence[ExternalOrder]) -> Asset:
    held = [position for position in books.positions if position.base == asset.name]
    reasons = [order for order in strange if order.effects.get(asset.name)]
    step = terms.steps.get(asset.name, ZERO)
    if not asset.main:
        finding = _different(asset, Severity.INFO, reasons)
    elif asset.difference > 0:
        dust = asset.difference < step
        finding = _dust(asset) if dust else _different(asset, Severity.MEDIUM, reasons)
    elif held and asset.held < sum((position.quantity for position in held), ZERO):
        sellable = sum((floor_to_step(position.quantity, step) for position in held), ZERO) if step else None
        harmless = sellable is not None and -asset.difference < step and sellable <= asset.held
        finding = _dust(asset) if harmless else _unbacked(asset, held[0], reasons)
    else:
        dust = -asset.difference < step
        finding = _dust(asset) if dust else _different(asset, Severity.HIGH, reasons)
    return Asset(asset.name, asset.held, asset.ours, asset.not_ours, main=asset.main, finding=finding)


def _different(asset: Asset, severity: Severity, reasons: Sequence[ExternalOrder]) -> Finding:
    more = asset.difference > 0
    kind = Kind.EXCHANGE_MORE if more else Kind.LOCAL_MORE
    explained = sum((order.effects[asset.name] for order in reasons), ZERO)
    if reasons and explained == asset.difference:
        why = f"explained by {count(len(reasons), 'order')} made outside THUNES"
    elif reasons:
        rest = amount(asset.difference - explained, asset.name)
        why = f"explained by {count(len(reasons), 'order')} made outside THUNES but for {rest}"
    else:
        why = "no order explains it: " + ("a deposit?" if more else "a withdrawal?")
    size, relation = amount(abs(asset.difference), asset.name), "more" if more else "less"
    return _finding(
        asset,
        kind,
        severity,
        message=f"the exchange has {size} {relation} than baseline and trades say; {why}",
        reasons=reasons,
        action=f'reconcile accept {asset.name} --reason "..."',
    )


def _unbacked(asset: Asset, position: Position, reasons: Sequence[ExternalOrder]) -> Finding:
    price = selling_price(reasons, position.symbol)
    stated = "..." if price is None else plain(price)
    return _finding(
        asset,
        Kind.LOCAL_MORE,
        Severity.CRITICAL,
        message=(
            f"position {position.id} holds {amount(position.quantity, asset.name)}, the exchange only"
            f" {amount(asset.held, asset.name)}; {'sold by hand' if reasons else 'sold by hand or withdrawn'}?"
        ),
        reasons=reasons,
        action=f'reconcile close {position.symbol} --price {stated} --reason "..."',
        symbol=position.symbol,
    )


def _dust(asset: Asset) -> Finding:
    return _finding(
        asset,
        Kind.DUST,
        Severity.INFO,
        message=f"{amount(asset.difference, asset.name)} is unexplained and too little to be sold",
        reasons=(),
        action=f'reconcile accept {asset.name} --reason "..."',
    )


def _finding(
    asset: Asset,
    kind: Kind,
    severity: Severity,
    *,
    message: str,
    reasons: Sequence[ExternalOrder],
    action: str,
    symbol: str | None = None,
) -> Finding:
    return Finding(
        key=f"{kind}:{asset.name}:{plain(asset.difference)}",
        kind=kind,
        severity=severity,
        message=message,
        asset=asset.name,
        symbol=symbol,
        exchange_qty=asset.held,
        local_qty=asset.expected,
        difference=asset.difference,
        orders=tuple(OrderRef.of(each) for each in reasons),
        action=action,
    )


def selling_price(reasons: Sequence[ExternalOrder], symbol: str) -> Decimal | None:
    """The average price at which others sold a symbol in these orders; None when they did not."""
    sales = [order for order in reasons if order.side is Side.SELL and order.symbol == symbol and order.executed_qty]
    quantity = sum((order.executed_qty for order in sales), ZERO)
    if not quantity:
        return None
    value = sum((order.executed_quote for order in sales), ZERO)
    return EXACT.divide(value, quantity).quantize(_PRICE_UNIT, context=EXACT)

"""What fills make of a position. Pure: the same fills in any order, seen any number of times, give the same answer.

Coins that the operator's word moved (see :class:`~thunes_cli.model.FillSource`) are folded like trades: adopted ones
were bought at their stated cost, those that left by hand were sold at their stated price, those that a wiped exchange
lost leave at cost, outside the result. None of them moved money, so they have no part in the quote balance.

Fees are a loss at once, whatever asset they are kept in; what is held is carried at the price paid without them.
Hence, exactly: quote received − quote paid − fees kept in quote + cost of what is held = realised result, where a
fee in a third asset (BNB) is part of the result at its value but never of the cash. So is a fee that a sale of BNB
keeps in BNB and that what is held cannot pay: the account's other coins pay it, and no position is ever negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from thunes_cli.ledger.positions import DustMove
from thunes_cli.model import ZERO, Fill, FillSource, Position, PositionStatus, Side, Trade

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_COST_UNIT = Decimal("1e-12")  # a share of the cost is rounded here, once; the rest keeps the remainder


@dataclass(frozen=True, slots=True)
class Folded:
    """A position's numbers, and what each fill realised (by fill row id, in quote, net of its fee).

    ``lent`` is the value (quote) of fees in base that coins outside the position paid.
    """

    quantity: Decimal
    cost: Decimal
    bought_qty: Decimal
    bought_quote: Decimal
    sold_qty: Decimal
    sold_quote: Decimal
    realized: Decimal
    fees: Decimal
    lent: Decimal
    entry_time: datetime | None
    last_exit: datetime | None
    realized_by_fill: tuple[tuple[int, Decimal], ...]


class _Inventory:
    """What is held and what it cost, while fills are walked through.

    ``paid`` are fees of sales that were taken from it, ``lent`` the value of those that others paid.
    """

    def __init__(self) -> None:
        self.quantity = ZERO
        self.cost = ZERO
        self.paid = ZERO
        self.lent = ZERO

    def add(self, quantity: Decimal, cost: Decimal) -> None:
        self.quantity = EXACT.add(self.quantity, quantity)
        self.cost = EXACT.add(self.cost, cost)

    def take(self, quantity: Decimal) -> Decimal:
        """Remove a quantity; returns its share of the cost."""
        if quantity == self.quantity:
            share = self.cost
        elif self.quantity == 0:
            share = ZERO
        else:
            exact = EXACT.divide(EXACT.multiply(self.cost, quantity), self.quantity)
            share = exact.quantize(_COST_UNIT, context=EXACT)
        self.add(-quantity, -share)
        return share

    def sell(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Remove what was sold; returns its cost. Coins that fees had taken may turn out to have been others'."""
        back = min(quantity - self.quantity, self.paid)
        if back > 0:
            self.paid = EXACT.subtract(self.paid, back)
            self.add(back, self._lend(back, price))
        return self.take(quantity)

    def pay(self, fee: Decimal, price: Decimal) -> Decimal:
        """Remove a fee kept in base; returns what it cost. What is not held is paid by others, at its value."""
        inside = min(fee, max(self.quantity, ZERO))
        self.paid = EXACT.add(self.paid, inside)
        share = self.take(inside) if inside else ZERO
        return EXACT.add(share, self._lend(fee - inside, price))

    def _lend(self, quantity: Decimal, price: Decimal) -> Decimal:
        value = EXACT.multiply(quantity, price)
        self.lent = EXACT.add(self.lent, value)
        return value


def fee_in_quote(fill_fee: Decimal, fee_asset: str, *, price: Decimal, base: str, quote: str) -> Decimal | None:
    """The value of a fee in the quote asset where the fill itself tells it: kept in quote or base; None otherwise."""
    if fee_asset == quote:
        return fill_fee
    if fee_asset == base:
        return EXACT.multiply(fill_fee, price)
    return ZERO if fill_fee == 0 else None


def fold(fills: Iterable[Fill], moves: Sequence[DustMove], *, base: str) -> Folded:
    """Fold a position's fills and dust moves.

    Args:
        fills: in any order, duplicates allowed (the trade id decides).
        moves: dust taken back at the start (quantity < 0), dust left behind at the end (quantity > 0).
        base: the asset held; a fee kept in it makes the quantity smaller.
    """
    held = _Inventory()
    for move in moves:
        if move.quantity < 0:
            held.add(-move.quantity, -move.cost)
    totals = {Side.BUY: [ZERO, ZERO], Side.SELL: [ZERO, ZERO]}
    realized: list[tuple[int, Decimal]] = []
    fees = ZERO
    ordered = sorted({fill.trade_id: fill for fill in fills}.values(), key=_place)
    for fill in ordered:
        if fill.source is not FillSource.RESET:
            totals[fill.side][0] += fill.quantity
            totals[fill.side][1] += fill.quote_quantity
        fees += fill.fee_quote
        realized.append((fill.id, _apply(fill, held, base=base)))
    for move in moves:
        if move.quantity > 0:
            held.add(-move.quantity, -move.cost)
    buys = [fill for fill in ordered if fill.side is Side.BUY]
    sales = [fill for fill in ordered if fill.side is Side.SELL]
    return Folded(
        quantity=held.quantity,
        cost=held.cost,
        bought_qty=totals[Side.BUY][0],
        bought_quote=totals[Side.BUY][1],
        sold_qty=totals[Side.SELL][0],
        sold_quote=totals[Side.SELL][1],
        realized=sum((value for _, value in realized), ZERO),
        fees=fees,
        lent=held.lent,
        entry_time=min((fill.traded_at for fill in buys), default=None),
        last_exit=max((fill.traded_at for fill in sales), default=None),
        realized_by_fill=tuple(realized),
    )


def _place(fill: Fill) -> tuple[int, int]:
    """Trades in the order of their ids; what was moved by word right after the trade it followed."""
    if fill.after_trade is None:
        return fill.trade_id, 0
    return fill.after_trade, -fill.trade_id


def _apply(fill: Fill, held: _Inventory, *, base: str) -> Decimal:
    kept_in_base = fill.fee if fill.fee_asset == base else ZERO
    if fill.side is Side.BUY:
        cost = fill.quote_quantity - (fill.fee_quote if kept_in_base else ZERO)
        held.add(fill.quantity - kept_in_base, cost)
        return -fill.fee_quote
    if fill.source is FillSource.RESET:
        held.take(fill.quantity)
        return ZERO
    gain = fill.quote_quantity - held.sell(fill.quantity, fill.price)
    # A fee in base on a SELL (selling BNB while fees are paid in BNB) leaves the inventory at cost.
    return gain - (held.pay(kept_in_base, fill.price) if kept_in_base else fill.fee_quote)


def apply_fold(position: Position, folded: Folded) -> Position:
    """The position row that a fold says; closed when something went and nothing is left."""
    closed = folded.quantity <= 0 and folded.last_exit is not None
    return replace(
        position,
        status=PositionStatus.CLOSED if closed else PositionStatus.OPEN,
        quantity=folded.quantity,
        cost=folded.cost,
        bought_qty=folded.bought_qty,
        bought_quote=folded.bought_quote,
        sold_qty=folded.sold_qty,
        sold_quote=folded.sold_quote,
        realized=folded.realized,
        fees=folded.fees,
        entry_time=folded.entry_time or position.entry_time,
        exit_time=folded.last_exit if closed else None,
    )


def unrealized(position: Position, price: Decimal) -> Decimal:
    """What selling at ``price`` would add to the realised result, before that sale's fee (quote)."""
    return position.quantity * price - position.cost


def asset_effects(fills: Iterable[Fill], *, assets: Mapping[str, tuple[str, str]]) -> dict[str, Decimal]:
    """What fills changed in the account, by asset, to the last digit: what an exchange's balances must show.

    Args:
        fills: any fills, each once.
        assets: base and quote of each symbol.
    """
    effects: dict[str, Decimal] = {}
    for fill in fills:
        base, quote = assets[fill.symbol]
        sign = 1 if fill.side is Side.BUY else -1
        _add(effects, base, sign * fill.quantity)
        if fill.source is FillSource.EXCHANGE:
            _add(effects, quote, -sign * fill.quote_quantity)
            _add(effects, fill.fee_asset, -fill.fee)
    return effects


def trade_effects(trades: Iterable[Trade], *, base: str, quote: str) -> dict[str, Decimal]:
    """The same of trades as the exchange lists them, of one symbol."""
    effects: dict[str, Decimal] = {}
    for trade in trades:
        sign = 1 if trade.side is Side.BUY else -1
        _add(effects, base, sign * trade.quantity)
        _add(effects, quote, -sign * trade.quote_quantity)
        _add(effects, trade.commission_asset, -trade.commission)
    return effects


def add_effects(total: dict[str, Decimal], more: Mapping[str, Decimal]) -> None:
    """Add amounts by asset."""
    for asset, amount in more.items():
        _add(total, asset, amount)


def _add(effects: dict[str, Decimal], asset: str, amount: Decimal) -> None:
    effects[asset] = EXACT.add(effects.get(asset, ZERO), amount)

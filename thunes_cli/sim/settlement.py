"""What a trade moves between the account's balances: what is paid, received and kept as fee adds up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from thunes_cli.model import Side
from thunes_cli.sim.accounts import Wallet
from thunes_cli.sim.amounts import EXACT, UNIT, divide, floor, multiply
from thunes_cli.sim.book import Level
from thunes_cli.sim.market import Listing, Market
from thunes_cli.sim.matching import commission
from thunes_cli.sim.orders import SimOrder, SimTrade
from thunes_cli.sim.symbols import SymbolSpec

BNB: Final = "BNB"
# What a commission costs that is paid in BNB.
DISCOUNT: Final = Decimal("0.75")


@dataclass(frozen=True, slots=True)
class Fees:
    """Commission rates as fractions of what an order receives; ``in_bnb``: paid in BNB while there is enough of it."""

    maker: Decimal
    taker: Decimal
    in_bnb: bool = False


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution about to be booked, as taker or maker, at a market time.

    ``bnb_price``: what a BNB costs in the quote asset, None where commissions are not paid in BNB.
    """

    take: Level
    trade_id: int
    time: int
    is_maker: bool
    bnb_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Moved:
    """What changes hands: amounts by asset, as the account sees them."""

    paid_asset: str
    paid: Decimal
    received_asset: str
    received: Decimal


def paid_asset(spec: SymbolSpec, order: SimOrder) -> str:
    """What an order pays with, and locks while it is open."""
    return spec.quote if order.side is Side.BUY else spec.base


def bnb_price(market: Market, listing: Listing, price: Decimal, moment: int) -> Decimal | None:
    """What a BNB costs in a symbol's quote asset, the symbol itself trading at ``price``; None where none can tell."""
    spec = listing.spec
    if spec.base == BNB:
        return price
    if spec.quote == BNB:
        return Decimal(1)
    found = market.find(BNB + spec.quote)
    return None if found is None else found.price(moment)


def settle(wallet: Wallet, spec: SymbolSpec, order: SimOrder, done: Execution, fees: Fees) -> tuple[SimOrder, SimTrade]:
    """Book one execution of an order: the order after it, and the trade.

    An order that rests pays from what it had reserved, one that takes pays from what is free.

    Raises:
        InsufficientBalance: the free balance does not cover a taker's payment.
    """
    price, quantity = done.take
    quote = multiply(price, quantity)
    buying = order.side is Side.BUY
    moved = _Moved(spec.quote, quote, spec.base, quantity) if buying else _Moved(spec.base, quantity, spec.quote, quote)
    executed = EXACT.add(order.executed_qty, quantity)
    after = replace(
        order,
        executed_qty=executed,
        executed_quote=EXACT.add(order.executed_quote, quote),
        status="FILLED" if executed >= order.orig_qty else "PARTIALLY_FILLED",
        update_time=done.time,
    )
    if done.is_maker:
        wallet.unlock(moved.paid_asset, EXACT.subtract(order.reserved, after.reserved))
    wallet.debit(moved.paid_asset, moved.paid)
    wallet.credit(moved.received_asset, moved.received)
    fee_asset, fee = _fee(wallet, moved, quote, done, fees)
    wallet.debit(fee_asset, fee)
    trade = SimTrade(
        symbol=order.symbol,
        trade_id=done.trade_id,
        order_id=order.order_id,
        price=price,
        quantity=quantity,
        quote=quote,
        commission=fee,
        commission_asset=fee_asset,
        time=done.time,
        is_buyer=buying,
        is_maker=done.is_maker,
    )
    return after, trade


def _fee(wallet: Wallet, moved: _Moved, quote: Decimal, done: Execution, fees: Fees) -> tuple[str, Decimal]:
    """In BNB at a discount where there is enough of it, else kept from what was received."""
    rate = fees.maker if done.is_maker else fees.taker
    if done.bnb_price:
        worth = moved.received if moved.received_asset == BNB else divide(quote, done.bnb_price)
        in_bnb = floor(EXACT.multiply(EXACT.multiply(worth, rate), DISCOUNT), UNIT)
        if in_bnb <= wallet.holding(BNB).free:
            return BNB, in_bnb
    return moved.received_asset, commission(moved.received, rate)

"""What a trade moves between the account's balances: what is paid, received and kept as fee adds up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from thunes_cli.model import Side
from thunes_cli.sim.accounts import Wallet
from thunes_cli.sim.amounts import EXACT, multiply
from thunes_cli.sim.book import Level
from thunes_cli.sim.matching import commission
from thunes_cli.sim.orders import SimOrder, SimTrade
from thunes_cli.sim.symbols import SymbolSpec


@dataclass(frozen=True, slots=True)
class Fees:
    """Commission rates as fractions of what an order receives."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution about to be booked, as taker or maker, at a market time."""

    take: Level
    trade_id: int
    time: int
    is_maker: bool


def settle(wallet: Wallet, spec: SymbolSpec, order: SimOrder, done: Execution, fees: Fees) -> tuple[SimOrder, SimTrade]:
    """Book one execution of an order: the order after it, and the trade.

    An order that rests pays from what it had reserved, one that takes pays from what is free.

    Raises:
        InsufficientBalance: the free balance does not cover a taker's payment.
    """
    price, quantity = done.take
    quote = multiply(price, quantity)
    buying = order.side is Side.BUY
    paid_asset, paid = (spec.quote, quote) if buying else (spec.base, quantity)
    received_asset, received = (spec.base, quantity) if buying else (spec.quote, quote)
    fee = commission(received, fees.maker if done.is_maker else fees.taker)
    executed = EXACT.add(order.executed_qty, quantity)
    after = replace(
        order,
        executed_qty=executed,
        executed_quote=EXACT.add(order.executed_quote, quote),
        status="FILLED" if executed >= order.orig_qty else "PARTIALLY_FILLED",
        update_time=done.time,
    )
    if done.is_maker:
        wallet.unlock(paid_asset, EXACT.subtract(order.reserved, after.reserved))
    wallet.debit(paid_asset, paid)
    wallet.credit(received_asset, EXACT.subtract(received, fee))
    trade = SimTrade(
        symbol=order.symbol,
        trade_id=done.trade_id,
        order_id=order.order_id,
        price=price,
        quantity=quantity,
        quote=quote,
        commission=fee,
        commission_asset=received_asset,
        time=done.time,
        is_buyer=buying,
        is_maker=done.is_maker,
    )
    return after, trade

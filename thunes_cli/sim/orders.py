"""Orders and trades as the exchange keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.model import Side
from thunes_cli.sim.amounts import EXACT, ZERO, multiply

# Orders that wait for a price before they work, and those of them that then rest at a limit.
STOP_TYPES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
# The working time of an order that waits for its price, and the tracking time of one that does not track it yet.
NOT_YET = -1
OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED"})


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A new order as it was sent, parsed; amounts that were not sent are None."""

    symbol: str
    side: Side
    type: str
    client_order_id: str
    time_in_force: str | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    iceberg_qty: Decimal | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None
    trailing_delta: int | None = None
    self_trade_mode: str = "NONE"


@dataclass(frozen=True, slots=True)
class SimOrder:
    """One order. Times are market ms; ``executed_qty`` is the truth whatever the status.

    ``working_time``: since when it is on the book, −1 while it waits for its price. ``trailing_delta``: basis points;
    ``trailing_time``: since when a trailing order tracks the price. ``lock_price``: at which a BUY's funds are held.
    """

    symbol: str
    order_id: int
    client_order_id: str
    side: Side
    type: str
    time_in_force: str
    status: str
    price: Decimal
    orig_qty: Decimal
    orig_quote_qty: Decimal
    executed_qty: Decimal
    executed_quote: Decimal
    stop_price: Decimal
    iceberg_qty: Decimal
    time: int
    update_time: int
    working_time: int
    expiry_reason: str | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None
    trailing_delta: int | None = None
    trailing_time: int | None = None
    lock_price: Decimal = ZERO
    self_trade_mode: str = "NONE"

    @property
    def working(self) -> bool:
        """Whether it is, or was, on the book: not an order that still waits for its price."""
        return self.working_time != NOT_YET

    @property
    def open(self) -> bool:
        """Whether it rests on the book or waits for its price."""
        return self.status in OPEN_STATUSES

    @property
    def left(self) -> Decimal:
        """Base quantity not executed yet."""
        return EXACT.subtract(self.orig_qty, self.executed_qty)

    @property
    def reserved(self) -> Decimal:
        """What is locked for the rest of a resting order: quote for a BUY, base for a SELL."""
        if not self.open:
            return ZERO
        return multiply(self.lock_price, self.left) if self.side is Side.BUY else self.left


@dataclass(frozen=True, slots=True)
class SimTrade:
    """One execution. The commission is in ``commission_asset``: what the order received, or BNB."""

    symbol: str
    trade_id: int
    order_id: int
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


@dataclass(frozen=True, slots=True)
class Amendment:
    """One reduction of an open order's quantity."""

    symbol: str
    order_id: int
    execution_id: int
    orig_client_order_id: str
    new_client_order_id: str
    orig_qty: Decimal
    new_qty: Decimal
    time: int

"""What a comparison of ledger and exchange can find, and the evidence for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from thunes_cli.ledger.external import ExternalOrder
from thunes_cli.model import Fill, Order, OrderReport, Side, Trade, plain


class Kind(enum.StrEnum):
    """The kinds of the contract."""

    UNRECORDED_FILL = "unrecorded_fill"
    MISSING_ORDER = "missing_order"
    UNRESOLVED_ORDER = "unresolved_order"
    EXCHANGE_MORE = "exchange_more"
    LOCAL_MORE = "local_more"
    EXTERNAL_ORDER = "external_order"
    OTHER_INSTANCE = "other_instance"
    OTHER_COPY = "other_copy"
    DUST = "dust"
    FEE_DRIFT = "fee_drift"
    EXCHANGE_RESET = "exchange_reset"


class Severity(enum.StrEnum):
    """How bad a finding is. INFO does not make a comparison unclean."""

    INFO = "info"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return list(Severity).index(self)


FOREIGN = frozenset({Kind.EXTERNAL_ORDER, Kind.OTHER_INSTANCE, Kind.OTHER_COPY})


@dataclass(frozen=True, slots=True)
class OrderRef:
    """An order as evidence; ``order_id`` is the exchange's number, None when it never told."""

    symbol: str
    order_id: int | None
    client_order_id: str
    side: Side
    executed_qty: Decimal
    at: datetime

    @classmethod
    def of(cls, order: OrderReport | ExternalOrder | Order) -> OrderRef:
        """As the exchange reports it, as we remember a stranger's, or as the ledger has our own."""
        number: int | None
        if isinstance(order, Order):
            number, at = order.exchange_order_id, order.created_at
        else:
            number, at = order.order_id, order.time if isinstance(order, OrderReport) else order.placed_at
        return cls(order.symbol, number, order.client_order_id, order.side, order.executed_qty, at)


@dataclass(frozen=True, slots=True)
class TradeRef:
    """A trade as evidence."""

    symbol: str
    trade_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    at: datetime

    @classmethod
    def of(cls, trade: Trade | Fill) -> TradeRef:
        """From either side."""
        at = trade.time if isinstance(trade, Trade) else trade.traded_at
        return cls(trade.symbol, trade.trade_id, trade.side, trade.price, trade.quantity, at)


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    ``key`` identifies it from run to run. Quantities are of ``asset``; ``difference`` is the exchange's less ours.
    ``action`` is a thunes command without the program's name, empty when there is nothing to type; ``safe`` says that
    our own orders prove it, so that ``--apply`` alone settles it.
    """

    key: str
    kind: Kind
    severity: Severity
    message: str
    asset: str | None = None
    symbol: str | None = None
    exchange_qty: Decimal | None = None
    local_qty: Decimal | None = None
    difference: Decimal | None = None
    orders: tuple[OrderRef, ...] = ()
    trades: tuple[TradeRef, ...] = ()
    action: str = ""
    safe: bool = False

    @property
    def counts(self) -> bool:
        """Whether the comparison is not clean because of it."""
        return self.severity is not Severity.INFO


def amount(value: Decimal, asset: str) -> str:
    """For messages."""
    return f"{plain(value)} {asset}"

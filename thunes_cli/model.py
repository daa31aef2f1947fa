"""The words of the trade: frozen values that every room shares. Money is ``Decimal``, times are UTC-aware."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NewType

ClientOrderId = NewType("ClientOrderId", str)
SignalId = NewType("SignalId", str)

ZERO = Decimal(0)
_RATIO_UNIT = Decimal("1e-12")  # averages are rounded here; the exchange's own prices have eight decimals at most


def plain(value: Decimal) -> str:
    """A decimal as the exchange and the ledger want it: no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


class Environment(enum.StrEnum):
    """Which exchange a home trades on."""

    SIM = "sim"
    TESTNET = "testnet"
    LIVE = "live"


class Side(enum.StrEnum):
    """Side of an order."""

    BUY = "BUY"
    SELL = "SELL"


class OrderState(enum.StrEnum):
    """Our view of an order. UNKNOWN lies between SENT and the truth; NOT_PLACED is the proven negative."""

    INTENT = "INTENT"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ACKED = "ACKED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    NOT_PLACED = "NOT_PLACED"

    @property
    def live(self) -> bool:
        """Whether the exchange may still be working on it (one such order a symbol)."""
        return self in LIVE_STATES

    @property
    def unplaced(self) -> bool:
        """Whether it is proven that the exchange never took it."""
        return self in {OrderState.NOT_PLACED, OrderState.REJECTED}

    @property
    def unresolved(self) -> bool:
        """Whether we do not know what became of it."""
        return self in {OrderState.SENT, OrderState.UNKNOWN}


LIVE_STATES = frozenset({OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN, OrderState.ACKED})


class ExitReason(enum.StrEnum):
    """Why a position is to be sold."""

    SIGNAL = "signal"
    STOP_LOSS = "stop_loss"
    OPERATOR = "operator"


class FillSource(enum.StrEnum):
    """Where a fill comes from: a trade of ours, or the operator's word about coins that no order of ours moved.

    ADOPTED: coins of the account become ours at a stated cost. MANUAL: coins of ours left otherwise, at a stated
    price. RESET: coins that a wiped exchange no longer has.
    """

    EXCHANGE = "exchange"
    ADOPTED = "adopted"
    MANUAL = "manual"
    RESET = "reset"


class PositionStatus(enum.StrEnum):
    """OPEN while something is held."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


class Mode(enum.StrEnum):
    """What a daemon may do."""

    STARTING = "starting"
    TRADING = "trading"
    EXITS_ONLY = "exits-only"


class Rejection(enum.StrEnum):
    """Why an entry was refused, in the order in which the rules are asked."""

    KILL_SWITCH = "kill_switch_active"
    DAILY_LOSS = "daily_loss_limit_exceeded"
    PER_TRADE_LOSS = "per_trade_loss_limit_exceeded"
    MAX_POSITIONS = "max_position_limit_reached"
    DUPLICATE = "duplicate_position"
    COOL_DOWN = "cool_down_active"
    BREAKER = "circuit_breaker_open"
    RATE_BAN = "rate_limit_ban"
    PRICE_STALE = "price_stale"
    CLOCK_SKEW = "clock_skew"
    FROZEN = "symbol_frozen"
    AUDIT = "audit_unavailable"
    TAMPERED = "audit_tampered"
    DISK = "disk_low"
    EXPIRED = "signal_expired"
    EXITS_ONLY = "exits_only"
    NOT_TRADABLE = "symbol_not_tradable"
    FILTER = "exchange_filter"
    OTHER_COPY = "other_copy"


_TIMEFRAME_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
TIMEFRAMES = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")


def timeframe_span(timeframe: str) -> timedelta:
    """Length of a candle interval such as ``5m``; the calendar month ``1M`` has no fixed length and is refused.

    Raises:
        ValueError: an interval the exchange does not offer.
    """
    if timeframe not in TIMEFRAMES:
        message = f"{timeframe!r} is not one of {', '.join(TIMEFRAMES)}"
        raise ValueError(message)
    return timedelta(seconds=int(timeframe[:-1]) * _TIMEFRAME_UNITS[timeframe[-1]])


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; ``close_time`` is the first instant after it (the exchange's closeTime + 1 ms). Volume in base."""

    open_time: datetime
    close_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Signal:
    """What a strategy wants after the candle that opened at ``candle_open_time`` closed."""

    symbol: str
    strategy: str
    side: Side
    candle_open_time: datetime
    candle_close_time: datetime
    price: Decimal
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> SignalId:
        """Unique for ever: at most one order is made of a BUY signal."""
        opened = self.candle_open_time.strftime("%Y%m%dT%H%M%SZ")
        return SignalId(f"{self.symbol}:{self.strategy}:{opened}:{self.side}")


@dataclass(frozen=True, slots=True)
class Decision:
    """The rules' answer to an entry: approved, or the first rule that refused and the numbers that decided."""

    approved: bool
    reason: Rejection | None = None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account holds of one asset."""

    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


@dataclass(frozen=True, slots=True)
class Account:
    """The exchange's answer to "who am I": ``uid`` identifies the account, balances by asset (zeros omitted)."""

    uid: str
    can_trade: bool
    balances: dict[str, Balance]


@dataclass(frozen=True, slots=True)
class KeyRestrictions:
    """What an API key may do, by the exchange's names; when it was made, and until when it may trade, if that ends."""

    permissions: Mapping[str, bool]
    created_at: datetime | None = None
    trading_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution as the exchange reports it. The commission is taken from what the order receives, or BNB."""

    symbol: str
    trade_id: int
    order_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    commission: Decimal
    commission_asset: str
    time: datetime
    is_maker: bool = False


@dataclass(frozen=True, slots=True)
class OrderReport:
    """The exchange's view of an order. ``executed_qty`` is the truth for every status, EXPIRED included.

    ``executed_quote`` is negative when the exchange no longer knows it. ``trades`` is filled only by a FULL reply.
    """

    symbol: str
    order_id: int
    client_order_id: ClientOrderId
    side: Side
    status: str
    orig_qty: Decimal
    orig_quote_qty: Decimal
    executed_qty: Decimal
    executed_quote: Decimal
    time: datetime
    trades: tuple[Trade, ...] = ()

    @property
    def by_quote(self) -> bool:
        """Whether it named an amount to spend."""
        return self.side is Side.BUY and self.orig_quote_qty > 0

    @property
    def requested(self) -> Decimal:
        """The amount it named: quote if ``by_quote``, else base."""
        return self.orig_quote_qty if self.by_quote else self.orig_qty


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """A market order as it is sent: a BUY names ``quote_quantity``, a SELL names ``quantity``; never both."""

    symbol: str
    side: Side
    client_order_id: ClientOrderId
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the ledger knows it; ``requested`` is base for a SELL, quote for a BUY."""

    id: int
    client_order_id: ClientOrderId
    exchange_epoch: int
    exchange_order_id: int | None
    symbol: str
    base: str
    quote: str
    side: Side
    state: OrderState
    strategy: str
    stop_loss_pct: Decimal
    requested_base: Decimal | None
    requested_quote: Decimal | None
    executed_qty: Decimal
    executed_quote: Decimal
    signal_id: SignalId | None
    position_id: int | None
    attempt: int | None
    reason: str | None
    created_at: datetime
    updated_at: datetime
    sent_timestamp_ms: int | None
    recv_window_ms: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of ours, booked. ``fee_quote`` is the fee valued in the quote asset at the time of the trade.

    A fill of another ``source`` moved coins between us and the rest of the account, and no money: its ``trade_id`` is
    negative, ``after_trade`` the trade it follows.
    """

    id: int
    exchange_epoch: int
    symbol: str
    trade_id: int
    order_id: int
    position_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal
    fee_valued: str
    realized: Decimal
    traded_at: datetime
    source: FillSource = FillSource.EXCHANGE
    after_trade: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """What we hold of one symbol and what it cost: a fold over its fills, never edited by hand.

    ``quantity`` is net of fees kept in base; ``cost`` is what the held quantity cost in quote, without fees;
    ``realized`` is in quote, net of all fees.
    """

    id: int
    exchange_epoch: int
    symbol: str
    base: str
    quote: str
    strategy: str
    stop_loss_pct: Decimal
    status: PositionStatus
    quantity: Decimal
    cost: Decimal
    bought_qty: Decimal
    bought_quote: Decimal
    sold_qty: Decimal
    sold_quote: Decimal
    realized: Decimal
    fees: Decimal
    entry_time: datetime
    exit_time: datetime | None
    exit_wanted: ExitReason | None
    exit_wanted_since: datetime | None
    exit_next_try_wall: datetime | None
    exit_problem: str | None

    @property
    def entry_price(self) -> Decimal:
        """Average price paid, fees not included; zero before the first fill."""
        return (self.bought_quote / self.bought_qty).quantize(_RATIO_UNIT) if self.bought_qty else ZERO

    @property
    def was_traded_away(self) -> bool:
        """Whether it is closed and counts as a trade: what a wiped exchange lost does not."""
        return self.status is PositionStatus.CLOSED and self.sold_qty > 0

    @property
    def exit_price(self) -> Decimal | None:
        """Average price received, or None before the first sale."""
        return (self.sold_quote / self.sold_qty).quantize(_RATIO_UNIT) if self.sold_qty else None

    @property
    def stop_price(self) -> Decimal:
        """Last price at or below which the stop-loss sells: average entry × (1 − pct)."""
        return self.entry_price * (1 - self.stop_loss_pct / 100)

"""The two sides of a comparison, each as it was at one instant: what the exchange lists, what the ledger says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from thunes_cli.ledger.external import ExternalOrder
from thunes_cli.model import Environment, Fill, Order, OrderReport, Position, Trade

BNB = "BNB"


@dataclass(frozen=True, slots=True)
class Window:
    """From which ids on a symbol's orders and trades are listed.

    ``newest_from``: the newest page is enough if it reaches back to that moment; what is older does not concern us.
    """

    symbol: str
    base: str
    quote: str
    first_order: int = 0
    first_trade: int = 0
    newest_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """What the exchange lists of a symbol, oldest first; ``orders`` also holds older ones that its trades name."""

    window: Window
    orders: tuple[OrderReport, ...] = ()
    trades: tuple[Trade, ...] = ()


@dataclass(frozen=True, slots=True)
class Market:
    """The exchange's side. Balances and trades fit: no trade of a listed symbol lies between the two readings.

    ``began`` is market time before the first question. ``totals`` is what the account holds, free and locked; ``uid``
    says whose it is.
    """

    began: datetime
    uid: str
    totals: Mapping[str, Decimal]
    listed: Mapping[str, Listed]


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger's side, of the exchange epoch in force, read in one transaction after the exchange was asked.

    ``assets`` is base and quote of every symbol ever ordered; ``in_flight`` are orders (row ids) that a living process
    is working on; ``other_ids`` are client ids of earlier exchange epochs; ``accepted`` are keys of findings that the
    operator lives with.
    """

    environment: Environment
    instance: str
    epoch: str
    epochs: frozenset[str]
    next_order: int
    entries_from: datetime | None
    baseline_at: datetime
    not_ours: Mapping[str, Decimal]
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    positions: tuple[Position, ...]
    assets: Mapping[str, tuple[str, str]]
    in_flight: frozenset[int] = frozenset()
    other_ids: frozenset[str] = frozenset()
    external: tuple[ExternalOrder, ...] = ()
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Terms:
    """How to compare.

    ``slack``: how much earlier than our own note the exchange may date an order. ``steps``: the least quantity of a
    base that can be sold, where it is known. ``main``: the assets that decide. ``only``: the assets compared at all,
    None for all.
    """

    slack: timedelta
    steps: Mapping[str, Decimal]
    main: frozenset[str]
    only: frozenset[str] | None = None

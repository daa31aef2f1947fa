"""What the rest of the house needs of an exchange, and nothing more.

Every method may raise the kinds of :mod:`thunes_cli.exchange.failures`. Order placement raises ``OutcomeUnknown``
whenever the exchange might have executed it; the caller resolves, never resends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.model import Account, Candle, ClientOrderId, MarketOrder, OrderReport, Trade


class Exchange(Protocol):
    """A spot exchange that speaks Binance's rules."""

    def ping(self) -> None:
        """Return when the exchange answers."""

    def server_time(self) -> datetime:
        """The exchange's clock, one reading (no correction for the round trip)."""

    def symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        """Status, assets and filters of each symbol; a symbol the exchange does not know is absent."""

    def candles(
        self,
        symbol: str,
        timeframe: str,
        *,
        limit: int = 500,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Candle]:
        """Candles, oldest first, at most 1000; the last one may still be open. ``start``/``end`` bound open times."""

    def last_price(self, symbol: str) -> Decimal:
        """Price of the last trade."""

    def average_price(self, symbol: str) -> Decimal:
        """Average price over the exchange's own window (5 min): the reference of the notional filters."""

    def account(self) -> Account:
        """Balances and account id (signed)."""

    def place(self, order: MarketOrder, *, timestamp_ms: int) -> OrderReport:
        """Send a market order once, with exactly this timestamp, asking for a FULL reply."""

    def test_place(self, order: MarketOrder) -> None:
        """Let the exchange validate an order without executing it."""

    def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        """The order by client id, or None when the exchange answers −2013 (once is no proof of absence)."""

    def orders(
        self, symbol: str, *, from_order_id: int | None = None, start: datetime | None = None
    ) -> list[OrderReport]:
        """Orders of a symbol, oldest first: those with at least that id, or those since ``start`` (24 h window)."""

    def open_orders(self, symbol: str) -> list[OrderReport]:
        """Orders the exchange is still working on."""

    def trades(self, symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        """Our executions of a symbol, oldest first, at most 1000: of one order, or from a trade id on."""

    @property
    def recv_window_ms(self) -> int:
        """The recvWindow every signed request really carries."""

"""The exchange as the rest of the house uses it: behind the ban clock and the breaker.

Before each call both are asked, afterwards both are told; no lock and no transaction is held in between. While the
breaker is open the first read (or the daemon's :meth:`GuardedExchange.probe`) whose time has come sends the probe, a
signed read of its own. An order never is the probe and is not delayed by one.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TypeVar

from thunes_cli.errors import ThunesError
from thunes_cli.exchange.breaker import Admission, Breaker
from thunes_cli.exchange.failures import (
    AuthFailed,
    BreakerOpen,
    ExchangeFailure,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.exchange.key_guard import KeyGuard
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.exchange.rate_gate import RateGate
from thunes_cli.ledger.bans import Ban
from thunes_cli.ledger.breakers import ProbeLease
from thunes_cli.model import Account, Candle, ClientOrderId, MarketOrder, OrderReport, Trade

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
LEDGER_ERRORS = (sqlite3.Error, OSError, ThunesError)


class GuardedExchange:
    """An :class:`~thunes_cli.exchange.protocol.Exchange` around another one; every method may raise ``BreakerOpen``."""

    def __init__(self, exchange: Exchange, *, breaker: Breaker, gate: RateGate, key: KeyGuard | None = None) -> None:
        """``key``: None asks with a rejected key as often as it is told to (a check of the key itself)."""
        self._exchange = exchange
        self._breaker = breaker
        self._gate = gate
        self._key = key

    # -- the guard ---------------------------------------------------------------------------------------------

    def _call(self, work: Callable[[], _T], *, light: bool = False, signed: bool = False) -> _T:
        """A read. ``light``: it costs next to nothing, and an exit may need it (see ``RateGate.slow_down``)."""
        if self._breaker.probe_due():
            self.probe()
        self._gate.slow_down(light=light)
        return self._guarded(work, signed=signed)

    def _guarded(self, work: Callable[[], _T], *, signed: bool, ordering: bool = False) -> _T:
        past = self._gate.check()
        admission = self._breaker.admit()
        if signed and self._key is not None:
            self._key.check()
        try:
            result = work()
        except ExchangeFailure as failure:
            self._note_failure(admission, failure, past, ordering=ordering)
            raise
        self._note_answer(past, signed=signed, ordering=ordering)
        return result

    def _note_failure(
        self, admission: Admission, failure: ExchangeFailure, past: Ban | None, *, ordering: bool
    ) -> None:
        def note() -> None:
            limit = _ban_in(failure)
            if limit is not None:
                self._gate.limited(limit)
            elif isinstance(failure, Rejected):
                self._gate.answered(past)
            self._breaker.failed(admission, failure)
            if isinstance(failure, AuthFailed) and self._key is not None:
                self._key.rejected(failure, ordering=ordering)

        self._without_masking(note)

    def _note_answer(self, past: Ban | None, *, signed: bool, ordering: bool = False) -> None:
        def note() -> None:
            self._gate.answered(past)
            if signed and self._key is not None:
                self._key.accepted(ordering=ordering)

        self._without_masking(note)

    def _without_masking(self, note: Callable[[], None]) -> None:
        """A ledger that cannot be written (a full disk) must not hide what became of an order."""
        try:
            note()
        except LEDGER_ERRORS as error:
            _LOG.error("the outcome of a call could not be recorded: %s", error)
        self._gate.record()

    def probe(self) -> bool:
        """Send the probe when it is due and nobody has it, and try a rejected key again; whether calls may go out now.

        Raises nothing of the exchange's: a failed probe is an answer.
        """
        try:
            past = self._gate.check()
            lease = self._take_probe()
            if lease is not None:
                self._send_probe(lease, past)
            self._breaker.admit()
        except BreakerOpen:
            return False
        if self._key is not None and self._key.retry_due():
            with contextlib.suppress(ExchangeFailure):
                self._guarded(self._exchange.account, signed=True)
        return True

    def _take_probe(self) -> ProbeLease | None:
        try:
            return self._breaker.take_probe()
        except LEDGER_ERRORS as error:
            _LOG.error("the probe could not be taken: %s", error)
            return None

    def _send_probe(self, lease: ProbeLease, past: Ban | None) -> None:
        outcome: BaseException | None = None
        try:
            self._exchange.account()
        except ExchangeFailure as failure:
            outcome = failure
        except BaseException as error:
            outcome = error
            raise
        finally:
            self._without_masking(lambda: self._breaker.settle(lease, outcome))
            limit = _ban_in(outcome)
            if limit is not None:
                self._without_masking(lambda: self._gate.limited(limit))
            elif outcome is None:
                self._note_answer(past, signed=True)
            elif isinstance(outcome, AuthFailed) and self._key is not None:
                rejected = partial(self._key.rejected, outcome, ordering=False)
                self._without_masking(rejected)

    # -- the exchange ------------------------------------------------------------------------------------------

    @property
    def recv_window_ms(self) -> int:
        """The recvWindow every signed request really carries."""
        return self._exchange.recv_window_ms

    def ping(self) -> None:
        """Return when the exchange answers."""
        self._call(self._exchange.ping, light=True)

    def server_time(self) -> datetime:
        """The exchange's clock, one reading."""
        return self._call(self._exchange.server_time, light=True)

    def symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        """Rules by symbol; unknown ones are absent."""
        return self._call(lambda: self._exchange.symbol_rules(symbols))

    def candles(
        self,
        symbol: str,
        timeframe: str,
        *,
        limit: int = 500,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Candle]:
        """Candles, oldest first; the last one may still be open."""
        return self._call(lambda: self._exchange.candles(symbol, timeframe, limit=limit, start=start, end=end))

    def last_price(self, symbol: str) -> Decimal:
        """Price of the last trade."""
        return self._call(lambda: self._exchange.last_price(symbol), light=True)

    def average_price(self, symbol: str) -> Decimal:
        """Average price over the exchange's own window."""
        return self._call(lambda: self._exchange.average_price(symbol), light=True)

    def account(self) -> Account:
        """Balances and account id."""
        return self._call(self._exchange.account, signed=True)

    def place(self, order: MarketOrder, *, timestamp_ms: int) -> OrderReport:
        """Send a market order once; ``BreakerOpen`` proves that it was not sent."""
        return self._guarded(lambda: self._exchange.place(order, timestamp_ms=timestamp_ms), signed=True, ordering=True)

    def test_place(self, order: MarketOrder) -> None:
        """Let the exchange validate an order without executing it."""
        self._call(lambda: self._exchange.test_place(order), signed=True)

    def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        """The order by client id, or None on -2013."""
        return self._call(lambda: self._exchange.order(symbol, client_order_id), light=True, signed=True)

    def orders(
        self, symbol: str, *, from_order_id: int | None = None, start: datetime | None = None
    ) -> list[OrderReport]:
        """Orders of a symbol, oldest first."""
        return self._call(lambda: self._exchange.orders(symbol, from_order_id=from_order_id, start=start), signed=True)

    def open_orders(self, symbol: str) -> list[OrderReport]:
        """Orders the exchange is still working on."""
        return self._call(lambda: self._exchange.open_orders(symbol), signed=True)

    def trades(self, symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        """Our executions of a symbol, oldest first."""
        return self._call(
            lambda: self._exchange.trades(symbol, order_id=order_id, from_trade_id=from_trade_id),
            light=order_id is not None,
            signed=True,
        )


def _ban_in(failure: BaseException | None) -> RateLimited | None:
    """The order to be silent that a failure carries: an order's unknown outcome may hold one as well."""
    if isinstance(failure, OutcomeUnknown):
        failure = failure.underlying
    return failure if isinstance(failure, RateLimited) else None

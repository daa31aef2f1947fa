"""One signal check: for every symbol, exits first, then at most one entry."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from thunes_cli.audit.journal import Journal
from thunes_cli.errors import ConfigError, LedgerGone
from thunes_cli.exchange.failures import BreakerOpen, ExchangeFailure
from thunes_cli.exchange.filters import MarketFacts
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import orders, positions
from thunes_cli.ledger.known import save_price
from thunes_cli.ledger.machine_faults import is_machine_fault
from thunes_cli.ledger.reserve import is_full
from thunes_cli.market.feed import Feed, Price
from thunes_cli.model import ExitReason, Mode, Order, OrderState, Position, Rejection, Side, Signal
from thunes_cli.risk.exits import exit_reason
from thunes_cli.risk.rules import Limits
from thunes_cli.trading.entering import NO_QUOTE, Entries, Quote
from thunes_cli.trading.execution import Execution
from thunes_cli.trading.exiting import Exits
from thunes_cli.trading.plan import TradingPlan, named
from thunes_cli.trading.symbols import SymbolBook
from thunes_cli.trading.watch import Watch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """What one check made of one symbol; ``reason`` is a rejection, an exit reason or a failure's code."""

    symbol: str
    candle_open_time: datetime | None = None
    signal: Side | None = None
    decision: str = "none"
    reason: str | None = None
    client_order_id: str | None = None
    order_state: OrderState | None = None


def raise_first(bugs: Sequence[Exception]) -> None:
    """Raise the first, if there is one, so that the job fails; the others are logged, or nobody would hear of them."""
    for error in bugs[1:]:
        _log.error("a check failed as well: error=%s", error, exc_info=None if is_machine_fault(error) else error)
    if bugs:
        raise bugs[0]


class Engine:
    """The trading of one home. Not for concurrent use: checks follow one another."""

    def __init__(
        self,
        journal: Journal,
        exchange: Exchange,
        feed: Feed,
        symbols: SymbolBook,
        execution: Execution,
        *,
        plan: TradingPlan,
        limits: Limits,
        home: Path,
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._feed = feed
        self._symbols = symbols
        self._execution = execution
        self._plan = plan
        self._exits = Exits(journal, exchange, symbols, execution)
        self._entries = Entries(journal, plan, limits, home=home)
        self._watches: dict[tuple[str, str], Watch] = {}
        self._failures: dict[tuple[int, str], list[str]] = {}
        self.mode = Mode.TRADING
        self.mode_reason = ""

    def signal_check(self) -> list[Tick]:
        """Check SYMBOLS ∪ symbols with a position (exits only). A symbol that fails does not stop the others."""
        held = self._open_positions()
        ticks: dict[str, Tick] = {}
        bugs: list[Exception] = []
        symbols = [*self._plan.symbols, *sorted(held.keys() - set(self._plan.symbols))]
        for symbol in sorted(symbols, key=lambda symbol: symbol not in held):  # of many symbols the first may be sold
            try:
                ticks[symbol] = self._try_check(symbol, held.get(symbol))
            except Exception as error:  # noqa: BLE001 - whatever it is, other symbols may have to be sold
                bugs.append(error)
        self._tell_failures()
        raise_first(bugs)
        return [ticks[symbol] for symbol in symbols if symbol in ticks]

    def candle_check(self, symbol: str) -> Tick:
        """Check one symbol whose candle has just closed; the check on the grid finds what was decided already."""
        with self._journal.read() as connection:
            position = positions.position_of_symbol(connection, symbol)
        try:
            return self._try_check(symbol, position)
        finally:
            self._tell_failures()

    def _try_check(self, symbol: str, position: Position | None) -> Tick:
        try:
            return self._check(symbol, position)
        except (ExchangeFailure, ConfigError, LedgerGone) as error:
            level = logging.WARNING if isinstance(error, ExchangeFailure) else logging.ERROR
            self._failures.setdefault((level, str(error)), []).append(symbol)
            return Tick(symbol, reason=error.code)

    def _tell_failures(self) -> None:
        """A line a cause: an exchange that is away fails every symbol alike."""
        failures, self._failures = self._failures, {}
        for (level, why), symbols in failures.items():
            _log.log(level, "check failed: symbol=%s why=%s", named(symbols), why)

    def stop_check(self) -> None:
        """Look at the last price of every position: stops, and exits that are wanted already."""
        bugs: list[Exception] = []
        for symbol, position in self._open_positions().items():
            try:
                self._leave_if_wanted(position, self._price(symbol), signals=())
            except ExchangeFailure as error:
                _log.warning("stop check failed: symbol=%s why=%s", symbol, error)
            except Exception as error:  # noqa: BLE001 - as above
                bugs.append(error)
        raise_first(bugs)

    def price_check(self, symbol: str, price: Price) -> None:
        """A price that a stream brought: the stop of the symbol's position, and an exit that is wanted already."""
        with self._journal.read() as connection:
            position = positions.position_of_symbol(connection, symbol)
        if position is not None:
            self._leave_if_wanted(position, price, signals=())

    def held_symbols(self) -> list[str]:
        """The symbols with a position."""
        return sorted(self._open_positions())

    def _open_positions(self) -> dict[str, Position]:
        with self._journal.read() as connection:
            return {position.symbol: position for position in positions.open_positions(connection)}

    def _check(self, symbol: str, position: Position | None) -> Tick:
        if position is None:
            return self._consider_entry(symbol, self._observe(symbol, self._plan.strategy))
        try:
            watch = self._observe(symbol, position.strategy)
        except (ConfigError, ExchangeFailure) as error:
            # Without candles there are no signals, but the stop and a wish that stands need only a price.
            _log.warning("no signals: symbol=%s why=%s", symbol, error)
            watch = None
        return self._check_position(position, watch)

    def _check_position(self, position: Position, watch: Watch | None) -> Tick:
        signals = watch.signals if watch is not None else ()
        order = self._leave_if_wanted(position, self._price(position.symbol), signals=signals)
        with self._journal.read() as connection:
            fresh = positions.read_position(connection, position.id)
        signal = watch.signal if watch is not None else None
        tick = Tick(
            position.symbol,
            candle_open_time=watch.latest.open_time if watch is not None and watch.latest else None,
            signal=signal.side if signal else None,
            reason=fresh.exit_wanted or (order.reason if order else None),
            client_order_id=order.client_order_id if order else None,
            order_state=order.state if order else None,
        )
        if signal is None or signal.side is Side.SELL or order is not None or watch is None:
            return tick
        return self._consider_entry(position.symbol, watch)

    def _leave_if_wanted(self, position: Position, price: Price, *, signals: Sequence[Signal]) -> Order | None:
        try:
            return self._leave(position, price, signals=signals)
        except sqlite3.Error as error:
            if not is_full(error, self._journal.ledger.path.parent):
                raise
            _log.critical("the disk is full, once more on the reserve: symbol=%s error=%s", position.symbol, error)
        return self._leave(position, price, signals=signals)  # whatever was done is written down: nothing is done twice

    def _leave(self, position: Position, price: Price, *, signals: Sequence[Signal]) -> Order | None:
        wanted = position.exit_wanted
        if wanted is None:
            wanted = exit_reason(position, price=price.value, signals=signals)
            if wanted is None:
                return None
            self._exits.want(position, wanted, price=price.value if wanted is ExitReason.STOP_LOSS else None)
        with self._journal.read() as connection:
            position = positions.read_position(connection, position.id)
        return self._exits.attempt(position, price=price.value)

    def _consider_entry(self, symbol: str, watch: Watch) -> Tick:
        latest, signal = watch.latest, watch.signal
        tick = Tick(
            symbol, candle_open_time=latest.open_time if latest else None, signal=signal.side if signal else None
        )
        if signal is None or signal.side is Side.SELL:
            return tick
        with self._journal.read() as connection:
            existing = orders.order_of_signal(connection, signal.id)
        if existing is not None:
            return _with_order(tick, existing)
        entry = self._entries.decide(signal, self._quote(symbol), exits_only=self._exits_only(symbol))
        if entry.order is None:
            reason: Rejection | None = entry.decision.reason
            return Tick(symbol, tick.candle_open_time, tick.signal, "rejected", reason)
        order = entry.order
        if order.state is OrderState.INTENT:
            order = self._execution.execute(order)
        return _with_order(tick, order)

    def _exits_only(self, symbol: str) -> str | None:
        if self.mode is not Mode.TRADING:
            return self.mode_reason or self.mode.value
        return None if symbol in self._plan.symbols else "not in SYMBOLS"

    def _quote(self, symbol: str) -> Quote:
        try:
            price = self._price(symbol)
            facts = MarketFacts(last_price=price.value, average_price=self._exchange.average_price(symbol))
        except BreakerOpen:
            return NO_QUOTE
        return Quote(rules=self._symbols.rules(symbol), facts=facts, at=price.at)

    def _price(self, symbol: str) -> Price:
        price = self._feed.last_price(symbol)
        try:
            with self._journal.ledger.write() as connection:
                save_price(connection, symbol, price.value, at=price.at)
        except sqlite3.Error as error:  # a full disk: the price itself is what a stop needs
            _log.error("price not recorded: symbol=%s error=%s", symbol, error)
        return price

    def _observe(self, symbol: str, strategy: str) -> Watch:
        watch = self._watches.get((symbol, strategy))
        if watch is None:
            watch = Watch(symbol, strategy, self._plan.strategy_params)
        watch.observe(self._feed.closed_candles(symbol, needed=watch.candles_needed))
        self._watches[symbol, strategy] = watch
        return watch


def _with_order(tick: Tick, order: Order) -> Tick:
    return Tick(
        tick.symbol,
        tick.candle_open_time,
        tick.signal,
        decision="approved",
        client_order_id=order.client_order_id,
        order_state=order.state,
    )

"""A trading room assembled as the daemon assembles it, around a scripted exchange."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from manual_time import ManualTime
from scripted_exchange import ScriptedExchange, candles_of

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger import orders, positions
from thunes_cli.market.feed import RestFeed
from thunes_cli.model import Order, Position
from thunes_cli.risk.rules import Limits
from thunes_cli.trading.assurance import differing_positions
from thunes_cli.trading.engine import Engine
from thunes_cli.trading.execution import Execution
from thunes_cli.trading.gate import Gate
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.resolution import Resolver
from thunes_cli.trading.symbols import SymbolBook

HOUR = timedelta(hours=1)
# With SMA 2/3 the last candle crosses up, down, and up again; each series is what follows the one before.
BUY_NOW = [*[20] * 400, 19, 18, 17, 30]
SELL_NOW = [*BUY_NOW, 1]
BUY_AGAIN = [*SELL_NOW, 1, 40]


@dataclasses.dataclass
class Room:
    """Everything a test of the trading room touches."""

    journal: Journal
    exchange: ScriptedExchange
    time: ManualTime
    engine: Engine
    resolver: Resolver
    gate: Gate
    symbols: SymbolBook
    plan: TradingPlan

    def show(self, closes: list[int]) -> None:
        """Candles up to now."""
        self.exchange.series = candles_of(closes, last_close=self.journal.clock.now(), span=HOUR)

    def pass_by(self, span: timedelta) -> None:
        """Let wall, monotonic and market time go by."""
        self.time.pass_by(span)

    def orders(self) -> list[Order]:
        """Every order, oldest first."""
        with self.journal.read() as connection:
            return orders.list_orders(connection)

    def positions(self) -> list[Position]:
        """Every position; the stored ones are what their fills say."""
        with self.journal.read() as connection:
            assert differing_positions(connection) == []
            return positions.all_positions(connection)


def assemble(
    journal: Journal,
    exchange: ScriptedExchange,
    time: ManualTime,
    *,
    home: Path,
    symbols: tuple[str, ...] = ("BTCUSDT",),
    **limits: object,
) -> Room:
    """Build the trading room around an exchange."""
    plan = TradingPlan(
        symbols=symbols,
        timeframe="1h",
        quote_amount=Decimal(12),
        strategy="sma",
        strategy_params={"SMA_FAST": 2, "SMA_SLOW": 3},
        stop_loss_pct=Decimal(3),
        signal_interval=timedelta(minutes=10),
        not_placed_margin=timedelta(seconds=5),
        min_free_mib=0,
    )
    bounds = Limits(
        **{
            "max_loss_per_trade": Decimal(15),
            "max_daily_loss": Decimal(20),
            "max_positions": 3,
            "cool_down": timedelta(0),
        }
        | limits
    )
    book = SymbolBook(exchange)
    resolver = Resolver(journal, exchange, book, margin=plan.not_placed_margin, max_daily_loss=bounds.max_daily_loss)
    execution = Execution(journal, exchange, book, max_daily_loss=bounds.max_daily_loss, resync=lambda: None)
    engine = Engine(
        journal,
        exchange,
        RestFeed(exchange, journal.clock, timeframe="1h"),
        book,
        execution,
        plan=plan,
        limits=bounds,
        home=home,
    )
    gate = Gate(journal, exchange, book, resolver, plan=plan, wait=lambda _seconds: True)
    return Room(journal, exchange, time, engine, resolver, gate, book, plan)


@pytest.fixture
def room(journal: Journal, time: ManualTime, bare_home: Path) -> Room:
    """A room that has passed the gate."""
    room = assemble(journal, ScriptedExchange(journal.clock), time, home=bare_home)
    room.gate.open()
    return room


@pytest.fixture
def holding(room: Room) -> Room:
    """A room that has bought."""
    room.show(BUY_NOW)
    room.engine.signal_check()
    room.pass_by(HOUR)
    return room

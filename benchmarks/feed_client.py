"""The measured half of :mod:`benchmarks.feed`: a process with the daemon's stream, series, strategies and ledger.

Reads nothing of the generator but its stream. Prints, as JSON, when each candle's decision was made (monotonic), and
what that took of processor and memory.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

from benchmarks.feed_wire import BEGAN, SPAN, symbols_of
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Anchor, Clock
from thunes_cli.daemon.worker import Worker
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.exchange.line import Patience
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.schema import create_ledger
from thunes_cli.market.feed import RestFeed
from thunes_cli.market.stream_feed import StreamFeed
from thunes_cli.model import Candle
from thunes_cli.risk.rules import Limits
from thunes_cli.trading.engine import Engine
from thunes_cli.trading.execution import Execution
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.symbols import SymbolBook

_HISTORY = 400


class History:
    """REST with a past and no present: whatever else is needed has to come by the stream. Counts questions."""

    recv_window_ms = 5000

    def __init__(self) -> None:
        self.asked = 0

    def candles(
        self, _symbol: str, _timeframe: str, *, limit: int = 500, start: datetime | None = None, end: object = None
    ) -> list[Candle]:
        """The minutes before the stream begins."""
        del end
        self.asked += 1
        price = Decimal(100)
        found = [
            Candle(opened, opened + SPAN, price, price, price, price, Decimal(1))
            for opened in (BEGAN - n * SPAN for n in range(_HISTORY, 0, -1))
            if start is None or opened >= start
        ]
        return found[-limit:]

    def server_time(self) -> datetime:
        """When the stream begins."""
        return BEGAN

    def last_price(self, _symbol: str) -> Decimal:
        """Steady."""
        return Decimal(100)

    average_price = last_price

    def symbol_rules(self, _symbols: Sequence[str]) -> dict[str, SymbolRules]:
        """Nothing can be bought: the benchmark ends at the decision."""
        return {}


def main(url: str, count: int, seconds: float, speed: str, place: str) -> None:
    """Listen for so long."""
    home = Path(place)
    wall = Clock().wall()
    clock = Clock(Anchor(wall, BEGAN, Decimal(speed)))
    create_ledger(home / "thunes.db", environment="sim", instance="aaaaaa", epoch="bbb", wall=wall)
    journal = Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", clock)
    history = History()
    exchange = cast("Exchange", history)
    symbols = symbols_of(count)
    feed = StreamFeed(RestFeed(exchange, clock, timeframe="1m"), clock, timeframe="1m")
    plan = TradingPlan(
        symbols=symbols,
        timeframe="1m",
        quote_amount=Decimal(12),
        strategy="rsi",
        strategy_params={"RSI_PERIOD": 14, "RSI_OVERSOLD": 30, "RSI_OVERBOUGHT": 70},
        stop_loss_pct=Decimal(3),
        signal_interval=timedelta(minutes=1),
        not_placed_margin=timedelta(seconds=5),
        min_free_mib=0,
    )
    limits = Limits(Decimal(15), Decimal(20), 3, timedelta(0))
    book = SymbolBook(exchange)
    execution = Execution(journal, exchange, book, max_daily_loss=Decimal(20), resync=lambda: None)
    engine = Engine(journal, exchange, feed, book, execution, plan=plan, limits=limits, home=home)
    worker = Worker("trading", on_end=journal.close)
    decided: dict[str, float] = {}

    def check() -> None:
        while arrived := feed.intake.take_arrivals():
            for symbol in arrived:
                tick = engine.candle_check(symbol)
                if tick.candle_open_time is not None:
                    decided[f"{symbol} {tick.candle_open_time.isoformat()}"] = time.monotonic()

    worker.submit("first", lambda: engine.signal_check() and None)
    while worker.busy_s or not history.asked:
        time.sleep(0.01)
    asked = history.asked
    feed.intake.wake_by(on_tick=lambda: None, on_close=lambda: worker.submit("candles", check) and None)
    began = resource.getrusage(resource.RUSAGE_SELF)
    feed.begin(url, symbols, Patience.of(60, max_reconnects=5))
    time.sleep(seconds)
    feed.stop()
    worker.close()
    worker.finished(5)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    answer = {
        "decided": decided,
        "cpu_pct": 100 * cpu_s / seconds,
        "rss_mib": int(resident.split()[1]) / 1024,
        "asked_over_rest": history.asked - asked,
        "garbage": feed.garbage,
        "reconnects": feed.line.reconnects if feed.line else 0,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5])

"""A process that decides about BUY signals while the threads that carry alerts run, as in a daemon.

usage: python -m benchmarks.deciding HOME [TELEGRAM_API_URL]. It answers each line on stdin, a number, with the seconds
that so many decisions took, as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.config.settings import Settings
from thunes_cli.daemon.assembly import HomeSettings
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.senders import Senders
from thunes_cli.exchange.filters import MarketFacts, SymbolRules, parse_symbol
from thunes_cli.ledger import orders
from thunes_cli.ledger.alerts import Severity, raise_alert
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.model import Environment, OrderState, Side, Signal
from thunes_cli.ops.homes import make_home
from thunes_cli.risk.rules import Limits
from thunes_cli.trading.entering import Condition, Entries, Quote
from thunes_cli.trading.plan import TradingPlan

_SYMBOL = "BTCUSDT"
_PRICE = Decimal(40000)
_ALERT_EVERY = 50
_PLAN = TradingPlan(
    symbols=(_SYMBOL,),
    timeframe="1h",
    quote_amount=Decimal(12),
    strategy="rsi",
    strategy_params={},
    stop_loss_pct=Decimal(3),
    signal_interval=timedelta(minutes=10),
    not_placed_margin=timedelta(seconds=5),
    min_free_mib=0,
)
_LIMITS = Limits(Decimal(15), Decimal(10**6), 3, timedelta(0))


def main() -> None:
    """Answer until stdin ends."""
    logging.disable(logging.CRITICAL)
    home, *url = sys.argv[1:]
    decider = _Decider(Path(home))
    decider.carry_alerts(url[0] if url else None)
    _say("ready")
    for line in sys.stdin:
        _say([decider.decide() for _ in range(int(line))])


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class _Decider:
    def __init__(self, home: Path) -> None:
        make_home(home, environment=Environment.SIM, clock=Clock())
        self._home = home
        self._journal = Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", Clock())
        with self._journal.change() as change:
            save_entries_from(change.connection, change.at - timedelta(days=3650))
        self._entries = Entries(self._journal, _PLAN, _LIMITS, home=home)
        self._number, self._began = 0, self._journal.clock.now() - timedelta(hours=1)

    def carry_alerts(self, api_url: str | None) -> None:
        """What a daemon does: threads for the channels, and a main thread that beats for them."""
        telegram = {} if api_url is None else _telegram(api_url)
        senders = Senders(self._journal, HomeSettings(self._home, Settings(**telegram)))
        beats = Periodic()
        senders.begin(beats)
        threading.Thread(target=lambda: _beat(beats), daemon=True).start()

    def decide(self) -> float:
        """One decision with its records in the trail, synced; now and then an alert with it. Seconds."""
        self._number += 1
        now = self._journal.clock.now()
        opened = self._began - timedelta(seconds=self._number)  # another candle each time: one order a signal
        signal = Signal(_SYMBOL, "rsi", Side.BUY, opened, now - timedelta(microseconds=1), _PRICE)
        quote = Quote(_rules(), MarketFacts(last_price=_PRICE, average_price=_PRICE), at=now)
        began = time.perf_counter()
        entry = self._entries.decide(signal, quote, Condition())
        self._journal.drain()
        took = time.perf_counter() - began
        assert entry.order is not None, entry.decision
        with self._journal.change() as change:
            orders.change_state(
                change.connection, entry.order.id, expected=[OrderState.INTENT], to=OrderState.NOT_PLACED, at=change.at
            )
            if self._number % _ALERT_EVERY == 1:
                raise_alert(
                    change.connection,
                    "benchmark",
                    f"decision {self._number}",
                    severity=Severity.CRITICAL,
                    at=change.at,
                    at_wall=change.at_wall,
                )
        return took


def _telegram(api_url: str) -> dict[str, str]:
    return {"telegram_bot_token": "1:benchmark", "telegram_chat_id": "1", "telegram_api_url": api_url}


def _beat(beats: Periodic) -> None:
    while True:
        time.sleep(beats.run_due())


def _rules() -> SymbolRules:
    return parse_symbol(
        {
            "symbol": _SYMBOL,
            "status": "TRADING",
            "baseAsset": "BTC",
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["MARKET"],
            "quoteOrderQtyMarketAllowed": True,
            "isSpotTradingAllowed": True,
            "filters": [],
        }
    )


if __name__ == "__main__":
    main()

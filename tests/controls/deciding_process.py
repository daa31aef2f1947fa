"""A process that asks the rules about BUY signals on a real ledger; one JSON request a line, one JSON answer.

Requests: ``{"home": ..., "symbol": ..., "opened": RFC 3339, "max_positions": n}``. It answers ``"ready"`` when it has
everything open, waits for another line, and decides then.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock, from_text
from thunes_cli.exchange.filters import MarketFacts, parse_symbol
from thunes_cli.ledger.connection import Ledger
from thunes_cli.model import Side, Signal
from thunes_cli.risk.rules import Limits
from thunes_cli.trading.entering import Entries, Quote
from thunes_cli.trading.plan import TradingPlan

PRICE = Decimal(100)


def rules_of(symbol: str) -> object:
    """A symbol without filters."""
    return parse_symbol(
        {
            "symbol": symbol,
            "status": "TRADING",
            "baseAsset": symbol.removesuffix("USDT"),
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


def say(answer: object) -> None:
    """One line."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def decide(request: dict[str, str]) -> None:
    """Get ready, wait for the start, decide, answer."""
    home, symbol = Path(request["home"]), request["symbol"]
    journal = Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", Clock())
    plan = TradingPlan(
        symbols=(symbol,),
        timeframe="1h",
        quote_amount=Decimal(12),
        strategy="rsi",
        strategy_params={},
        stop_loss_pct=Decimal(3),
        signal_interval=timedelta(minutes=10),
        not_placed_margin=timedelta(seconds=5),
        min_free_mib=0,
    )
    limits = Limits(Decimal(15), Decimal(10**6), int(request["max_positions"]), timedelta(0))
    entries = Entries(journal, plan, limits, home=home)
    opened = from_text(request["opened"])
    signal = Signal(symbol, "rsi", Side.BUY, opened, opened + timedelta(hours=1), PRICE)
    with journal.read():
        pass  # the connection is open before the start
    say("ready")
    sys.stdin.readline()
    quote = Quote(rules_of(symbol), MarketFacts(last_price=PRICE, average_price=PRICE), at=journal.clock.now())
    entry = entries.decide(signal, quote)
    journal.close()
    say({"approved": entry.decision.approved, "reason": entry.decision.reason, "order": entry.order and entry.order.id})


def main() -> None:
    """Until stdin ends."""
    while line := sys.stdin.readline():
        decide(json.loads(line))


if __name__ == "__main__":
    main()

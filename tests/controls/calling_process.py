"""A process that asks the exchange for a price again and again, through breaker and gate, until its stdin ends.

usage: python calling_process.py HOME REST_URL API_KEY API_SECRET RESET_S
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from pathlib import Path

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.guarded_binance import open_binance
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.ledger.connection import Ledger


def main() -> None:
    """Ask until told to end."""
    home, url, key, secret, reset_s = sys.argv[1:]
    journal = Journal(Ledger(Path(home) / "thunes.db"), Path(home) / "audit_trail.jsonl", Clock())
    exchange = open_binance(
        Endpoints(url, "ws://127.0.0.1:1", "ws://127.0.0.1:1", None),
        Credentials(Secret(key), Secret(secret), None, "test"),
        journal,
        limits=BreakerLimits(fail_max=5, window_s=60, reset_s=float(reset_s)),
        recv_window_ms=60000,
        timeout_s=10,
    )
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not ended.is_set():
        with contextlib.suppress(ExchangeFailure):
            exchange.last_price("BTCUSDT")
        time.sleep(0.05)  # not so fast that the minute's request weight is used up


if __name__ == "__main__":
    main()

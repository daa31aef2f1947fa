"""Comparing and rebuilding a ledger: an account of 500 assets with 10,000 orders, on the local simulator."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from benchmarks.looking import THUNES
from thunes_cli.model import Side
from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.orders import SimOrder, SimTrade
from thunes_cli.sim.store import Changes
from thunes_cli.sim.world import open_world

ASSETS = 500
ORDERS = 10_000
_SPAN_MS = 6 * 86_400_000  # the default of `reconcile` looks back seven days
_STEP, _FEE, _SPEND = Decimal("0.00001"), Decimal("0.001"), Decimal(12)
_ZERO = Decimal(0)
_DEADLINE_S = 120.0


@dataclass
class _Past:
    """An account on which a bot bought and sold, fees kept from what it received."""

    start: int
    orders: list[SimOrder] = field(default_factory=list)
    trades: list[SimTrade] = field(default_factory=list)
    btc: Decimal = _ZERO
    usdt: Decimal = Decimal(1_000_000)

    def trade(self, number: int) -> None:
        """One order, filled at once."""
        price = Decimal(20_000 + 37 * (number % 101))
        at = self.start - _SPAN_MS + number * (_SPAN_MS // ORDERS)
        if number % 2:
            quantity = (_SPEND / price).quantize(_STEP, rounding="ROUND_DOWN")
            fee, asset, side = quantity * _FEE, "BTC", Side.BUY
            self.btc, self.usdt = self.btc + quantity - fee, self.usdt - quantity * price
        else:
            quantity = self.btc.quantize(_STEP, rounding="ROUND_DOWN")
            fee, asset, side = quantity * price * _FEE, "USDT", Side.SELL
            self.btc, self.usdt = self.btc - quantity, self.usdt + quantity * price - fee
        value = quantity * price
        bought = side is Side.BUY
        trade = SimTrade("BTCUSDT", number, number, price, quantity, value, fee, asset, at, bought, is_maker=False)
        self.trades.append(trade)
        self.orders.append(
            SimOrder(
                symbol="BTCUSDT",
                order_id=number,
                client_order_id=f"thbenchxabc-{side[0]}-{number}",
                side=side,
                type="MARKET",
                time_in_force="GTC",
                status="FILLED",
                price=_ZERO,
                orig_qty=quantity,
                orig_quote_qty=_SPEND if side is Side.BUY else _ZERO,
                executed_qty=quantity,
                executed_quote=value,
                stop_price=_ZERO,
                iceberg_qty=_ZERO,
                time=at,
                update_time=at,
                working_time=at,
            )
        )


def found_exchange(options: SimOptions) -> None:
    """Make an exchange on which a bot traded for six days."""
    world = open_world(options)
    past = _Past(world.clock.now())
    for number in range(1, ORDERS + 1):
        past.trade(number)
    balances = {f"COIN{number}": Holding(Decimal(number), _ZERO) for number in range(1, ASSETS - 1)}
    balances |= {"BTC": Holding(past.btc, _ZERO), "USDT": Holding(past.usdt, _ZERO)}
    world.store.apply(Changes(orders=past.orders, trades=past.trades, balances=balances))
    world.close()


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and figure of each measurement."""
    directory, home = place / "reconcile exchange", place / "reconcile home"
    found_exchange(SimOptions(directory))
    process = subprocess.Popen(
        [THUNES, "sim", "serve", "--dir", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(environ),
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        settings = {
            **environ,
            "BINANCE_REST_URL": told["rest_url"],
            "BINANCE_API_KEY": told["api_key"],
            "BINANCE_API_SECRET": told["api_secret"],
        }
        yield from _measure(home, settings)
    finally:
        process.terminate()
        process.wait(_DEADLINE_S)
        process.stdout.close() if process.stdout else None


def _measure(home: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    run(home, environ, "init")
    what = f"{ORDERS:,} orders, {ASSETS} assets"
    seconds = run(home, environ, "reconcile", "--rebuild", "--confirm", "apply sim")
    yield f"reconcile --rebuild, {what}", f"{seconds:.2f} s"
    for words in ((), ("--since", "all"), ("--since", "1h")):
        name = " ".join(("reconcile", *words))
        best = min(run(home, environ, "reconcile", *words) for _ in range(3))
        yield f"{name}, {what}", f"{best:.2f} s"


def run(home: Path, environ: Mapping[str, str], *words: str) -> float:
    """Wall seconds of a command that must end well."""
    began = time.perf_counter()
    done = subprocess.run(
        [THUNES, "--home", str(home), *words], env=dict(environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        message = f"thunes {' '.join(words)} ended with {done.returncode}"
        raise RuntimeError(message)
    return time.perf_counter() - began

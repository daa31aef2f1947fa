"""A restart after a crash: ten thousand orders of history, fifty whose end nobody knows, until it trades again."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from benchmarks.looking import THUNES
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock, to_ms, to_text, utc_now
from thunes_cli.ledger import orders
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import take_client_order_id
from thunes_cli.model import Order, OrderState, Side
from thunes_cli.process import ProcessIdentity, boot_id
from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.orders import SimOrder, SimTrade
from thunes_cli.sim.store import Changes
from thunes_cli.sim.world import open_world

ORDERS, UNFINISHED = 10_000, 50
_ARRIVED = 25
_LETTERS = "ABCDEFGHIJ"
SYMBOLS = tuple(f"{one}{two}XUSDT" for one in _LETTERS for two in _LETTERS[:5])
_HISTORY, _MINUTE_MS = 200, 60_000
_DEADLINE_S = 120.0
_POLL_S = 0.01
_PRICE, _QUANTITY, _RATE, _STEP = Decimal(20), Decimal("0.6"), Decimal("0.001"), Decimal("0.00001")
_ZERO = Decimal(0)
# A process that has ended.
_NOBODY = ProcessIdentity(pid=2**22 - 1, boot_id=boot_id(), started=1)


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and figure of each measurement."""
    home = place / "restart home"
    options = SimOptions(place / "restart exchange", candles=_record(place), start=str(_HISTORY))
    _found_exchange(options)
    with _served(options, environ) as settings:
        for words in (("init",), ("reconcile", "--rebuild", "--confirm", "apply sim")):
            subprocess.run([THUNES, "--home", str(home), *words], env=settings, check=True, capture_output=True)
    doubtful = _leave_unfinished(home)
    _let_some_arrive(options, doubtful[:_ARRIVED])
    with _served(options, environ) as settings:
        yield from _restart(home, {**settings, "SYMBOLS": ",".join(("BTCUSDT", *SYMBOLS[:2]))})


def _record(place: Path) -> tuple[Path, ...]:
    """Minutes of every symbol, from some time ago to some time from now: making a market up would take longer."""
    opened = to_ms(utc_now()) // _MINUTE_MS * _MINUTE_MS - _HISTORY * _MINUTE_MS
    rows = [f"{opened + number * _MINUTE_MS},20,20.1,19.9,20,5\n" for number in range(2 * _HISTORY)]
    files = []
    for symbol in ("BTCUSDT", *SYMBOLS):
        path = place / f"{symbol}-1m-restart.csv"
        path.write_text("open_time,open,high,low,close,volume\n" + "".join(rows))
        files.append(path)
    return tuple(files)


def _found_exchange(options: SimOptions) -> None:
    """Round trips of an hour's distance up to now, fees taken from what was received."""
    world = open_world(options)
    changes, held, cash = Changes(), _ZERO, Decimal(1_000_000)
    for number in range(1, ORDERS + 1):
        side = Side.BUY if number % 2 else Side.SELL
        quantity = _QUANTITY if side is Side.BUY else held.quantize(_STEP, rounding="ROUND_DOWN")
        fee = quantity * _RATE if side is Side.BUY else quantity * _PRICE * _RATE
        trade = SimTrade(
            symbol="BTCUSDT",
            trade_id=number,
            order_id=number,
            price=_PRICE,
            quantity=quantity,
            quote=quantity * _PRICE,
            commission=fee,
            commission_asset="BTC" if side is Side.BUY else "USDT",
            time=world.clock.now() - (ORDERS - number) * 60 * _MINUTE_MS,
            is_buyer=side is Side.BUY,
            is_maker=False,
        )
        changes.trades.append(trade)
        changes.orders.append(_order_of(trade, f"thbenchxabc-{side[0]}-{number}"))
        held, cash = (
            (held + quantity - fee, cash - trade.quote)
            if trade.is_buyer
            else (held - quantity, cash + trade.quote - fee)
        )
    changes.balances = {"BTC": Holding(held, _ZERO), "USDT": Holding(cash, _ZERO)}
    world.store.apply(changes)
    world.close()


def _order_of(trade: SimTrade, client_order_id: str) -> SimOrder:
    return SimOrder(
        symbol=trade.symbol,
        order_id=trade.order_id,
        client_order_id=client_order_id,
        side=Side.BUY if trade.is_buyer else Side.SELL,
        type="MARKET",
        time_in_force="GTC",
        status="FILLED",
        price=_ZERO,
        orig_qty=trade.quantity,
        orig_quote_qty=trade.quote if trade.is_buyer else _ZERO,
        executed_qty=trade.quantity,
        executed_quote=trade.quote,
        stop_price=_ZERO,
        iceberg_qty=_ZERO,
        time=trade.time,
        update_time=trade.time,
        working_time=trade.time,
    )


class _served:  # noqa: N801 - used as a statement
    """The simulator; gives the settings with which a home finds it."""

    def __init__(self, options: SimOptions, environ: Mapping[str, str]) -> None:
        self._environ = environ
        candles = [word for path in options.candles for word in ("--candles", str(path))]
        self._command = [THUNES, "sim", "serve", "--dir", str(options.directory), *candles]

    def __enter__(self) -> dict[str, str]:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(self._environ)
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        return {
            **self._environ,
            "BINANCE_REST_URL": told["rest_url"],
            "BINANCE_API_KEY": told["api_key"],
            "BINANCE_API_SECRET": told["api_secret"],
        }

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(_DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _leave_unfinished(home: Path) -> list[Order]:
    """Orders as a killed process leaves them: SENT, one a symbol."""
    journal = Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", Clock())
    made = []
    with journal.change() as change:
        connection = change.connection
        for symbol in SYMBOLS[:UNFINISHED]:
            new = orders.NewOrder(
                client_order_id=take_client_order_id(connection, Side.BUY),
                exchange_epoch=1,
                symbol=symbol,
                base=symbol.removesuffix("USDT"),
                quote="USDT",
                side=Side.BUY,
                strategy="sma",
                stop_loss_pct=Decimal(3),
                requested_quote=_QUANTITY * _PRICE,
            )
            order = orders.insert_intent(connection, new, at=change.at, owner=_NOBODY)
            orders.change_state(
                connection,
                order.id,
                expected=(OrderState.INTENT,),
                to=OrderState.SENT,
                at=change.at,
                sent_timestamp_ms=to_ms(change.at),
                recv_window_ms=5000,
                sent_wall=to_text(change.at_wall),
                sent_mono=journal.clock.monotonic(),
                sent_boot=boot_id(),
            )
            made.append(orders.read_order(connection, order.id))
        # What the rebuilding used of this minute's weight is another story.
        connection.execute("DELETE FROM rate_usage")
    journal.close()
    return made


def _let_some_arrive(options: SimOptions, arrived: list[Order]) -> None:
    world = open_world(options)
    changes, cash, fee = Changes(), world.store.balances()["USDT"].free, _QUANTITY * _RATE
    for order in arrived:
        trade = SimTrade(
            symbol=order.symbol,
            trade_id=1,
            order_id=1,
            price=_PRICE,
            quantity=_QUANTITY,
            quote=_QUANTITY * _PRICE,
            commission=fee,
            commission_asset=order.base,
            time=max(world.clock.now(), order.sent_timestamp_ms or 0),
            is_buyer=True,
            is_maker=False,
        )
        changes.trades.append(trade)
        changes.orders.append(_order_of(trade, order.client_order_id))
        changes.balances[order.base] = Holding(_QUANTITY - fee, _ZERO)
        cash -= trade.quote
    changes.balances["USDT"] = Holding(cash, _ZERO)
    world.store.apply(changes)
    world.close()


def _restart(home: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    what = f"{ORDERS:,} orders, {UNFINISHED} unfinished"
    began = time.perf_counter()
    with (home / "restart.log").open("wb") as log:
        daemon = subprocess.Popen([THUNES, "--home", str(home), "run"], stdout=log, stderr=log, env=dict(environ))
    try:
        _wait(home, daemon, "SELECT 1 FROM daemon WHERE mode <> 'starting'")
        yield f"restart to ready, {what}", f"{time.perf_counter() - began:.2f} s"
        _wait(home, daemon, "SELECT 1 FROM job_runs WHERE job = 'signal_check' AND outcome = 'ok'")
        yield "  to the first signal check", f"{time.perf_counter() - began:.2f} s"
        live = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM orders WHERE state IN ('INTENT','SENT','UNKNOWN','ACKED'))"
        _wait(home, daemon, live)
        yield "  to the last proof of absence", f"{time.perf_counter() - began:.2f} s"
    finally:
        daemon.terminate()
        daemon.wait(_DEADLINE_S)


def _wait(home: Path, daemon: subprocess.Popen[bytes], query: str) -> None:
    ledger = sqlite3.connect(f"{(home / 'thunes.db').as_uri()}?mode=ro", uri=True)
    try:
        deadline = time.monotonic() + _DEADLINE_S
        while not ledger.execute(query).fetchone():
            if daemon.poll() is not None or time.monotonic() > deadline:
                message = f"{query}: not so; the daemon's log: {(home / 'restart.log').read_text()[-2000:]}"
                raise RuntimeError(message)
            time.sleep(_POLL_S)
    finally:
        ledger.close()

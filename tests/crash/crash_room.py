"""A served market on which every candle is a signal, a home that trades it, and the proof that nothing went wrong.

Closes alternate around a level, so that SMA 2/3 crosses up at each low candle and down at each high one: a BUY and a
SELL in turn, one order a step.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from daemon_processes import Exchange, Home, make_home, serve
from fork_server import ALIVE, Ended, Killing, Run, Spawner
from trail_reading import read_chain

from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.binance import BinanceExchange, connect
from thunes_cli.exchange.clock_sync import read_anchor
from thunes_cli.exchange.failures import RateLimited
from thunes_cli.ledger import fills, orders, positions
from thunes_cli.ledger.connection import open_for_reading
from thunes_cli.model import Order, OrderReport, OrderState, Position, Side, Trade
from thunes_cli.trading.accounting import asset_effects
from thunes_cli.trading.assurance import differing_positions

SYMBOL = "BTCUSDT"
ASSETS = {SYMBOL: ("BTC", "USDT")}
START = datetime(2025, 1, 6, tzinfo=UTC)
HISTORY = 20
UNAVAILABLE = 13
T = TypeVar("T")
_ENDED = {"ORDER_FINISHED", "ORDER_NOT_PLACED", "ORDER_FOUND_LATE"}


def write_market(directory: Path, *, candles: int) -> Path:
    """One-minute candles that go down and up in turn by about a percent."""
    path = directory / f"{SYMBOL}-1m-crash.csv"
    with path.open("w") as stream:
        stream.write("open_time,open,high,low,close,volume\n")
        last = Decimal(20000)
        for index in range(candles):
            close = Decimal(20000) + (100 if index % 2 else -100) + Decimal(index * 7919 % 23) / 10
            opened = START + timedelta(minutes=index)
            high, low = max(last, close), min(last, close)
            stream.write(f"{int(opened.timestamp() * 1000)},{last},{high},{low},{close},9\n")
            last = close
    return path


@dataclass
class Room:
    """A home on a stepped market. ``spawner`` starts its commands; ``runs`` counts them."""

    exchange: Exchange
    home: Home
    spawner: Spawner
    output: Path
    environ: dict[str, str] = field(default_factory=dict)
    runs: int = 0
    closed: int = HISTORY

    def step(self, candles: int = 1) -> None:
        """Let the market go on by candles."""
        assert self.post("/sim/step", {"candles": candles})["moved"] == candles, "the candles are used up"
        self.closed += candles

    def await_signal(self, side: Side) -> None:
        """Bring home and market to where the next run makes an order of that side."""
        if bool(self.open_positions()) != (side is Side.SELL):
            self.await_signal(Side.SELL if side is Side.BUY else Side.BUY)
            self.settle()
        # The candle before the open one: even ones close low and are bought.
        self.step(1 if (self.closed % 2 == 0) == (side is Side.BUY) else 2)

    def post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Talk to the simulator itself."""
        request = urllib.request.Request(
            self.exchange.address["rest_url"] + path, json.dumps(document).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def command(self, *words: str, killing: Killing = ALIVE, **options: Any) -> Run:
        """A command on the home, to be run by a spawner."""
        self.runs += 1
        # Weight is counted by address: a thousand runs a minute are a thousand clients.
        source = f"127.0.1.{self.runs % 250 + 1}"
        line = ("--home", str(self.home.path), *words)
        return Run(line, self.environ, killing, source=source, output=str(self.output), **options)

    def once(self, killing: Killing = ALIVE, **options: Any) -> Ended:
        """``run --once`` as a process of its own."""
        return self.spawner.run(self.command("run", "--once", "--json", killing=killing, **options))

    def settle(self, *, most: int = 60) -> int:
        """Restart until nothing is unfinished; how many runs it took. The market moves on so that time can prove."""
        for number in range(1, most + 1):
            ended = self.once()
            if ended.code == UNAVAILABLE:  # a ban, an outage: they pass
                time.sleep(0.2)
                continue
            assert ended.code == 0, f"run --once ended with {ended.code}: {self.said}"
            if not self.live_orders():
                return number
            self.step()
        raise AssertionError(f"unfinished after {most} runs: {self.live_orders()}")

    @property
    def said(self) -> str:
        """The last words of the runs."""
        return self.output.read_text()[-2000:]

    # -- the ledger ------------------------------------------------------------------------------------------------

    def orders(self) -> list[Order]:
        """The ledger's orders, oldest first."""
        connection = open_for_reading(self.home.path / "thunes.db")
        try:
            return orders.list_orders(connection)
        finally:
            connection.close()

    def live_orders(self) -> list[Order]:
        """Orders of which more is to come."""
        return [order for order in self.orders() if order.state.live]

    def open_positions(self) -> list[Position]:
        """What is held."""
        connection = open_for_reading(self.home.path / "thunes.db")
        try:
            return positions.open_positions(connection)
        finally:
            connection.close()

    # -- the exchange ----------------------------------------------------------------------------------------------

    @property
    def client(self) -> BinanceExchange:
        """Somebody else's look at the account."""
        address = self.exchange.address
        url = address["rest_url"]
        key = Credentials(Secret(address["api_key"]), Secret(address["api_secret"]), None, "test")
        clock = Clock()
        client = connect(
            Endpoints(url, address["stream_url"], address["ws_api_url"], url),
            key,
            clock=clock,
            recv_window_ms=60000,
            timeout_s=10,
        )
        clock.set_anchor(read_anchor(client, clock, speed=Decimal(1), samples=1))
        return client

    def reports(self) -> list[OrderReport]:
        """Every order of the account."""
        client, found = self.client, []
        while page := client.orders(SYMBOL, from_order_id=found[-1].order_id + 1 if found else 1):
            found += page
        return found

    def trades(self) -> list[Trade]:
        """Every trade of the account."""
        client, found = self.client, []
        while page := client.trades(SYMBOL, from_trade_id=found[-1].trade_id + 1 if found else 0):
            found += page
        return found

    def held(self) -> dict[str, Decimal]:
        """What the account holds."""
        return {asset: each.total for asset, each in self.client.account().balances.items()}

    # -- the proof -------------------------------------------------------------------------------------------------

    def prove(self) -> Counter[OrderState]:
        """Nothing lost, nothing doubled, nothing unresolved, everything on the trail; orders by state."""
        reports, trades = _patiently(self.reports), _patiently(self.trades)
        connection = open_for_reading(self.home.path / "thunes.db")
        try:
            ours = orders.list_orders(connection)
            booked = fills.all_fills(connection)
            baseline = connection.execute("SELECT asset, quantity FROM baseline").fetchall()
            assert differing_positions(connection) == []
            assert connection.execute("SELECT count(*) FROM audit_outbox").fetchone()[0] == 0
        finally:
            connection.close()
        _prove_orders(ours, reports)
        _prove_fills(booked, trades)
        totals = {asset: Decimal(quantity) for asset, quantity in baseline}
        for asset, amount in asset_effects(booked, assets=ASSETS).items():
            totals[asset] = totals.get(asset, Decimal(0)) + amount
        held = _patiently(self.held)
        assert {asset: total for asset, total in totals.items() if total} == held
        _prove_trail(read_chain(self.home.path / "audit_trail.jsonl"), ours, booked)
        return Counter(order.state for order in ours)


def _patiently(ask: Callable[[], T]) -> T:
    """Many runs within a minute use the exchange's weight up; it says for how long."""
    while True:
        try:
            return ask()
        except RateLimited as limited:
            time.sleep(limited.retry_after_s)


def _prove_orders(ours: list[Order], reports: list[OrderReport]) -> None:
    by_id = {order.client_order_id: order for order in ours}
    times = Counter(report.client_order_id for report in reports)
    assert set(times.values()) <= {1}, f"a client id was used twice: {times.most_common(3)}"
    for report in reports:
        order = by_id[report.client_order_id]
        assert order.exchange_order_id == report.order_id, f"{order} but {report}"
        assert order.executed_qty == report.executed_qty
        assert order.state.value == report.status
    executed = [by_id[report.client_order_id] for report in reports if report.executed_qty]
    signals = Counter(order.signal_id for order in executed if order.side is Side.BUY)
    assert set(signals.values()) <= {1}, f"a signal was bought twice: {signals.most_common(3)}"
    # Part of it may go in an order that ends EXPIRED; what is left goes in another. Whole sales are not repeated.
    sold = [order for order in executed if order.side is Side.SELL and order.executed_qty == order.requested_base]
    exits = Counter(order.position_id for order in sold)
    assert set(exits.values()) <= {1}, f"a position was sold twice: {exits.most_common(3)}"
    assert {order.state for order in ours} <= {
        *(OrderState.FILLED, OrderState.NOT_PLACED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.CANCELED)
    }


def _prove_fills(booked: list[fills.Fill], trades: list[Trade]) -> None:
    seen = {(trade.trade_id, trade.quantity, trade.quote_quantity, trade.commission) for trade in trades}
    assert {(fill.trade_id, fill.quantity, fill.quote_quantity, fill.fee) for fill in booked} == seen
    assert len(booked) == len(trades)


def _prove_trail(records: list[dict[str, Any]], ours: list[Order], booked: list[fills.Fill]) -> None:
    ends = Counter(record["client_order_id"] for record in records if record["event"] in _ENDED)
    assert ends == Counter(order.client_order_id for order in ours)
    recorded = [record["trade_id"] for record in records if record["event"] == "FILL_BOOKED"]
    assert sorted(recorded) == sorted(fill.trade_id for fill in booked)


@contextmanager
def open_room(
    directory: Path,
    *,
    candles: int = 2000,
    between: Callable[[str], str] = lambda url: url,
    home_at: Path | None = None,
    speed: int | None = None,
    history: int = HISTORY,
    **settings: str,
) -> Iterator[Room]:
    """A room of its own, closed at the end. ``between``: what the home takes for the exchange's address.

    ``speed``: of a market that goes on by itself; None goes on by steps. ``history``: candles that have closed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    market = write_market(directory, candles=candles + HISTORY)
    # Not the address every key is bound to: so clients may come from any loopback address.
    pace = ("--step",) if speed is None else ("--speed", str(speed))
    exchange = serve(
        *(directory / "sim", "--candles", str(market), *pace, "--start", str(history), "--host", "127.0.0.2")
    )
    home = make_home(
        home_at or directory / "home",
        exchange.address | {"rest_url": between(exchange.address["rest_url"])},
        **{
            "SMA_FAST": "2",
            "SMA_SLOW": "3",
            "COOL_DOWN_MINUTES": "0",
            "MAX_DAILY_LOSS": "100000",
            "NOT_PLACED_MARGIN_SECONDS": "0.01",
            "RECV_WINDOW_MS": "10",
            "MIN_FREE_MIB": "0",
            "BREAKER_FAIL_MAX": "1000000",
            "LOG_LEVEL": "ERROR",
        }
        | settings,
    )
    spawner = Spawner(directory)
    try:
        yield Room(exchange, home, spawner, directory / "once.output", closed=history)
    finally:
        spawner.close()
        home.close()
        exchange.stop()

"""A home on an exchange that is served by this process, so that a test can do to the account what others do."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "sim"))

from bot_home import Answer, thunes
from served_here import ServedHere
from serving import stepped

from thunes_cli.cli.call import Call
from thunes_cli.cli.desk import Desk, at_desk
from thunes_cli.cli.streams import process_streams
from thunes_cli.clock import Clock
from thunes_cli.ledger import orders
from thunes_cli.ledger.identity import read_identity, take_client_order_id
from thunes_cli.ledger.positions import all_positions
from thunes_cli.model import Environment, Order, Position, Side
from thunes_cli.ops.homes import make_home
from thunes_cli.process import this_process
from thunes_cli.sim.accounts import EMPTY, Holding
from thunes_cli.sim.store import Changes
from thunes_cli.trading.assurance import differing_positions

GRANT = Decimal(10000)
PATIENCE_S = 30.0
_NUMBERS = itertools.count(1)


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
        time.sleep(0.05)


class ExchangeHome:
    """A home that has met its exchange. Market time stands still but for :meth:`step`."""

    def __init__(self, path: Path, served: ServedHere, **settings: str) -> None:
        self.path = path
        self.served = served
        self.environ = {
            "ENVIRONMENT": "sim",
            "BINANCE_REST_URL": served.url,
            "BINANCE_API_KEY": served.key,
            "BINANCE_API_SECRET": served.secret,
            "SYMBOLS": "BTCUSDT,ETHUSDT",
            "COOL_DOWN_MINUTES": "0",
            **settings,
        }

    def found(self) -> ExchangeHome:
        """Make the home."""
        make_home(self.path, environment=Environment.SIM, clock=Clock())
        return self

    def ask(self, *arguments: str) -> Answer:
        """Run ``thunes`` on it, in a pipe."""
        return thunes("--home", str(self.path), *arguments, environ=self.environ)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it as a process of its own."""
        command = [sys.executable, "-m", "thunes_cli", "--home", str(self.path), *arguments]
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.path.parent), **self.environ}
        return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def meet(self) -> None:
        """First contact: the baseline is taken."""
        answer = self.ask("run", "--once", "--json")
        assert answer.code == 0, answer

    def step(self, candles: int = 1) -> None:
        """Let market time go on."""
        self.served.send("POST", "/sim/step", body=f'{{"candles": {candles}}}')

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """Ledger and exchange, as commands have them."""
        call = Call("test", process_streams({}), self.environ, home_option=str(self.path))
        with at_desk(call) as desk:
            yield desk

    # -- ours --------------------------------------------------------------------------------------------------

    def buy(self, symbol: str = "BTCUSDT", amount: str = "100") -> Position:
        """The bot buys, by the code that trades."""
        self.send(self.decide(symbol, amount))
        return next(each for each in self.positions() if each.symbol == symbol and each.exit_time is None)

    def decide(self, symbol: str = "BTCUSDT", amount: str = "100") -> Order:
        """An entry is written down and not sent yet."""
        with self.desk() as desk:
            rules = desk.room.exchange.symbol_rules([symbol])[symbol]
            with desk.journal.change() as change:
                identity = read_identity(change.connection)
                return orders.insert_intent(
                    change.connection,
                    orders.NewOrder(
                        client_order_id=take_client_order_id(change.connection, Side.BUY),
                        exchange_epoch=identity.exchange_epoch,
                        symbol=symbol,
                        base=rules.base,
                        quote=rules.quote,
                        side=Side.BUY,
                        strategy="rsi",
                        stop_loss_pct=Decimal(3),
                        requested_quote=Decimal(amount),
                    ),
                    at=change.at,
                    owner=this_process(),
                )

    def send(self, order: Order) -> None:
        """What was decided goes out, and its answer is booked."""
        with self.desk() as desk:
            desk.room.exits._execution.execute(order)

    def positions(self) -> list[Position]:
        """Every position; stored as its fills say."""
        with self.desk() as desk, desk.journal.read() as connection:
            assert differing_positions(connection) == []
            return all_positions(connection)

    def orders(self) -> list[Order]:
        """Every order, oldest first."""
        with self.desk() as desk, desk.journal.read() as connection:
            return orders.list_orders(connection)

    def execute(self, statement: str, *values: Any) -> None:
        """Damage the ledger."""
        with self.desk() as desk, desk.journal.change() as change:
            change.connection.execute(statement, values)

    # -- others ------------------------------------------------------------------------------------------------

    def stranger(
        self, side: str, symbol: str = "BTCUSDT", *, client_order_id: str = "", **amount: str
    ) -> dict[str, Any]:
        """Somebody else's market order with our key."""
        name = client_order_id or f"web_{next(_NUMBERS)}"
        reply = self.served.order(symbol=symbol, side=side, type="MARKET", newClientOrderId=name, **amount)
        assert reply.status == 200, reply
        return dict(reply.body)

    def move(self, asset: str, amount: str) -> None:
        """A deposit, or a withdrawal when negative."""
        world = self.served.world

        def apply() -> None:
            held = world.engine.balances.get(asset, EMPTY)
            changed = {asset: Holding(held.free + Decimal(amount), held.locked)}
            world.store.apply(Changes(balances=changed))
            world.engine.balances.update(changed)

        self.served.do(apply)

    def wipe(self) -> None:
        """The monthly wipe of a testnet: orders and trades gone, balances back to the grant, ids from one again."""
        world = self.served.world

        def apply() -> None:
            for table in ("orders", "trades", "balances"):
                world.store._db.execute(f"DELETE FROM {table}")
            granted = {"USDT": Holding(GRANT, Decimal(0)), "BTC": Holding(Decimal(1), Decimal(0))}
            world.store.apply(Changes(balances=granted))
            world.engine.balances = dict(granted)
            world.engine._order_ids, world.engine._trade_ids = {}, {}

        self.served.do(apply)

    def held(self) -> dict[str, Decimal]:
        """What the exchange says the account holds."""
        return {asset: sum(amounts, Decimal(0)) for asset, amounts in self.served.balances().items()}


@contextmanager
def exchange_home(directory: Path, **settings: str) -> Iterator[ExchangeHome]:
    """A home that has met a stepped exchange."""
    with ServedHere(stepped(directory / "exchange")) as served:
        home = ExchangeHome(directory / "home", served, **settings).found()
        home.meet()
        yield home

"""Any sequence of candles, outcomes, waits and crashes leaves ledger, exchange and trail in agreement.

A crash is an exception no code of ours catches, raised at some commit, at the trail's file or at the exchange's edge;
what was open is abandoned, and a new process takes over the same home and the same account.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from manual_time import ManualTime
from scripted_exchange import ScriptedExchange, candles_of
from trading_room import HOUR, Room, assemble
from trail_reading import read_chain

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.failures import NotSent, Rejected, TimestampRejected
from thunes_cli.ledger import fills, orders
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.ledger.schema import create_ledger
from thunes_cli.model import ExitReason, MarketOrder, OrderReport, Side
from thunes_cli.trading.accounting import asset_effects

SECOND = timedelta(seconds=1)
ASSETS = {"BTCUSDT": ("BTC", "USDT")}
OUTCOMES = {
    "filled": "ok",
    "lost before": "unknown_before",
    "lost after": "unknown_after",
    "half filled": "half",
    "refused": Rejected("Account has insufficient balance for requested action.", -2010),
    "too late": TimestampRejected("outside of the recvWindow", -1021),
    "no connection": NotSent("refused"),
}
FUSES = st.one_of(st.none(), st.integers(0, 25))


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Burns after so many steps; None: never."""

    def __init__(self) -> None:
        self.left: int | None = None

    def step(self) -> None:
        """One border between two steps."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash


class FusedLedger(Ledger):
    """Can crash before a transaction, before its COMMIT, and after it."""

    fuse: Fuse

    @contextmanager
    def write(self) -> Iterator[object]:  # type: ignore[override]
        self.fuse.step()
        with super().write() as connection:
            yield connection
            self.fuse.step()
        self.fuse.step()


class FusedExchange(ScriptedExchange):
    """Can crash before an order leaves, and after it was executed."""

    fuse: Fuse

    def place(self, order: MarketOrder, *, timestamp_ms: int) -> OrderReport:
        self.fuse.step()
        report = super().place(order, timestamp_ms=timestamp_ms)
        self.fuse.step()
        return report


class OrderMachine(RuleBasedStateMachine):
    """One symbol traded on by candles that cross up and down in turn."""

    room: Room

    @initialize()
    def begin(self) -> None:
        """A home that has been ready for a day."""
        self.directory = Path(tempfile.mkdtemp(prefix="thunes-machine-"))
        self.time = ManualTime()
        self.fuse = Fuse()
        create_ledger(
            self.directory / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=self.time.wall
        )
        self.closes = [20000 + (100 if index % 2 else -100) for index in range(320)]
        self.exchange = FusedExchange(self.time.clock())
        self.exchange.fuse = self.fuse
        self.start()
        with self.room.journal.change() as change:
            save_entries_from(change.connection, change.at - timedelta(days=1))
        self.room.gate.open()
        self.before = dict(self.exchange.balances)
        self.next_candle()

    def start(self) -> None:
        """A process of the home, the first one or the next."""
        ledger = FusedLedger(self.directory / "thunes.db")
        ledger.fuse = self.fuse
        journal = Journal(ledger, self.directory / "audit_trail.jsonl", self.time.clock())
        write = journal.trail.write_waiting

        def write_waiting(*arguments: object) -> int:
            self.fuse.step()
            length = write(*arguments)  # type: ignore[arg-type]
            self.fuse.step()
            return length

        journal.trail.write_waiting = write_waiting  # type: ignore[method-assign]
        self.exchange.clock = journal.clock
        self.room = assemble(
            journal, self.exchange, self.time, home=self.directory, max_daily_loss=Decimal(10**6), max_positions=3
        )

    # -- what happens ----------------------------------------------------------------------------------------------

    @rule(outcomes=st.lists(st.sampled_from(sorted(OUTCOMES)), max_size=2), fuse=FUSES)
    def an_hour_later(self, outcomes: list[str], fuse: int | None) -> None:
        """A new candle: a low close is a BUY, a high one a SELL. What orders meet is given; the check may crash."""
        self.next_candle()
        self.exchange.script = [OUTCOMES[name] for name in outcomes]
        self.live(self.room.engine.signal_check, fuse)

    @rule(seconds=st.integers(0, 30), fuse=FUSES)
    def moments_later(self, seconds: int, fuse: int | None) -> None:
        """What is in doubt is asked for; that may crash too."""
        self.room.pass_by(seconds * SECOND)
        self.live(self.room.resolver.resolve_due, fuse)

    @rule(seconds=st.integers(0, 30), fuse=FUSES)
    def check_stops(self, seconds: int, fuse: int | None) -> None:
        """Exits that are wanted are tried again."""
        self.room.pass_by(seconds * SECOND)
        self.live(self.room.engine.stop_check, fuse)

    @rule()
    def check_signals_again(self) -> None:
        """The same candle once more."""
        self.live(self.room.engine.signal_check, None)

    def next_candle(self) -> None:
        """Let an hour pass."""
        self.room.pass_by(HOUR)
        self.closes.append(20000 + (100 if len(self.closes) % 2 else -100))
        self.exchange.price = Decimal(self.closes[-1])
        self.exchange.series = candles_of(self.closes[-320:], last_close=self.room.journal.clock.now(), span=HOUR)

    @rule(times=st.integers(1, 4))
    def lag(self, times: int) -> None:
        """The next questions about an order are answered by a source that does not know it yet."""
        self.exchange.hidden_queries = times

    @precondition(lambda self: self.room.positions() and self.room.positions()[-1].exit_wanted is None)
    @rule()
    def operator_wants_out(self) -> None:
        """A wish that stands until it is fulfilled."""
        self.room.engine._exits.want(self.room.positions()[-1], ExitReason.OPERATOR)

    def live(self, step: object, fuse: int | None) -> None:
        """Do a step in this process, or as much of it as the fuse allows."""
        self.fuse.left = fuse
        try:
            step()  # type: ignore[operator]
        except Crash:
            self.restart()
        finally:
            self.fuse.left = None

    def restart(self) -> None:
        """The process is gone, the next one passes the gate."""
        self.room.journal.ledger.connection.close()  # whatever it had begun is rolled back
        self.start()
        self.room.gate.open()

    # -- what must be true at any time ------------------------------------------------------------------------------

    @invariant()
    def nothing_is_doubled(self) -> None:
        """One executed BUY a signal; never more sold than bought; one live order; fills as the exchange has them."""
        if not hasattr(self, "room"):
            return
        ours = {order.client_order_id: order for order in self.room.orders()}
        executed = [ours[client_id] for client_id, report in self.exchange.reports.items() if report.executed_qty]
        signals = Counter(order.signal_id for order in executed if order.side is Side.BUY)
        assert set(signals.values()) <= {1}
        assert sum(order.state.live for order in ours.values()) <= 1
        assert len({order.client_order_id for order in self.exchange.placed}) == len(
            [order for order in ours.values() if order.sent_timestamp_ms is not None and self._left(order)]
        )
        for position in self.room.positions():
            assert position.quantity >= 0
        with self.room.journal.read() as connection:
            booked = {fill.trade_id: fill.quantity for fill in fills.all_fills(connection)}
        made = {trade.trade_id: trade.quantity for report in self.exchange.reports.values() for trade in report.trades}
        assert booked.items() <= made.items()

    def _left(self, order: orders.Order) -> bool:
        return any(placed.client_order_id == order.client_order_id for placed in self.exchange.placed)

    def teardown(self) -> None:
        """Left alone, everything is resolved, every wish is fulfilled, and the books agree to the last digit."""
        if not hasattr(self, "room"):
            return
        self.exchange.script, self.exchange.hidden_queries = [], 0
        for _ in range(200):
            self.room.pass_by(10 * SECOND)
            self.room.resolver.resolve_due()
            self.room.engine.stop_check()
            wanted = [position for position in self.room.positions() if position.exit_wanted is not None]
            if not wanted and not any(order.state.live for order in self.room.orders()):
                break
        else:
            raise AssertionError("never settled")
        self.nothing_is_doubled()
        with self.room.journal.read() as connection:
            booked = fills.all_fills(connection)
        assert len(booked) == sum(len(report.trades) for report in self.exchange.reports.values())
        expected = dict(self.before)
        for asset, amount in asset_effects(booked, assets=ASSETS).items():
            expected[asset] = expected.get(asset, Decimal(0)) + amount
        assert expected == self.exchange.balances
        self.room.journal.drain()
        records = read_chain(self.directory / "audit_trail.jsonl")
        recorded = Counter(record["trade_id"] for record in records if record["event"] == "FILL_BOOKED")
        assert recorded == Counter(fill.trade_id for fill in booked)
        self.room.journal.close()
        shutil.rmtree(self.directory)


OrderMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestOrderMachine = OrderMachine.TestCase

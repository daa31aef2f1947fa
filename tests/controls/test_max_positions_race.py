"""Eight processes that decide at the same moment never hold more than MAX_POSITIONS, nor fewer than they may."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock, to_ms, to_text
from thunes_cli.ledger import orders, positions
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.ledger.schema import create_ledger
from thunes_cli.model import Order, OrderReport, OrderState, Side, Trade
from thunes_cli.trading.booking import Evidence, book

SYMBOLS = [f"{letter}USDT" for letter in "ABCDEFGHIJ"]
RACERS = 8
WORKER = Path(__file__).with_name("deciding_process.py")


class Racers:
    """Eight processes that decide when told to, all at once."""

    def __init__(self) -> None:
        self.processes = [
            subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=WORKER.parents[2],
            )
            for _ in range(RACERS)
        ]

    def race(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each request in a process of its own; they start together."""
        racing = self.processes[: len(requests)]
        for process, request in zip(racing, requests, strict=True):
            self._tell(process, json.dumps(request))
        assert [json.loads(process.stdout.readline()) for process in racing] == ["ready"] * len(racing)
        for process in racing:
            self._tell(process, "")
        return [json.loads(process.stdout.readline()) for process in racing]

    def _tell(self, process: subprocess.Popen[str], line: str) -> None:
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def close(self) -> None:
        """End them all."""
        for process in self.processes:
            process.communicate(timeout=30)


class Home(RuleBasedStateMachine):
    """A ledger on which orders are decided by racing processes, and filled, refused and sold in between."""

    racers: ClassVar[Racers]

    @initialize(limit=st.integers(1, 4))
    def open_home(self, limit: int) -> None:
        """A new home each time."""
        self.limit = limit
        self.home = Path(tempfile.mkdtemp(prefix="thunes-race-"))
        create_ledger(
            self.home / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=datetime.now(UTC)
        )
        self.journal = Journal(Ledger(self.home / "thunes.db"), self.home / "audit_trail.jsonl", Clock())
        with self.journal.change() as change:
            save_entries_from(change.connection, change.at - timedelta(days=1))
        self.trades = itertools.count(1)
        self.minutes = itertools.count()

    def teardown(self) -> None:
        """Leave nothing behind; an example may end before it began."""
        if hasattr(self, "journal"):
            self.journal.close()
            shutil.rmtree(self.home)

    @rule(symbols=st.permutations(SYMBOLS), count=st.integers(2, RACERS), twice=st.booleans())
    def race(self, symbols: list[str], count: int, *, twice: bool) -> None:
        """Different symbols at once, or each of them in two processes; every free place is taken, none twice."""
        chosen = [symbols[number // 2] if twice else symbols[number] for number in range(count)]
        before = self.held()
        candle = datetime.now(UTC) - timedelta(hours=1, minutes=next(self.minutes) % 20)
        answers = self.racers.race(
            [
                {
                    "home": str(self.home),
                    "symbol": symbol,
                    "opened": to_text(candle.replace(microsecond=0)),
                    "max_positions": self.limit,
                }
                for symbol in chosen
            ]
        )
        taken = {symbol for symbol, answer in zip(chosen, answers, strict=True) if answer["approved"]}
        new = self.held() - before
        assert new <= taken
        assert len(new) == min(self.limit - len(before), len(set(chosen) - before))

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        """The exchange executed a BUY, wholly or for half and then EXPIRED."""
        order = data.draw(st.sampled_from(self.live()))
        self.execute(order, status=data.draw(st.sampled_from(["FILLED", "EXPIRED"])), side=Side.BUY)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), state=st.sampled_from([OrderState.NOT_PLACED, OrderState.REJECTED]))
    def refuse(self, data: st.DataObject, state: OrderState) -> None:
        """A BUY came to nothing."""
        order = data.draw(st.sampled_from(self.live()))
        with self.journal.change() as change:
            assert orders.change_state(
                change.connection, order.id, expected=[order.state], to=state, at=change.at, error="refused"
            )

    @precondition(lambda self: self.open())
    @rule(data=st.data())
    def sell(self, data: st.DataObject) -> None:
        """A position is sold."""
        symbol = data.draw(st.sampled_from(sorted(self.open())))
        with self.journal.change() as change:
            change.connection.execute(
                "UPDATE positions SET status = 'CLOSED', exit_time = ? WHERE symbol = ? AND status = 'OPEN'",
                (to_text(change.at), symbol),
            )

    @invariant()
    def never_too_many(self) -> None:
        """Positions and BUYs that may become some, together."""
        if hasattr(self, "journal"):
            assert len(self.held()) <= self.limit

    def held(self) -> set[str]:
        """Symbols that take a place."""
        return self.open() | {order.symbol for order in self.live()}

    def open(self) -> set[str]:
        """Symbols with a position."""
        with self.journal.read() as connection:
            return {position.symbol for position in positions.open_positions(connection)}

    def live(self) -> list[Order]:
        """BUYs on their way."""
        with self.journal.read() as connection:
            return list(orders.live_entries(connection))

    def execute(self, order: Order, *, status: str, side: Side) -> None:
        """Book a fill of an order at 100."""
        quantity = Decimal("0.12") if status == "FILLED" else Decimal("0.06")
        number, now = next(self.trades), self.journal.clock.now()
        trade = Trade(
            symbol=order.symbol,
            trade_id=number,
            order_id=number,
            side=side,
            price=Decimal(100),
            quantity=quantity,
            quote_quantity=quantity * 100,
            commission=Decimal(0),
            commission_asset="USDT",
            time=now,
        )
        report = OrderReport(
            symbol=order.symbol,
            order_id=number,
            client_order_id=order.client_order_id,
            side=side,
            status=status,
            orig_qty=quantity,
            orig_quote_qty=Decimal(12),
            executed_qty=quantity,
            executed_quote=quantity * 100,
            time=now,
            trades=(trade,),
        )
        with self.journal.change() as change:
            if order.state is OrderState.INTENT:
                sent = {"sent_timestamp_ms": to_ms(now), "recv_window_ms": 5000}
                expected = [OrderState.INTENT]
                orders.change_state(
                    change.connection, order.id, expected=expected, to=OrderState.SENT, at=change.at, **sent
                )
            book(change, order.id, Evidence(report, (trade,), {}), rules=None, max_daily_loss=Decimal(10**6))


@pytest.fixture(scope="module", autouse=True)
def racers() -> Iterator[None]:
    """Started once for all examples."""
    Home.racers = Racers()
    yield
    Home.racers.close()


_COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "phases": [Phase.generate],  # what races cannot be shrunk
}
TestRace = Home.TestCase
TestRace.settings = settings(max_examples=15, stateful_step_count=10, **_COMMON)


@pytest.mark.long
class TestLongRace(Home.TestCase):  # type: ignore[name-defined,misc]  # made by hypothesis
    """The same for longer."""

    settings = settings(max_examples=60, stateful_step_count=30, **_COMMON)
